//! A cluster whose nodes are restarted one after the other, as an upgrade does it, while events come at an even pace.

mod pace;
mod silence;

use std::collections::{BTreeMap, BTreeSet};

use self::pace::Pace;
use self::silence::Silence;
use super::super::{SLOW, accepts};
use crate::fake_sns::FakeSns;
use crate::support::{ADMIN, Admin, OwnBroker, Scrape, Stand, Worker, number_in, wait_for};

/// Senders, each of which has a conversation of its own. So few that two of its messages come at once, which two active workers
/// would publish in any order.
const KEYS: u32 = 5;

/// A source of its own, with two workers who know all nodes, and a producer.
struct Traffic {
    stand: Stand,
    sns: FakeSns,
    workers: [Worker; 2],
    pace: Pace,
    silence: Silence,
}

impl Traffic {
    /// The workers try the nodes in these orders.
    async fn begin(broker: &OwnBroker, name: &str, ordering: &str, nodes: [&[String]; 2]) -> Self {
        let (stand, sns) = (Stand::on(name, &broker.uri(0)).await, FakeSns::start());
        sns.record();
        sns.set_jitter(SLOW);
        let url = sns.url();
        let worker = async |nodes: &[String]| {
            let nodes = nodes.join(",");
            let at = [("AMQP__URI", ""), ("AMQP__URIS", &*nodes), ("SNS__SNS_HOST", &*url)];
            let further = [("SNS__ORDERING", ordering), ("LOG__FILTER", "info"), ADMIN];
            Worker::start_with(&stand, &[at, further].concat()).await
        };
        let workers = [worker(nodes[0]).await, worker(nodes[1]).await];
        let pace = Pace::begin(&stand.exchange(), &broker.all_uris(), KEYS);
        accepts(&sns, KEYS).await;
        let silence = Silence::listen(&sns);
        Self { stand, sns, workers, pace, silence }
    }

    /// Waits until events that are published from now on arrive at SNS.
    async fn flows(&self) {
        let next = self.pace.published() + KEYS;
        wait_for("the next events at SNS", async || {
            let accepted = self.sns.accepted();
            accepted.iter().rev().any(|it| number(&it.body) >= next).then_some(())
        })
        .await;
    }

    /// Everything has come, the books balance, and nothing is left.
    async fn end(self) -> (FakeSns, String) {
        let silence = self.silence.end().await;
        let paced = self.pace.end().await;
        accepts(&self.sns, paced.published).await;
        let stand = self.stand.again().await;
        stand.has_ready(&stand.queue(), 0).await;
        let (mut published, mut sessions) = (0, 0);
        for worker in self.workers {
            let at_rest = |it: &Scrape| it.sum("in_flight", &[]) == 0;
            let scrape = Admin::of(&worker).await.shows("no event in flight", at_rest).await;
            assert_eq!(scrape.unaccounted(), 0);
            sessions += worker.count("consuming");
            let exit = worker.stop().await;
            assert_eq!((exit.totals().dead_lettered, exit.totals().skipped), (0, 0), "{exit:?}");
            published += exit.totals().published;
        }
        stand.leave_nothing().await;
        let distinct: BTreeSet<_> = self.sns.accepted().iter().map(|it| number(&it.body)).collect();
        assert!(distinct.into_iter().eq(0..paced.published), "other events than were published");
        let told = format!(
            "{} events, {published} publications, {} sent again by the producer, {sessions} sessions\n  {silence}\n  {}",
            paced.published, paced.again, paced.silence
        );
        (self.sns, told)
    }
}

fn number(body: &str) -> u32 {
    number_in(&serde_json::from_str(body).unwrap())
}

/// What came first of each conversation's messages came in the order in which they were said.
fn came_in_order(sns: &FakeSns) {
    let mut last = BTreeMap::<u32, u32>::new();
    let mut seen = BTreeSet::new();
    for number in sns.accepted().iter().map(|it| number(&it.body)).filter(|it| seen.insert(*it)) {
        let before = last.insert(number % KEYS, number);
        assert!(before.is_none_or(|before| before < number), "{number} came after {before:?}");
    }
}

/// Prints the longest silence at SNS, which `docs/reliability.md` has.
#[tokio::test]
async fn a_cluster_that_is_restarted_node_by_node_loses_nothing_and_overtakes_nothing() {
    let broker = OwnBroker::cluster().await;
    let nodes = broker.all_uris();
    let reversed: Vec<_> = nodes.iter().rev().cloned().collect();
    // The standby has its connection elsewhere, and both who share lose theirs at the same moment.
    let ordered = Traffic::begin(&broker, "rolling-ordered", "per-key", [&nodes, &reversed]).await;
    let shared = Traffic::begin(&broker, "rolling-shared", "none", [&nodes, &nodes]).await;
    for node in 0..3 {
        broker.restart(node).await;
        broker.is_whole().await;
        ordered.flows().await;
        shared.flows().await;
    }
    let (ordered, told) = ordered.end().await;
    came_in_order(&ordered);
    println!("one active worker, order kept: {told}");
    let (_, told) = shared.end().await;
    println!("two workers share the queue: {told}");
}

//! Order across workers that follow each other.

use super::conversations::Conversations;
use super::storm::Storm;
use super::{EACH, KEYS, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Stand, Worker};

/// What the broker lets a worker hold, and so what a kill can make come twice.
const PREFETCH: usize = 60;
const PREFETCH_SETTING: (&str, &str) = ("AMQP__PREFETCH", "60");

/// Waits until the worker has published so much that it is in the middle.
async fn is_in_the_middle(sns: &FakeSns, before: u64) {
    let enough = (KEYS * EACH / 4) as u64;
    sns.until(|counts| counts.messages >= before + enough).await;
}

/// The broker has given up on the workers that were, and what they held is in the queue again.
async fn nobody_consumes(stand: &Stand) {
    let what = "no consumer";
    crate::support::wait_for(what, async || {
        (stand.consumers(&stand.queue()).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_and_a_start_keep_the_order_and_repeat_nothing() {
    let (stand, sns) = (Stand::new("order-stop").await, FakeSns::start());
    sns.record();
    let storm = Storm::begin(&sns);
    let said = Conversations::new(KEYS, EACH, storm.seed);
    let mut worker = worker_on(&stand, &sns, &[PREFETCH_SETTING]).await;
    stand.publish_all(said.events()).await;
    for _ in 0..2 {
        is_in_the_middle(&sns, sns.counts().messages).await;
        let exit = worker.stop().await;
        assert!(exit.report.contains(" 0 dead-lettered"), "{}", exit.report);
        worker = worker_on(&stand, &sns, &[PREFETCH_SETTING]).await;
    }
    ends_in_order(stand, &sns, &storm, &said, worker, 0).await;
}

#[tokio::test]
async fn a_kill_and_a_start_keep_the_order_and_repeat_no_more_than_was_held() {
    for queue_type in ["quorum", "classic"] {
        let stand = Stand::new(&format!("order-kill-{queue_type}")).await;
        let sns = FakeSns::start();
        sns.record();
        let storm = Storm::begin(&sns);
        let said = Conversations::new(KEYS, EACH, storm.seed);
        let settings = [PREFETCH_SETTING, ("AMQP__QUEUE_TYPE", queue_type)];
        let mut worker = worker_on(&stand, &sns, &settings).await;
        stand.publish_all(said.events()).await;
        for _ in 0..2 {
            is_in_the_middle(&sns, sns.counts().messages).await;
            worker.crash().await;
            nobody_consumes(&stand).await;
            worker = worker_on(&stand, &sns, &settings).await;
        }
        ends_in_order(stand, &sns, &storm, &said, worker, 2 * PREFETCH).await;
    }
}

async fn ends_in_order(
    stand: Stand,
    sns: &FakeSns,
    storm: &Storm,
    said: &Conversations,
    worker: Worker,
    repeated_at_most: usize,
) {
    let count = said.count() as u64;
    crate::support::wait_for("an empty queue", async || {
        (stand.ready(&stand.queue()).await == 0).then_some(())
    })
    .await;
    let exit = worker.stop().await;
    assert!(exit.report.contains(" 0 dead-lettered"), "{}", exit.report);
    assert!(sns.counts().messages >= count);
    let accepted = sns.accepted();
    let repeated = said.repetitions(&accepted, &storm.lost_answers());
    assert!(repeated <= repeated_at_most, "{repeated} came again");
    said.came_in_order(&accepted);
    stand.leave_nothing().await;
}

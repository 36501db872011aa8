//! Order across workers: a queue that is declared for a source that keeps order has one active consumer, and the others stand by.

mod long;

use std::time::Duration;

use super::conversations::{Conversations, distinct};
use super::{KEYS, worker_on};
use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{ADMIN, Admin, Event, Program, Stand, Worker, on_both_brokers, wait_for};

const EACH: usize = 60;
const PREFETCH: usize = 60;
const PREFETCH_SETTING: (&str, &str) = ("AMQP__PREFETCH", "60");
const PER_KEY: (&str, &str) = ("SNS__ORDERING", "per-key");
pub const SHARED: (&str, &str) = ("AMQP__SOURCES__EVENTS__SINGLE_ACTIVE", "false");

/// Conversations that wait in the queue.
async fn wait_in_queue(stand: &Stand) -> Conversations {
    let said = Conversations::new(KEYS, EACH, 7);
    Worker::create_queue(stand, &[PER_KEY]).await;
    stand.publish_all(said.events()).await;
    said
}

async fn workers(stand: &Stand, sns: &FakeSns, settings: &[(&str, &str)]) -> Vec<Worker> {
    let settings = [&[PREFETCH_SETTING, ADMIN], settings].concat();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(worker_on(stand, sns, &settings).await);
    }
    workers
}

/// Takes the worker that has deliveries, once more has come than any other one has had.
async fn take_active(workers: &mut Vec<Worker>, sns: &FakeSns) -> Worker {
    let before = distinct(&sns.accepted());
    wait_for("further messages", async || {
        (distinct(&sns.accepted()) >= before + 2 * PREFETCH).then_some(())
    })
    .await;
    let active = wait_for("an active worker", async || {
        for (index, worker) in workers.iter().enumerate() {
            if Admin::of(worker).await.scrape().await.sum("in_flight", &[]) > 0 {
                return Some(index);
            }
        }
        None
    });
    let active = active.await;
    workers.swap_remove(active)
}

on_both_brokers! {
    async fn stops_and_kills_among_three_workers_overtake_nothing_and_stops_repeat_nothing(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        sns.set_jitter(Duration::from_millis(20));
        let said = wait_in_queue(&stand).await;
        let mut workers = workers(&stand, &sns, &[]).await;
        for _ in 0..2 {
            let exit = take_active(&mut workers, &sns).await.stop().await;
            assert_eq!(exit.totals().dead_lettered, 0, "{exit:?}");
            let came = sns.accepted();
            assert_eq!(came.len(), distinct(&came), "a stop repeats nothing");
            workers.push(worker_on(&stand, &sns, &[PREFETCH_SETTING, ADMIN]).await);
        }
        for _ in 0..2 {
            take_active(&mut workers, &sns).await.crash().await;
        }
        wait_for("all messages, and an empty queue", async || {
            let came = said.have_all_come(&sns.accepted());
            (came && stand.ready(&stand.queue()).await == 0).then_some(())
        })
        .await;
        for worker in workers {
            worker.stop().await;
        }
        said.came_in_order(&sns.accepted());
        stand.leave_nothing().await;
    }

    async fn one_of_three_workers_is_active_and_their_backlogs_add_up_to_what_is_left(stand: Stand) {
        let sns = FakeSns::start();
        let said = wait_in_queue(&stand).await;
        sns.fail_requests(|_| Some(RequestFault::Silence));
        let workers = workers(&stand, &sns, &[("SHUTDOWN__GRACE_MS", "0")]).await;
        let left = i64::try_from(said.count()).unwrap();
        wait_for("one who has all that is left, and two who stand by", async || {
            let (mut backlogs, mut standbys) = (Vec::new(), 0);
            for worker in &workers {
                let scrape = Admin::of(worker).await.scrape().await;
                backlogs.push(scrape.sum("backlog", &[]));
                standbys += scrape.sum("source_state", &["state=\"standby\""]);
            }
            backlogs.sort_unstable();
            (backlogs == [0, 0, left] && standbys == 2).then_some(())
        })
        .await;
        for worker in workers {
            let (status, body) = Admin::of(&worker).await.ready().await;
            assert_eq!(status, 200, "a standby is ready, too: {body}");
            worker.stop().await;
        }
        stand.purge(&stand.queue()).await;
        stand.leave_nothing().await;
    }

    async fn a_queue_of_the_version_before_is_shared_as_it_was_and_check_says_how_to_move(stand: Stand) {
        let former = Worker::start_with(&stand, &[PER_KEY, SHARED]).await;
        assert_eq!(former.count("queue_adopted"), 0);
        let today = Worker::start_with(&stand, &[PER_KEY]).await;
        let said = today.logged("queue_adopted").await;
        assert_eq!((said["level"].as_str(), said["queue"].as_str()), (Some("WARN"), Some(&*stand.queue())), "{said}");
        wait_for("two consumers", async || (stand.consumers(&stand.queue()).await == 2).then_some(())).await;
        let check = Program::new(&["check", "--config", "stand.toml"]);
        let checked = check.with_file("stand.toml", &stand.configuration()).with("SNS__ORDERING", "per-key").run().await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let line = checked.line("x-single-active-consumer");
        assert!(line.contains("order is kept within each of them only"), "{line}");
        assert!(line.contains("docs/own-queues.md"), "{line}");
        stand.publish(Event::chat("ann@h", "bob@h", "hello")).await;
        stand.receive("pm", 1).await;
        former.stop().await;
        today.stop().await;
        stand.leave_nothing().await;
    }

    async fn a_queue_with_one_active_consumer_is_used_as_it_is_where_workers_are_to_share_it(stand: Stand) {
        Worker::create_queue(&stand, &[PER_KEY]).await;
        let worker = Worker::start_with(&stand, &[PER_KEY, SHARED]).await;
        let said = worker.logged("queue_adopted").await;
        assert!(said["deviation"].as_str().unwrap().contains("the others stand by"), "{said}");
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

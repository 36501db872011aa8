//! Order, where it is asked for, with everything going wrong that a key's next event could
//! use to get ahead.

mod conversations;
mod fifo;
mod restarts;
mod storm;

use crate::fake_sns::FakeSns;
use crate::support::{Stand, Totals, Worker};
use conversations::{Conversations, repetitions};
use storm::Storm;

/// Chats, which go to one topic, and rooms, which go to another.
const KEYS: usize = 32;
const EACH: usize = 10;

/// Many retries with short pauses: what fails by chance must not end as a dead letter.
const PATIENT: [(&str, &str); 6] = [
    ("SNS__ORDERING", "per-key"),
    ("SNS__PUBLISH_RETRY_COUNT", "16"),
    ("SNS__PUBLISH_RETRY_TIME_MS", "1"),
    // An answer that is only slow on a busy machine must not look like one that is lost.
    ("SNS__CONNECT_TIMEOUT_MS", "2000"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "5000"),
    ("OUTAGE__PROBE_MAX_MS", "100"),
];

async fn worker_on(stand: &Stand, sns: &FakeSns, further: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let settings = [&PATIENT[..], &[("SNS__SNS_HOST", &*url)], further].concat();
    Worker::start_with(stand, &settings).await
}

/// Stops the worker, which must have published everything, and nothing may be left.
async fn all_was_published(stand: Stand, worker: Worker, count: usize) {
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(count as u64), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn every_key_keeps_its_order_in_a_storm_of_faults_and_others_overtake() {
    let (stand, sns) = (Stand::new("order").await, FakeSns::start());
    sns.record();
    let storm = Storm::begin(&sns);
    let said = Conversations::new(KEYS, EACH, storm.seed);
    let worker = worker_on(&stand, &sns, &[]).await;
    stand.publish_all(said.events()).await;
    worker.settles(said.count()).await;
    let accepted = sns.accepted();
    assert_eq!(repetitions(&accepted, &storm.lost_answers()), 0, "more than was lost");
    said.came_in_order(&accepted);
    assert!(said.some_overtook(&accepted), "in the order of delivery, as if there were one key");
    all_was_published(stand, worker, said.count()).await;
}

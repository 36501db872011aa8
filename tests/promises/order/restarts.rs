//! Order across workers that follow each other.

use super::conversations::{Conversations, repetitions};
use super::storm::Storm;
use super::{EACH, KEYS, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{PATIENCE, Stand, Worker, wait_for};

/// What the broker lets a worker hold, and so what a kill can make come twice.
const PREFETCH: usize = 60;
const PREFETCH_SETTING: (&str, &str) = ("AMQP__PREFETCH", "60");

/// Waits until the worker has published so much that it is in the middle.
async fn is_in_the_middle(sns: &FakeSns, before: u64) {
    let enough = (KEYS * EACH / 4) as u64;
    let reached = sns.until(|counts| counts.messages >= before + enough);
    tokio::time::timeout(PATIENCE, reached).await.expect("the worker goes on publishing");
}

/// The broker has given up on the worker that was, and what it held is in the queue again: a worker
/// that consumed before would get newer events first.
async fn nobody_consumes(stand: &Stand) {
    let nobody = async || (stand.consumers(&stand.queue()).await == 0).then_some(());
    wait_for("a queue without a consumer", nobody).await;
}

/// Waits until all has come, lets the worker finish, and looks at what came.
async fn ends_in_order(stand: Stand, worker: Worker, said: &Conversations, sns: &FakeSns) {
    let all = async || {
        let came = said.have_all_come(&sns.accepted());
        (came && stand.ready(&stand.queue()).await == 0).then_some(())
    };
    wait_for("all messages, and an empty queue", all).await;
    let exit = worker.stop().await;
    assert!(exit.report.contains(" 0 dead-lettered"), "{}", exit.report);
    said.came_in_order(&sns.accepted());
    stand.leave_nothing().await;
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
    ends_in_order(stand, worker, &said, &sns).await;
    assert_eq!(repetitions(&sns.accepted(), &storm.lost_answers()), 0, "more than was lost");
}

/// A quorum queue and a classic one put back what a worker held, each in its own way.
async fn survive_kills(queue_type: &str) {
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
    ends_in_order(stand, worker, &said, &sns).await;
    let repeated = repetitions(&sns.accepted(), &storm.lost_answers());
    assert!(repeated <= 2 * PREFETCH, "{repeated} came again");
}

#[tokio::test]
async fn a_kill_keeps_the_order_on_a_quorum_queue_and_repeats_no_more_than_was_held() {
    survive_kills("quorum").await;
}

#[tokio::test]
async fn a_kill_keeps_the_order_on_a_classic_queue_and_repeats_no_more_than_was_held() {
    survive_kills("classic").await;
}

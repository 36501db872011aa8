//! Order across workers that follow each other.

mod long;

use super::conversations::{Conversations, distinct, repetitions};
use super::storm::Storm;
use super::{KEYS, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Stand, Worker, wait_for};

/// So many that after two restarts most of them are still to come, however slow the test is to look.
const EACH: usize = 24;

/// What the broker lets a worker hold, and so what a kill can make come twice.
const PREFETCH: usize = 60;
const PREFETCH_SETTING: (&str, &str) = ("AMQP__PREFETCH", "60");

/// Waits until the worker has published so much that it is in the middle, and has taken all that the one
/// before it held: a quorum queue puts what comes back behind what came back before and still waits.
async fn is_in_the_middle(sns: &FakeSns) {
    const ENOUGH: usize = KEYS * EACH / 8;
    const { assert!(ENOUGH > PREFETCH) };
    let before = sns.accepted().len();
    // What is accepted twice since its answer was lost was taken once.
    let reached = async || (distinct(&sns.accepted()[before..]) >= ENOUGH).then_some(());
    wait_for("the middle of all messages", reached).await;
}

/// Waits until the queue has so many consumers. One that is cancelled counts as long as it has
/// something open.
async fn has_consumers(stand: &Stand, count: u32) {
    let so_many = async || (stand.consumers(&stand.queue()).await == count).then_some(());
    wait_for(&format!("{count} consumers"), so_many).await;
}

/// The broker has given up on the worker that was, and what it held is in the queue again: a worker
/// that consumed before would get newer events first.
async fn nobody_consumes(stand: &Stand) {
    has_consumers(stand, 0).await;
}

/// Waits until all has come, lets the worker finish, and looks at what came.
async fn ends_in_order(stand: Stand, worker: Worker, said: &Conversations, sns: &FakeSns) {
    let all = async || {
        let came = said.have_all_come(&sns.accepted());
        (came && stand.ready(&stand.queue()).await == 0).then_some(())
    };
    wait_for("all messages, and an empty queue", all).await;
    let exit = worker.stop().await;
    assert_eq!(exit.totals().dead_lettered, 0, "{exit:?}");
    said.came_in_order(&sns.accepted());
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_stop_and_a_start_keep_the_order_and_repeat_nothing() {
    let (stand, sns) = (Stand::new("order-stop").await, FakeSns::start());
    sns.record();
    let storm = Storm::begin_without_silence(&sns);
    let said = Conversations::new(KEYS, EACH, storm.seed);
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all(said.events()).await;
    let mut worker = worker_on(&stand, &sns, &[PREFETCH_SETTING]).await;
    for _ in 0..2 {
        is_in_the_middle(&sns).await;
        let exit = worker.stop().await;
        assert_eq!(exit.totals().dead_lettered, 0, "{exit:?}");
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
    let storm = Storm::begin_without_silence(&sns);
    let said = Conversations::new(KEYS, EACH, storm.seed);
    let settings = [PREFETCH_SETTING, ("AMQP__QUEUE_TYPE", queue_type)];
    Worker::create_queue(&stand, &settings).await;
    stand.publish_all(said.events()).await;
    let mut worker = worker_on(&stand, &sns, &settings).await;
    for _ in 0..2 {
        is_in_the_middle(&sns).await;
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

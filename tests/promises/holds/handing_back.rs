//! What is handed back, on queues of both types.

use super::{accepts, chat, delete_topic, leave_after, room, worker_on};
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::order::SHARED;
use crate::support::{Stand, Worker, header, number_in, on_both_brokers};

/// Settings with which a hold is soon too long, though no answer is that may take its time.
const SHORT: [(&str, &str); 5] = [
    ("OUTAGE__HAND_BACK_AFTER_S", "2"),
    ("SNS__PUBLISH_RETRY_COUNT", "0"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "1500"),
    ("SNS__CONNECT_TIMEOUT_MS", "1500"),
    ("AMQP__PREFETCH", "20"),
];

/// Waits until all is back in the queue, with nobody who takes it.
async fn is_handed_back(stand: &Stand, worker: &Worker, count: u32) {
    let line = worker.logged("requeued_held_too_long").await;
    assert_eq!(line["source"], "events", "{line}");
    stand.has_ready(&stand.queue(), count).await;
    assert_eq!(stand.consumers(&stand.queue()).await, 0);
}

/// How often each event has come back, by a quorum queue's own count, the most often last. Looking is one more
/// time.
async fn returns(stand: &Stand, count: usize) -> Vec<i64> {
    let options = lapin::options::BasicGetOptions { no_ack: false };
    let channel = stand.another_channel().await;
    let mut returns = Vec::new();
    for _ in 0..count {
        let got = channel.basic_get(stand.queue().as_str().into(), options).await.unwrap();
        let delivery = got.unwrap().delivery;
        returns.push(header(&delivery, "x-delivery-count").map_or(0, |it| it.parse().unwrap()));
    }
    channel.close(200, "looked".into()).await.unwrap();
    stand.has_ready(&stand.queue(), count.try_into().unwrap()).await;
    returns.sort_unstable();
    returns
}

/// What was accepted, in that order.
fn numbers(sns: &FakeSns) -> Vec<u32> {
    let number = |body: &str| number_in(&serde_json::from_str(body).unwrap());
    sns.accepted().iter().map(|message| number(&message.body)).collect()
}

on_both_brokers! {
    /// A delivery limit counts what goes back with a channel, and from RabbitMQ 4.3 on not what is handed back.
    async fn what_a_quorum_queue_gets_back_has_come_back_once_or_from_4_3_on_never(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        sns.fail_requests(next(u64::MAX, RequestFault::EXPIRED_TOKEN));
        let worker = worker_on(&stand, &sns, &SHORT).await;
        stand.publish_all((0..30).map(chat)).await;
        is_handed_back(&stand, &worker, 30).await;
        let counted = i64::from(!stand.is_newest());
        assert_eq!(returns(&stand, 30).await.last(), Some(&counted));
        sns.heal();
        worker.logged("hold_over").await;
        assert_eq!(worker.count("requeued_held_too_long"), 1, "{:#?}", worker.log());
        leave_after(stand, &sns, worker, "pm", 30).await;
    }

    async fn a_classic_queue_keeps_the_order_of_what_is_handed_back(stand: Stand) {
        keeps_its_order(stand, &[("AMQP__QUEUE_TYPE", "classic")]).await;
    }

    async fn a_quorum_queue_with_one_active_consumer_keeps_the_order_of_what_is_handed_back(stand: Stand) {
        keeps_its_order(stand, &[]).await;
    }

    /// The standby takes over what the first worker hands back, and both have a turn.
    async fn a_standby_takes_over_what_is_handed_back_in_order(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        delete_topic(&stand, &sns, "muc");
        let settings = [&SHORT[..], &[("SNS__ORDERING", "per-key")]].concat();
        let first = worker_on(&stand, &sns, &settings).await;
        stand.publish_all((0..50).map(room)).await;
        let second = worker_on(&stand, &sns, &settings).await;
        first.logged("requeued_held_too_long").await;
        second.logged("requeued_held_too_long").await;
        sns.heal();
        accepts(&stand, &sns, "muc", 50).await;
        assert_eq!(numbers(&sns), (0..50).collect::<Vec<_>>());
        first.stop().await;
        leave_after(stand, &sns, second, "muc", 50).await;
    }

    async fn a_quorum_queue_that_workers_share_keeps_the_order_of_what_is_handed_back(stand: Stand) {
        keeps_its_order(stand, &[SHARED]).await;
    }
}

/// It holds 20 of 50 events, and hands them back each time that the service seems to be back and is not.
async fn keeps_its_order(stand: Stand, settings: &[(&str, &str)]) {
    let sns = FakeSns::start();
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let settings = [&SHORT[..], &[("SNS__ORDERING", "per-key")], settings].concat();
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..50).map(room)).await;
    is_handed_back(&stand, &worker, 50).await;
    assert!(!stand.has_queue(&stand.held_queue()).await, "there is nothing to park");
    sns.heal();
    accepts(&stand, &sns, "muc", 50).await;
    assert_eq!(numbers(&sns), (0..50).collect::<Vec<_>>());
    leave_after(stand, &sns, worker, "muc", 50).await;
}

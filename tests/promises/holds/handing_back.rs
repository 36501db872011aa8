//! What is handed back, on queues of both types.

use super::{chat, delete_topic, leave_after, room, worker_on};
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Stand, Worker, header, number_in};

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

#[tokio::test]
async fn what_a_quorum_queue_gets_back_has_come_back_once() {
    let (stand, sns) = (Stand::new("handed-back").await, FakeSns::start());
    sns.record();
    sns.fail_requests(next(u64::MAX, RequestFault::EXPIRED_TOKEN));
    let worker = worker_on(&stand, &sns, &SHORT).await;
    stand.publish_all((0..30).map(chat)).await;
    is_handed_back(&stand, &worker, 30).await;
    assert_eq!(returns(&stand, 30).await.last(), Some(&1));
    sns.heal();
    worker.logged("hold_over").await;
    assert_eq!(worker.count("requeued_held_too_long"), 1, "{:#?}", worker.log());
    leave_after(stand, &sns, worker, "pm", 30).await;
}

async fn keeps_its_order(queue_type: &str) {
    let stand = Stand::new(&format!("handed-order-{queue_type}")).await;
    let sns = FakeSns::start();
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let order = [("SNS__ORDERING", "per-key"), ("AMQP__QUEUE_TYPE", queue_type)];
    let worker = worker_on(&stand, &sns, &[&SHORT[..], &order].concat()).await;
    stand.publish_all((0..50).map(room)).await;
    is_handed_back(&stand, &worker, 50).await;
    assert!(!stand.has_queue(&stand.held_queue()).await, "there is nothing to park");
    sns.heal();
    super::accepts(&stand, &sns, "muc", 50).await;
    assert_eq!(numbers(&sns), (0..50).collect::<Vec<_>>(), "{queue_type}");
    leave_after(stand, &sns, worker, "muc", 50).await;
}

#[tokio::test]
async fn queues_of_both_types_keep_the_order_of_what_is_handed_back() {
    futures_util::future::join(keeps_its_order("quorum"), keeps_its_order("classic")).await;
}

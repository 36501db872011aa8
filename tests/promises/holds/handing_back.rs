//! No delivery is kept for as long as RabbitMQ's acknowledgement timeout.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use super::{accepts, chat, delete_topic, has_ready, leave_after, room, worker_on};
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Stand, Worker, header, wait_for};

async fn consumers(stand: &Stand) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = stand.queue();
    let declared =
        stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    declared.await.unwrap().consumer_count()
}

/// Settings with which a hold is soon too long.
const SHORT: [(&str, &str); 4] = [
    ("OUTAGE__HAND_BACK_AFTER_S", "2"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "500"),
    ("SNS__CONNECT_TIMEOUT_MS", "500"),
    ("AMQP__PREFETCH", "20"),
];

/// Waits until all is back in the queue, with nobody who takes it.
async fn is_handed_back(stand: &Stand, worker: &Worker, count: u32) {
    let line = worker.logged("held for too long").await;
    assert_eq!(line["source"], "events", "{line}");
    has_ready(stand, &stand.queue(), count).await;
    assert_eq!(consumers(stand).await, 0);
}

/// Deliveries of the event that was delivered most often, by the queue's count of those before.
async fn most_deliveries(stand: &Stand, count: usize) -> i64 {
    let options = lapin::options::BasicGetOptions { no_ack: false };
    let channel = stand.another_channel().await;
    let mut most = 0;
    for _ in 0..count {
        let got = channel.basic_get(stand.queue().as_str().into(), options).await.unwrap();
        let delivery = got.unwrap().delivery;
        let earlier = header(&delivery, "x-delivery-count").map_or(0, |it| it.parse().unwrap());
        most = most.max(earlier);
    }
    channel.close(200, "looked".into()).await.unwrap();
    has_ready(stand, &stand.queue(), count.try_into().unwrap()).await;
    most
}

#[tokio::test]
async fn what_is_held_for_too_long_is_handed_back_once_and_taken_again_when_sns_is_back() {
    let (stand, sns) = (Stand::new("handed-back").await, FakeSns::start());
    sns.record();
    sns.fail_requests(next(u64::MAX, RequestFault::EXPIRED_TOKEN));
    let worker = worker_on(&stand, &sns, &SHORT).await;
    stand.publish_all((0..50).map(chat)).await;
    is_handed_back(&stand, &worker, 50).await;
    // It goes on asking whether SNS is back, and publishes nothing for that.
    let requests = sns.counts().requests;
    let asked = sns.fail_and_count(RequestFault::EXPIRED_TOKEN);
    wait_for("ten questions", async || (asked() >= 10).then_some(())).await;
    assert_eq!(sns.counts().requests, requests);
    assert_eq!(consumers(&stand).await, 0);
    assert_eq!(worker.count("held for too long"), 1, "{:#?}", worker.log());
    assert_eq!(most_deliveries(&stand, 50).await, 1);
    sns.heal();
    worker.logged("going on").await;
    leave_after(stand, &sns, worker, "pm", 50).await;
}

#[tokio::test]
async fn a_stop_while_everything_is_handed_back_is_prompt() {
    let (stand, sns) = (Stand::new("handed-stop").await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::EXPIRED_TOKEN));
    let worker = worker_on(&stand, &sns, &SHORT).await;
    stand.publish_all((0..5).map(chat)).await;
    is_handed_back(&stand, &worker, 5).await;
    let asked = std::time::Instant::now();
    let exit = worker.stop().await;
    assert!(asked.elapsed().as_secs() < 5, "took {:?}", asked.elapsed());
    assert!(exit.report.contains("5 received: 0 published"), "{}", exit.report);
    assert!(exit.report.ends_with("5 handed back"), "{}", exit.report);
    let deleted = stand.channel.queue_delete(stand.queue().into(), QueueDeleteOptions::default());
    assert_eq!(deleted.await.unwrap(), 5);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_topic_in_order_that_is_held_for_too_long_is_handed_back_and_keeps_its_order() {
    let (stand, sns) = (Stand::new("handed-order").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let settings = [&SHORT[..], &[("SNS__ORDERING", "per-key")]].concat();
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..50).map(room)).await;
    is_handed_back(&stand, &worker, 50).await;
    sns.heal();
    accepts(&stand, &sns, "muc", 50).await;
    let numbers: Vec<usize> = sns.accepted().iter().map(|it| number_in(&it.body)).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    leave_after(stand, &sns, worker, "muc", 50).await;
}

fn number_in(body: &str) -> usize {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["message"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_topic_that_is_held_for_too_long_keeps_no_delivery_and_no_channel_from_the_others() {
    let (stand, sns) = (Stand::new("held-long").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let worker = worker_on(&stand, &sns, &SHORT).await;
    stand.publish_all((0..5).map(room)).await;
    worker.logged("\"holding").await;
    // They wait within their share at first, and are parked when their time is over.
    has_ready(&stand, &stand.held_queue(), 5).await;
    stand.publish_all((0..20).map(chat)).await;
    accepts(&stand, &sns, "pm", 20).await;
    assert_eq!(worker.count("\"consuming\""), 1, "{:#?}", worker.log());
    sns.heal();
    leave_after(stand, &sns, worker, "muc", 5).await;
}

//! No delivery is kept for as long as RabbitMQ's acknowledgement timeout.

use lapin::options::QueueDeleteOptions;

use super::{accepts, chat, delete_topic, leave_after, room, worker_on};
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Stand, Totals, Worker, header, number_in, wait_for};

/// Settings with which a hold is soon too long, though no answer is that may take its time.
const SHORT: [(&str, &str); 4] = [
    ("OUTAGE__HAND_BACK_AFTER_S", "8"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "2500"),
    ("SNS__CONNECT_TIMEOUT_MS", "2500"),
    ("AMQP__PREFETCH", "20"),
];

/// Sooner, since nothing is retried: what the worker goes on with when asking says that it
/// may, it then hands back anew after three seconds.
const SHORTER: [(&str, &str); 2] =
    [("OUTAGE__HAND_BACK_AFTER_S", "3"), ("SNS__PUBLISH_RETRY_COUNT", "0")];

/// Waits until it begins to hand back.
async fn hands_back(worker: &Worker) {
    let line = worker.logged("requeued_held_too_long").await;
    assert_eq!(line["source"], "events", "{line}");
}

/// Waits until all is back in the queue, with nobody who takes it: not where asking says that SNS is
/// well, for there it is taken again at once.
async fn is_handed_back(stand: &Stand, worker: &Worker, count: u32) {
    hands_back(worker).await;
    stand.has_ready(&stand.queue(), count).await;
    assert_eq!(stand.consumers(&stand.queue()).await, 0);
}

/// How often each event has come back, by the queue's own count, the most often last. Looking is one more
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

/// SNS answers questions, and takes no messages.
fn refuse_messages(sns: &FakeSns, fault: RequestFault) {
    sns.fail_requests(move |request| (!request.entries.is_empty()).then_some(fault));
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
    assert_eq!(stand.consumers(&stand.queue()).await, 0);
    assert_eq!(worker.count("requeued_held_too_long"), 1, "{:#?}", worker.log());
    assert_eq!(returns(&stand, 50).await.last(), Some(&1));
    sns.heal();
    worker.logged("hold_over").await;
    leave_after(stand, &sns, worker, "pm", 50).await;
}

/// With a limit of two, the broker would dead-letter what comes back for the third time.
#[tokio::test]
async fn a_long_outage_that_asking_does_not_show_spends_no_delivery_limit() {
    let (stand, sns) = (Stand::new("handed-unseen").await, FakeSns::start());
    sns.record();
    refuse_messages(&sns, RequestFault::EXPIRED_TOKEN);
    let settings = [&SHORT[..], &SHORTER, &[("AMQP__DELIVERY_LIMIT", "2")]].concat();
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..30).map(chat)).await;
    hands_back(&worker).await;
    // With up to 300 ms between them, that is several times as long as an event may wait.
    for _ in 0..3 {
        let probes = sns.counts().requests + 20;
        sns.until(|counts| counts.requests >= probes).await;
    }
    assert_eq!(worker.count("requeued_held_too_long"), 1, "{:#?}", worker.log());
    assert!(stand.dead_letter_now().await.is_none());
    sns.heal();
    leave_after(stand, &sns, worker, "pm", 30).await;
}

/// By two holds and more that asking does not show; `fault` says of what.
async fn keeps_its_order(name: &str, topic: &str, fault: RequestFault, order: &[(&str, &str)]) {
    let (stand, sns) = (Stand::new(name).await, FakeSns::start());
    sns.record();
    refuse_messages(&sns, fault);
    let arn = stand.topic_arn(topic);
    let further =
        [("SNS__PM_MESSAGES_TOPIC", &*arn), ("LOG__FILTER", "info,event_pusher_sns::worker=debug")];
    let settings = [&SHORT[..], &SHORTER, &further, order].concat();
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..20).map(chat)).await;
    hands_back(&worker).await;
    let again = async || (worker.count("requeued_held_too_long") >= 4).then_some(());
    wait_for("three more times", again).await;
    worker.stop().await;
    sns.heal();
    let worker = worker_on(&stand, &sns, &settings).await;
    accepts(&stand, &sns, topic, 20).await;
    assert_eq!(numbers(&sns), (0..20).collect::<Vec<_>>());
    leave_after(stand, &sns, worker, topic, 20).await;
}

#[tokio::test]
async fn where_order_is_kept_all_go_back_together_and_none_is_overtaken() {
    let order = [("SNS__ORDERING", "per-key")];
    keeps_its_order("handed-unseen-order", "pm", RequestFault::NOT_AUTHORISED, &order).await;
}

/// Though the configuration asks for no order: a FIFO topic is nothing without.
#[tokio::test]
async fn with_a_fifo_topic_all_go_back_together_whatever_is_held() {
    for fault in [RequestFault::NOT_AUTHORISED, RequestFault::EXPIRED_TOKEN] {
        keeps_its_order("handed-unseen-fifo", "pm.fifo", fault, &[("SNS__ORDERING", "none")]).await;
    }
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
    assert!(asked.elapsed().as_secs() < 15, "took {:?}", asked.elapsed());
    let totals = Totals { received: 5, handed_back: 5, ..Totals::default() };
    assert_eq!(exit.totals(), totals, "{exit:?}");
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
    assert_eq!(numbers(&sns), (0..50).collect::<Vec<_>>());
    leave_after(stand, &sns, worker, "muc", 50).await;
}

#[tokio::test]
async fn a_topic_that_is_held_for_too_long_keeps_no_delivery_and_no_channel_from_the_others() {
    let (stand, sns) = (Stand::new("held-long").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    // Parked ones are back after as long, and must be seen before.
    let settings = [&SHORT[..], &[("OUTAGE__PROBE_MAX_MS", "1500")]].concat();
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..5).map(room)).await;
    worker.logged("held").await;
    // They wait within their share at first, and are parked when their time is over.
    stand.has_ready(&stand.held_queue(), 5).await;
    stand.publish_all((0..20).map(chat)).await;
    accepts(&stand, &sns, "pm", 20).await;
    assert_eq!(worker.count("consuming"), 1, "{:#?}", worker.log());
    sns.heal();
    leave_after(stand, &sns, worker, "muc", 5).await;
}

//! What SNS does not take for a reason that is not the event's own is held: nothing is dead-lettered,
//! nobody else is kept waiting, the log says what to do, and all goes on by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lapin::BasicProperties;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use crate::fake_sns::{FakeSns, RequestFault, next, share};
use crate::support::{Event, Program, Stand, Worker, header, wait_for};

fn chat(number: usize) -> Event {
    Event::chat("ann@h", "bob@h", &number.to_string())
}

fn room(number: usize) -> Event {
    Event::groupchat("ann@h", "room@conference.h", &number.to_string())
}

/// A worker on the fake. Without it, half a minute would pass between probes.
async fn worker_on(stand: &Stand, sns: &FakeSns, settings: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let base = [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300"), ("LOG__FILTER", "info")];
    Worker::start_with(stand, &[&base, settings].concat()).await
}

/// From now on a topic is not there.
fn delete_topic(stand: &Stand, sns: &FakeSns, topic: &str) {
    let arn = stand.topic_arn(topic);
    sns.fail_requests(move |request| (request.topic == arn).then_some(RequestFault::NOT_FOUND));
}

/// How many different messages of a topic the fake has accepted.
fn distinct(stand: &Stand, sns: &FakeSns, topic: &str) -> usize {
    let arn = stand.topic_arn(topic);
    let bodies = sns.accepted().into_iter().filter(|it| it.topic == arn).map(|it| it.body);
    bodies.collect::<BTreeSet<_>>().len()
}

async fn accepts(stand: &Stand, sns: &FakeSns, topic: &str, count: usize) {
    let all = async || (distinct(stand, sns, topic) == count).then_some(());
    wait_for(&format!("{count} messages behind {topic}"), all).await;
}

async fn consumers(stand: &Stand) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = stand.queue();
    let declared =
        stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    declared.await.unwrap().consumer_count()
}

async fn has_ready(stand: &Stand, queue: &str, count: u32) {
    let ready = async || (stand.ready(queue).await == count).then_some(());
    wait_for(&format!("{count} ready in {queue}"), ready).await;
}

async fn dead_letters(stand: &Stand) -> usize {
    let mut dead = 0;
    while stand.dead_letter_now().await.is_some() {
        dead += 1;
    }
    dead
}

/// Every event was accepted once, and nothing is left anywhere.
async fn leave_after(stand: Stand, sns: &FakeSns, worker: Worker, topic: &str, count: usize) {
    accepts(&stand, sns, topic, count).await;
    let exit = worker.stop().await;
    assert!(exit.status.success(), "{exit:?}");
    let arn = stand.topic_arn(topic);
    let accepted = sns.accepted().iter().filter(|it| it.topic == arn).count();
    assert_eq!((accepted, distinct(&stand, sns, topic)), (count, count));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn with_sns_refusing_everything_from_the_start_few_are_dead_and_the_rest_is_published_later()
{
    const EVENTS: usize = 3000;
    let (stand, sns) = (Stand::new("refusing").await, FakeSns::start());
    sns.record();
    let single = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&single);
    sns.fail_requests(move |request| {
        counting.fetch_add(usize::from(request.entries.len() == 1), Ordering::Relaxed);
        Some(RequestFault::INTERNAL_ERROR)
    });
    let worker = worker_on(&stand, &sns, &[]).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    let line = worker.logged("\"holding").await;
    assert_eq!((&line["held"], &line["scope"]), (&"service".into(), &"service".into()), "{line}");
    // All that was in flight has run out of retries, and single events probe.
    wait_for("probes", async || (single.load(Ordering::Relaxed) > 10).then_some(())).await;
    let dead = dead_letters(&stand).await;
    assert!(dead < 10, "{dead} dead letters in an outage, with a threshold of 10");
    sns.heal();
    leave_after(stand, &sns, worker, "pm", EVENTS - dead).await;
}

#[tokio::test]
async fn bad_credentials_hold_everything_at_once_and_say_so() {
    for fault in [RequestFault::INVALID_TOKEN, RequestFault::EXPIRED_TOKEN] {
        let (stand, sns) = (Stand::new("credentials").await, FakeSns::start());
        sns.record();
        sns.fail_requests(next(u64::MAX, fault));
        let worker = worker_on(&stand, &sns, &[]).await;
        stand.publish_all((0..5).map(chat)).await;
        let line = worker.logged("\"holding").await;
        assert_eq!(line["held"], "service", "{line}");
        assert!(line["advice"].as_str().unwrap().contains("sns.access_key_id"), "{line}");
        sns.until(|counts| counts.requests > 5).await;
        sns.heal();
        worker.logged("going on").await;
        leave_after(stand, &sns, worker, "pm", 5).await;
    }
}

#[tokio::test]
async fn an_endpoint_out_of_reach_is_an_outage_from_the_first_event_on() {
    let stand = Stand::new("unreachable").await;
    // A port where nobody listens, until somebody does.
    let port = FakeSns::start().port();
    let url = format!("http://127.0.0.1:{port}");
    let settings = [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300")];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat(0)).await;
    let line = worker.logged("\"holding").await;
    assert_eq!(line["held"], "service", "{line}");
    assert!(line["error"].as_str().unwrap().starts_with("unreachable: "), "{line}");
    assert!(line["advice"].as_str().unwrap().contains("sns.sns_host"), "{line}");
    assert_eq!(dead_letters(&stand).await, 0);
    let sns = FakeSns::start_on(port);
    sns.record();
    leave_after(stand, &sns, worker, "pm", 1).await;
}

#[tokio::test]
async fn a_throttled_backlog_is_slow_and_not_dead() {
    const EVENTS: usize = 800;
    let (stand, sns) = (Stand::new("throttled-long").await, FakeSns::start());
    sns.record();
    let worker = worker_on(&stand, &sns, &[]).await;
    stand.publish(chat(0)).await;
    accepts(&stand, &sns, "pm", 1).await;
    // At half of all requests, one event of eight would be out of its two retries.
    sns.fail_requests(share(50, 7, RequestFault::THROTTLING));
    stand.publish_all((1..EVENTS).map(chat)).await;
    leave_after(stand, &sns, worker, "pm", EVENTS).await;
}

#[tokio::test]
async fn a_held_topic_parks_what_exceeds_its_share_and_starves_no_other() {
    let (stand, sns) = (Stand::new("parked").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let worker = worker_on(&stand, &sns, &[("AMQP__PREFETCH", "20")]).await;
    stand.publish_all((0..100).map(room)).await;
    stand.publish_all((0..50).map(chat)).await;
    accepts(&stand, &sns, "pm", 50).await;
    let line = worker.logged("\"holding").await;
    assert_eq!(line["held"], stand.topic_arn("muc"), "{line}");
    assert!(line["advice"].as_str().unwrap().contains("create the topic"), "{line}");
    worker.logged("what comes beyond is parked").await;
    // Other ones come through while those that are parked come and go.
    stand.publish_all((50..100).map(chat)).await;
    accepts(&stand, &sns, "pm", 100).await;
    assert_eq!(distinct(&stand, &sns, "muc"), 0);
    sns.heal();
    accepts(&stand, &sns, "muc", 100).await;
    assert_eq!(worker.count("\"holding"), 1, "{:#?}", worker.log());
    assert_eq!(worker.count("going on"), 1, "{:#?}", worker.log());
    assert_eq!(worker.count("is parked"), 1, "{:#?}", worker.log());
    leave_after(stand, &sns, worker, "muc", 100).await;
}

#[tokio::test]
async fn a_parked_event_comes_back_as_it_was() {
    let (stand, sns) = (Stand::new("parked-kept").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let settings = [("AMQP__PREFETCH", "2"), ("SNS__MAX_MESSAGE_BYTES", "1048576")];
    let worker = worker_on(&stand, &sns, &settings).await;
    // The first one waits, so that all others are parked.
    stand.publish(room(0)).await;
    worker.logged("\"holding").await;
    let mut headers = FieldTable::default();
    let mut death = FieldTable::default();
    for (name, value) in [("queue", &*stand.queue()), ("reason", "delivery_limit")] {
        death.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    // With this in its sight, RabbitMQ 3.10 would drop the event when it is to come back.
    headers.insert("x-death".into(), FieldArray::from(vec![death.into()]).into());
    headers.insert("own".into(), 7_i64.into());
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_message_id("parked".into())
        .with_user_id("guest".into())
        .with_expiration("600000".into())
        .with_priority(3)
        .with_headers(headers.clone());
    // SNS will not take it, so that it can be seen again among the dead letters.
    let too_long = Event::groupchat("ann@h", "room@conference.h", &"x".repeat(300_000));
    stand.publish(Event { properties, ..too_long.clone() }.routed("some.key")).await;
    worker.logged("what comes beyond is parked").await;
    has_ready(&stand, &stand.held_queue(), 1).await;
    sns.heal();
    let letter = stand.take_dead_letters(1).await.remove(0);
    assert_eq!(letter.data, too_long.payload);
    assert_eq!(letter.routing_key.as_str(), "some.key");
    for (name, value) in [
        ("exchange", stand.exchange()),
        ("routing-key", "some.key".to_owned()),
        ("queue", stand.queue()),
        ("reason", "rejected".to_owned()),
        ("expiration", "600000".to_owned()),
        ("user-id", "guest".to_owned()),
    ] {
        assert_eq!(header(&letter, &format!("event-pusher-{name}")), Some(value), "{name}");
    }
    let mut foreign = FieldTable::default();
    for (name, value) in letter.properties.headers().iter().flatten() {
        assert!(!name.as_str().contains("parked"), "{name} is left");
        if !name.as_str().starts_with("event-pusher-") && name.as_str() != "x-delivery-count" {
            foreign.insert(name.clone(), value.clone());
        }
    }
    assert_eq!(foreign, headers);
    assert_eq!(*letter.properties.priority(), Some(3));
    assert_eq!(
        letter.properties.message_id().as_ref().map(ToString::to_string),
        Some("parked".to_owned())
    );
    leave_after(stand, &sns, worker, "muc", 1).await;
}

#[tokio::test]
async fn without_a_queue_to_park_in_a_held_topic_says_so_and_loses_nothing() {
    let (stand, sns) = (Stand::new("not-parked").await, FakeSns::start());
    sns.record();
    stand.declare_events_by_hand().await;
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    delete_topic(&stand, &sns, "muc");
    let settings = [("AMQP__PREFETCH", "20"), ("AMQP__DECLARE", "false")];
    let worker = worker_on(&stand, &sns, &settings).await;
    stand.publish_all((0..50).map(room)).await;
    let line = worker.logged("cannot park").await;
    let error = line["error"].as_str().unwrap();
    assert!(error.contains(&stand.held_queue()) && error.contains("create it"), "{error}");
    has_ready(&stand, &stand.queue(), 30).await;
    assert_eq!(worker.count("cannot park"), 1, "{:#?}", worker.log());
    sns.heal();
    leave_after(stand, &sns, worker, "muc", 50).await;
}

#[tokio::test]
async fn where_order_is_kept_nothing_is_parked_and_the_log_says_what_to_do() {
    let (stand, sns) = (Stand::new("ordered-hold").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let settings = [("AMQP__PREFETCH", "20"), ("SNS__ORDERING", "per-key")];
    let worker = worker_on(&stand, &sns, &settings).await;
    // Of different rooms, so that they don't wait for each other.
    let room = |n: usize| Event::groupchat("ann@h", &format!("r{n}@conference.h"), &n.to_string());
    stand.publish_all((0..50).map(room)).await;
    let line = worker.logged("exceeds its share").await;
    assert!(line["message"].as_str().unwrap().contains("a source of its own"), "{line}");
    has_ready(&stand, &stand.queue(), 30).await;
    assert!(!stand.has_queue(&stand.held_queue()).await);
    sns.heal();
    leave_after(stand, &sns, worker, "muc", 50).await;
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

#[tokio::test]
async fn a_hold_is_explained_when_it_begins_from_time_to_time_and_when_it_ends() {
    let (stand, sns) = (Stand::new("explained").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let worker = worker_on(&stand, &sns, &[]).await;
    stand.publish_all((0..25).map(room)).await;
    let begin = worker.logged("\"holding").await;
    let reminder = worker.logged("held still").await;
    for line in [&begin, &reminder] {
        assert_eq!(line["held"], stand.topic_arn("muc"), "{line}");
        assert_eq!(line["scope"], "route", "{line}");
        assert!(line["error"].as_str().unwrap().starts_with("NotFound"), "{line}");
        for field in ["since", "next_probe", "advice"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
    assert_eq!(reminder["waiting"], 24, "all but the one that has probed: {reminder}");
    sns.heal();
    let end = worker.logged("going on").await;
    assert!(end["lasted"].is_string(), "{end}");
    for text in ["\"holding", "held still", "going on"] {
        assert_eq!(worker.count(text), 1, "{text}: {:#?}", worker.log());
    }
    leave_after(stand, &sns, worker, "muc", 25).await;
}

#[tokio::test]
async fn check_knows_where_held_events_are_parked() {
    let stand = Stand::new("check-parking").await;
    Worker::start(&stand).await.stop().await;
    let check = async |settings: &[(&str, &str)]| {
        let program = Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration());
        settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
    };
    let wanted = format!("queue `{}` (quorum)", stand.held_queue());
    assert!(check(&[]).await.line(&wanted).ends_with(": there, as configured"));
    let deleted =
        stand.channel.queue_delete(stand.held_queue().into(), QueueDeleteOptions::default());
    deleted.await.unwrap();
    assert!(check(&[]).await.line(&wanted).ends_with("not there yet; `run` declares it"));
    // It can do without, so that is no problem; how to make it is said.
    let ended = check(&[("AMQP__DECLARE", "false")]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let line = ended.line(&stand.held_queue());
    for part in ["x-dead-letter-exchange \"\"", "x-dead-letter-routing-key", &stand.queue()] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    let ended = check(&[("SNS__ORDERING", "per-key")]).await;
    assert!(!ended.stdout.contains(&stand.held_queue()), "{}", ended.stdout);
    stand.leave_nothing().await;
}

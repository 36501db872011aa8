//! A held topic keeps its share of the prefetch, and the others flow.

use lapin::BasicProperties;
use lapin::options::QueueDeleteOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use super::{accepts, chat, delete_topic, distinct, leave_after, room, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{
    ADMIN, Admin, COUNTS, Event, Program, Scrape, Stand, Worker, header, on_both_brokers,
};

/// Below that of an event without one.
const LOW: (&str, &str) = ("OUTAGE__PARKED_PRIORITY", "0");

/// With arguments, expiry and the way back as RabbitMQ has them.
#[tokio::test]
async fn what_rabbitmq_keeps_of_a_held_topic_comes_round_until_the_topic_is_back() {
    let (stand, sns) = (Stand::new("parked").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let worker = worker_on(&stand, &sns, &[("AMQP__PREFETCH", "20")]).await;
    stand.publish_all((0..100).map(room)).await;
    worker.logged("parking").await;
    for round in 1..4 {
        stand.publish_all((50 * (round - 1)..50 * round).map(chat)).await;
        accepts(&stand, &sns, "pm", 50 * round).await;
    }
    assert_eq!(distinct(&stand, &sns, "muc"), 0);
    sns.heal();
    leave_after(stand, &sns, worker, "muc", 100).await;
}

#[tokio::test]
async fn what_is_parked_is_a_figure_of_its_own() {
    let (stand, sns) = (Stand::new("parked-figure").await, FakeSns::start());
    Worker::create_queue(&stand, &[]).await;
    let parked = Event::new("parked").routed(&stand.held_queue());
    stand.publish_to("", parked).await;
    let worker = worker_on(&stand, &sns, &[ADMIN]).await;
    let shown = |it: &Scrape| it.sum("queue_parked", &["source=\"events\""]) == 1;
    let scrape = Admin::of(&worker).await.shows("a parked event", shown).await;
    assert_eq!(scrape.sum("backlog", &[]), 0, "it is not in the queue");
    worker.stop().await;
    stand.purge(&stand.held_queue()).await;
    stand.leave_nothing().await;
}

async fn what_is_parked_comes_back_as_it_was(stand: Stand) {
    let sns = FakeSns::start();
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let settings = [LOW, ("AMQP__PREFETCH", "2"), ("SNS__MAX_MESSAGE_BYTES", "1048576")];
    let worker = worker_on(&stand, &sns, &settings).await;
    // The first one waits, so that all others are parked.
    stand.publish(room(0)).await;
    worker.logged("held").await;
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
    worker.logged("parking").await;
    stand.has_ready(&stand.held_queue(), 1).await;
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
        // In a dead letter it would pass for RabbitMQ's word.
        let covered = name.as_str().strip_prefix("event-pusher-covered-");
        let name = covered.map_or_else(|| name.clone(), Into::into);
        if !name.as_str().starts_with("event-pusher-") && !COUNTS.contains(&name.as_str()) {
            foreign.insert(name, value.clone());
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

/// The texts of what is in the queue, as it is delivered.
async fn delivered(stand: &Stand, count: usize) -> Vec<String> {
    let text = |body: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].to_string()
    };
    stand.drain(&stand.queue(), count).await.iter().map(|it| text(&it.data)).collect()
}

on_both_brokers! {
    async fn a_parked_event_comes_back_as_it_was(stand: Stand) {
        what_is_parked_comes_back_as_it_was(stand).await;
    }

    /// Before RabbitMQ 4.3 quorum queues have no such priorities.
    async fn parked_events_of_a_low_priority_let_others_pass_where_the_broker_knows_priorities(stand: Stand) {
        let sns = FakeSns::start();
        delete_topic(&stand, &sns, "muc");
        let worker = worker_on(&stand, &sns, &[LOW, ("AMQP__PREFETCH", "2")]).await;
        stand.publish_all((0..6).map(room)).await;
        stand.has_ready(&stand.held_queue(), 5).await;
        worker.stop().await;
        // The one that had its share waits in the queue, and the others come back.
        stand.has_ready(&stand.queue(), 6).await;
        stand.publish_all((6..12).map(chat)).await;
        let delivered = delivered(&stand, 12).await;
        let place = |number: usize| delivered.iter().position(|it| *it == format!("\"{number}\"")).unwrap();
        let last_chat = (6..12).map(place).max().unwrap();
        let first_parked = (1..6).map(place).min().unwrap();
        assert_eq!(first_parked > last_chat, stand.is_newest(), "{delivered:?}");
        stand.leave_nothing().await;
    }
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
    assert!(check(&[]).await.line(&wanted).ends_with(": exists, as configured"));
    let deleted =
        stand.channel.queue_delete(stand.held_queue().into(), QueueDeleteOptions::default());
    deleted.await.unwrap();
    assert!(check(&[]).await.line(&wanted).ends_with("does not exist yet; `run` declares it"));
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

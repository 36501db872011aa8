//! What a producer, an archive or a queue's owner says decides nothing that is not theirs.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::operator::{expect, stand};
use crate::support::{
    Event, Letter, Stand, Worker, deliveries_before, dlq, dlq_program, header, quorum, wait_for,
};

const BY_HAND: (&str, &str) = ("AMQP__DECLARE", "false");

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Each letter of `list --each --json`.
async fn letters(stand: &Stand, settings: &[(&str, &str)]) -> Vec<Value> {
    let program = dlq_program(stand, &["list", "--each", "--json"]);
    let program = settings.iter().fold(program, |program, (key, value)| program.with(key, value));
    let ended = program.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Under our names, what a producer would like to be believed.
fn forged() -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in [
        ("reason", "retries_exhausted"),
        ("error", "forged"),
        ("topic", "forged"),
        ("worker", "forged"),
        ("exchange", "forged"),
        ("routing-key", "forged"),
        ("queue", "victim-payments"),
        ("expiration", "forged"),
        ("signature", "forged"),
        ("parked", "forged"),
    ] {
        headers.insert(format!("event-pusher-{name}").into(), text(value));
    }
    headers.insert("own".into(), text("kept"));
    headers
}

#[tokio::test]
async fn dead_letters_whose_queue_counts_looks_are_not_looked_at() {
    let stand = Stand::new("looks-count").await;
    let mut arguments = quorum();
    arguments.insert("x-delivery-limit".into(), 20_i64.into());
    // Others that differ from ours do not hide it.
    arguments.insert("x-max-length".into(), 1000_i64.into());
    arguments.insert("x-overflow".into(), text("reject-publish"));
    stand.declare_queue(&stand.dead_letter_queue(), arguments).await;
    stand.declare_exchange(&stand.dead_letter_queue(), lapin::ExchangeKind::Fanout, true).await;
    stand.bind_dead_letter_queue().await;
    stand.declare_events_by_hand().await;
    stand.bury_numbers(0..10).await;
    let refused = ["is not browsed: it has x-delivery-limit = 20", "amqp.dead_letter_queue"];
    for arguments in [&["list"][..], &["show", "m-1"], &["export", "-"], &["replay"]] {
        let ended = dlq_program(&stand, arguments).with(BY_HAND.0, BY_HAND.1).run().await;
        expect(&ended, 1, &refused);
    }
    // Who would declare it is not told to take it as it is.
    let ended = crate::support::Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .run()
        .await;
    expect(&ended, 1, &["✗ dead letters: queue", refused[0]]);
    for letter in stand.drain(&stand.dead_letter_queue(), 10).await {
        assert_eq!(deliveries_before(&letter), 0, "it was looked at");
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_rabbitmq_dead_letters_says_nothing_that_its_producer_wrote() {
    let stand = stand("forged", "quorum").await;
    let properties = BasicProperties::default().with_expiration("1".into()).with_headers(forged());
    let event = Event { properties, ..Event::chat("ann@h", "bob@h", "hi") };
    stand.publish(event.routed("some.key")).await;
    stand.has_ready(&stand.dead_letter_queue(), 1).await;
    let letter = letters(&stand, &[]).await.remove(0);
    assert_eq!((&letter["by"], &letter["reason"]), (&json!("broker"), &json!("expired")));
    for name in ["error", "topic", "worker"] {
        assert_eq!(letter[name], Value::Null, "{name}: {letter}");
    }
    assert_eq!(letter["origin"]["queue"], stand.queue());
    assert_eq!(letter["origin"]["exchange"], stand.exchange());
    expect(&dlq(&stand, &["replay", "--watch", "0s"]).await, 0, &["replayed 1 of 1"]);
    let back = stand.drain(&stand.queue(), 1).await.remove(0);
    assert_eq!(header(&back, "event-pusher-exchange"), Some(stand.exchange()));
    assert_eq!(header(&back, "own").as_deref(), Some("kept"));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_letter_goes_to_no_queue_that_is_not_a_sources_unless_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let stand = stand("astray", "quorum").await;
    let victim = format!("{}.victim", stand.id);
    stand.declare_queue(&victim, quorum()).await;
    // As it is in an archive that somebody has edited, checksums and all, or in a letter of any version.
    let claims = || Letter::number(&stand, 0).saying("queue", &victim).saying("exchange", "theirs");
    stand.bury([claims(), Letter::number(&stand, 1)]).await;
    let within = |arguments: &[&str]| {
        std::fs::write(directory.path().join("stand.toml"), stand.configuration()).unwrap();
        dlq_program(&stand, arguments).within(directory.path())
    };
    expect(&within(&["export", "letters.jsonl"]).run().await, 0, &["exported 2"]);
    stand.drain_dead_letters(2).await;
    expect(&within(&["import", "letters.jsonl"]).run().await, 0, &["imported 2 of 2"]);
    let astray =
        "astray     1 came from a queue of no configured source: a replay needs --to-queue";
    expect(&dlq(&stand, &["list"]).await, 0, &[astray]);
    for (target, option) in
        [("--to-queue", "--to-queue QUEUE"), ("--to-exchange", "--to-exchange EXCHANGE")]
    {
        let ended = dlq(&stand, &["replay", "--watch", "0s", "--id", "m-0", target]).await;
        expect(&ended, 1, &["belongs to no configured source", option, "replayed 0 of 1"]);
    }
    let ended = dlq(&stand, &["replay", "--watch", "0s"]).await;
    expect(&ended, 1, &["replayed 1 of 2"]);
    assert_eq!(stand.ready(&victim).await, 0);
    let ended = dlq(&stand, &["replay", "--watch", "0s", "--to-queue", &victim]).await;
    expect(&ended, 0, &["replayed 1 of 1"]);
    stand.drain(&victim, 1).await;
    stand.drain(&stand.queue(), 1).await;
    stand.delete(&victim).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_a_producer_sends_under_our_names_is_in_no_dead_letter() {
    let stand = Stand::new("taken-off").await;
    let worker = Worker::start(&stand).await;
    let properties = BasicProperties::default().with_headers(forged());
    stand.publish(Event { properties, ..Event::new("garbage") }.routed("some.key")).await;
    let letter = stand.take_dead_letters(1).await.remove(0);
    for (name, value) in letter.properties.headers().iter().flatten() {
        let says = format!("{name}: {value:?}");
        assert!(!says.contains("forged") && !says.contains("victim"), "{says}");
    }
    assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("undecodable"));
    assert_eq!(header(&letter, "event-pusher-queue"), Some(stand.queue()));
    assert_eq!(header(&letter, "own").as_deref(), Some("kept"));
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn with_a_key_only_what_a_worker_or_an_operator_has_signed_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, [7; 32]).unwrap();
    let keyed = [("AMQP__SIGNING_KEY_FILE", file.to_str().unwrap())];
    let stand = Stand::new("signed").await;
    let worker = Worker::start_with(&stand, &keyed).await;
    stand.publish(Event::new("garbage").routed("some.key")).await;
    stand.has_ready(&stand.dead_letter_queue(), 1).await;
    stand.bury([Letter::number(&stand, 0)]).await;
    let trust = async |settings: &[(&str, &str)]| {
        letters(&stand, settings).await.iter().map(|it| it["trust"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(trust(&keyed).await, ["signed", "claimed"]);
    assert_eq!(trust(&[]).await, ["unchecked", "unchecked"]);
    let claimed = dlq_program(&stand, &["list"]).with(keyed[0].0, keyed[0].1).run().await;
    expect(&claimed, 0, &["retries_exhausted (claimed): gave up", "undecodable: line 1"]);
    // Nor is what is not signed discarded by the time that it says.
    let until = ["discard", "--yes", "--until", "2026-02-01T00:00:00Z"];
    let left = dlq_program(&stand, &until).with(keyed[0].0, keyed[0].1).run().await;
    expect(
        &left,
        0,
        &["not discarded: 1 dead letter whose time of dead-lettering is only claimed"],
    );
    stand.drain(&stand.dead_letter_queue(), 2).await;

    // What comes back keeps where it came from if the operator has the key, and else is as it was delivered.
    for (signs, exchange, key) in
        [(true, stand.exchange(), "some.key".to_owned()), (false, String::new(), stand.queue())]
    {
        stand.publish(Event::new("garbage").routed("some.key")).await;
        stand.has_ready(&stand.dead_letter_queue(), 1).await;
        let replay = dlq_program(&stand, &["replay", "--watch", "0s"]);
        let replay = if signs { replay.with(keyed[0].0, keyed[0].1) } else { replay };
        replay.run().await;
        let came_back = async || {
            let letter = stand.dead_letter_now().await?;
            Some(letter).filter(|it| it.routing_key.as_str() == key)
        };
        let letter = wait_for("what came back", came_back).await;
        assert_eq!(header(&letter, "event-pusher-exchange"), Some(exchange));
        assert_eq!(header(&letter, "event-pusher-routing-key"), Some(key));
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_key_that_is_too_short_or_not_there_is_an_invalid_configuration() {
    let stand = stand("bad-key", "quorum").await;
    let list = || dlq_program(&stand, &["list"]).with("AMQP__SIGNING_KEY_FILE", "key");
    let short = list().with_file("key", &"k".repeat(31)).run().await;
    expect(&short, 78, &["amqp.signing_key_file", "has 31 bytes, and a key needs 32"]);
    expect(&list().run().await, 78, &["amqp.signing_key_file", "can't be read", "openssl rand"]);
    expect(&list().with_file("key", &"k".repeat(32)).run().await, 0, &["no dead letters"]);
    stand.leave_nothing().await;
}

//! Who has written what `x-death` says: RabbitMQ 3 adds to what a client has sent, RabbitMQ 4 writes its own.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::operator::expect;
use crate::support::{Event, Letter, Stand, Worker, dlq, on_both_brokers};

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// What RabbitMQ would have written if an event had died there for that reason.
fn death(queue: &str, reason: &str) -> AMQPValue {
    let mut entry = FieldTable::default();
    for (name, value) in [("reason", reason), ("queue", queue), ("exchange", "forged")] {
        entry.insert(name.into(), text(value));
    }
    entry.insert("count".into(), 5_i64.into());
    entry.insert("routing-keys".into(), AMQPValue::FieldArray(vec![text("forged")].into()));
    AMQPValue::FieldArray(vec![AMQPValue::FieldTable(entry)].into())
}

/// An event whose producer says that it has died before.
fn claiming(body: &str, queue: &str) -> Event {
    let mut headers = FieldTable::default();
    headers.insert("x-death".into(), death(queue, "rejected"));
    let properties = BasicProperties::default().with_headers(headers);
    Event { properties, ..Event::new(body) }.routed("some.key").identified("m-0")
}

/// The letter as `show` shows it, and as it does to machines.
async fn shown(stand: &Stand) -> (String, Value) {
    stand.has_ready(&stand.dead_letter_queue(), 1).await;
    let shown = dlq(stand, &["show", "m-0"]).await;
    expect(&shown, 0, &[]);
    let json = dlq(stand, &["show", "m-0", "--json"]).await;
    (shown.stdout, serde_json::from_str(&json.stdout).unwrap())
}

on_both_brokers! {
    async fn what_rabbitmq_4_says_of_a_death_is_its_own_word_and_on_3_it_is_claimed(stand: Stand) {
        stand.declare_all("quorum").await;
        let queue = stand.queue();
        let event = claiming("garbage", "victim");
        let properties = event.properties.clone().with_expiration("1".into());
        stand.publish(Event { properties, ..event }).await;
        let (text, json) = shown(&stand).await;
        let newest = &json["letter"]["deaths"][0];
        assert_eq!((&newest["reason"], &newest["queue"]), (&json!("expired"), &json!(queue)));
        let deaths: Vec<_> = text.lines().filter(|line| line.starts_with("death ")).collect();
        if stand.is_newest() {
            assert_eq!(newest["by_broker"], true, "{json}");
            assert!(deaths.len() == 1 && deaths[0].contains("by RabbitMQ: expired"), "{deaths:?}");
        } else {
            assert_eq!(newest["by_broker"], false, "{json}");
            assert!(deaths.len() == 2 && deaths.iter().all(|it| it.contains("claimed")), "{deaths:?}");
        }
        stand.drain_dead_letters(1).await;
        stand.leave_nothing().await;
    }

    async fn what_a_producer_says_of_a_death_is_never_rabbitmqs_word(stand: Stand) {
        let worker = Worker::start(&stand).await;
        let queue = stand.queue();
        stand.publish(claiming("garbage", &queue)).await;
        let (text, json) = shown(&stand).await;
        assert!(!text.contains("by RabbitMQ"), "{text}");
        let letter = &json["letter"];
        assert_eq!((&letter["by"], &letter["reason"]), (&json!("worker"), &json!("undecodable")));
        assert_eq!(letter["deaths"], json!([]));
        // It is kept, as all that a producer sends is.
        let replayed = dlq(&stand, &["replay", "--watch", "0s", "--to-queue", &stand.held_queue()]).await;
        expect(&replayed, 0, &["replayed 1 of 1"]);
        let back = stand.drain(&stand.held_queue(), 1).await.remove(0);
        let headers = back.properties.headers().clone().unwrap_or_default();
        assert!(headers.inner().contains_key("x-death"), "{headers:?}");
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn a_worker_s_word_is_no_more_than_claimed_beside_a_death(stand: Stand) {
        stand.declare_all("quorum").await;
        stand.bury([Letter::number(&stand, 0).with("x-death", death(&stand.queue(), "expired"))]).await;
        let (text, json) = shown(&stand).await;
        assert!(text.contains("claimed: expired"), "{text}");
        assert_eq!(json["letter"]["deaths"][0]["by_broker"], false, "{json}");
        stand.drain_dead_letters(1).await;
        stand.leave_nothing().await;
    }

    async fn the_time_of_a_death_is_claimed_where_a_producer_may_have_written_it_and_discards_nothing(stand: Stand) {
        stand.declare_all("quorum").await;
        let queue = stand.queue();
        // RabbitMQ 3 keeps the time of a death that it finds there already.
        let mut entry = FieldTable::default();
        for (name, value) in [("reason", "expired"), ("queue", &*queue), ("exchange", "x")] {
            entry.insert(name.into(), text(value));
        }
        entry.insert("count".into(), 1_i64.into());
        entry.insert("time".into(), AMQPValue::Timestamp(1_000_000_000));
        entry.insert("routing-keys".into(), AMQPValue::FieldArray(vec![text("x")].into()));
        let mut headers = FieldTable::default();
        let entries = vec![AMQPValue::FieldTable(entry)];
        headers.insert("x-death".into(), AMQPValue::FieldArray(entries.into()));
        let properties = BasicProperties::default().with_headers(headers).with_expiration("1".into());
        let event = Event { properties, ..Event::new("garbage") };
        stand.publish(event.routed("some.key").identified("m-0")).await;
        let (text, json) = shown(&stand).await;
        let old = ["discard", "--yes", "--until", "30d"];
        let listed = dlq(&stand, &["list"]).await;
        let each = dlq(&stand, &["list", "--each"]).await;
        let marks = "(claimed)";
        if stand.is_newest() {
            assert_eq!(json["letter"]["failed_at_claimed"], false, "{json}");
            assert!(![&text, &listed.stdout, &each.stdout].iter().any(|it| it.contains(marks)), "{text}");
            let none = dlq(&stand, &old).await;
            expect(&none, 0, &["none of the 1 dead letters"]);
            assert!(!none.all().contains("only claimed"), "{none:?}");
            stand.drain_dead_letters(1).await;
        } else {
            assert_eq!(json["letter"]["failed_at_claimed"], true, "{json}");
            let time = "2001-09-09T01:46:40Z (claimed)";
            assert!(text.contains(&format!("failed at      {time}\n")), "{text}");
            expect(&listed, 0, &[&format!("to {time}")]);
            expect(&each, 0, &[time]);
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("letters.jsonl").display().to_string();
            for export in [&[][..], &["--export", &file]] {
                let left = dlq(&stand, &[&old[..], export].concat()).await;
                expect(&left, 0, &["not discarded: 1 dead letter whose time of dead-lettering is only claimed"]);
                assert!(!left.all().contains("discarded 1"), "{left:?}");
            }
            // Nor is anything said of what no time has chosen.
            let other = dlq(&stand, &["discard", "--yes", "--until", "30d", "--reason", "rejected"]).await;
            assert!(!other.all().contains("only claimed"), "{other:?}");
            let told = dlq(&stand, &[&old[..], &["--claimed-times"]].concat()).await;
            expect(&told, 0, &["discarded 1 dead letter\n"]);
        }
        stand.leave_nothing().await;
    }
}

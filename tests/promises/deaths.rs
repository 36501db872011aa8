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
}

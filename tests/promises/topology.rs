//! Exchanges, queues and bindings: declared as promised, left alone where they are somebody else's, found again if gone.

mod mismatch;

use lapin::options::{BasicPublishOptions, ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ExchangeKind};
use serde_json::{Value, json};

use crate::support::{Event, Stand, Totals, Worker, binary, wait_for};

const ALICE: &str = "alice@localhost/res1";
const BOB: &str = "bob@localhost/res1";

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Declared with exactly these arguments: with any of them different, RabbitMQ refuses.
async fn check_arguments(stand: &Stand, queue: &str, arguments: &[(&str, AMQPValue)]) {
    let table = |differing: Option<(&str, AMQPValue)>| {
        let mut table = FieldTable::default();
        for (name, value) in arguments.iter().cloned().chain(differing) {
            table.insert(name.into(), value);
        }
        table
    };
    assert_eq!(stand.redeclare_queue(queue, &table(None)).await, None, "{queue}");
    for (name, value) in arguments {
        let other = match (*name, value) {
            ("x-queue-type", it) if *it == text("quorum") => text("classic"),
            ("x-queue-type", _) => text("quorum"),
            (_, AMQPValue::LongLongInt(number)) => (number + 1).into(),
            ("x-overflow", _) => text("drop-head"),
            ("x-dead-letter-strategy", _) => text("at-most-once"),
            _ => text("other"),
        };
        let refusal = stand.redeclare_queue(queue, &table(Some((name, other)))).await;
        let refusal = refusal.unwrap_or_else(|| panic!("{queue} was not declared with {name}"));
        assert!(refusal.contains(&format!("inequivalent arg '{name}'")), "{refusal}");
    }
}

/// Whether an exchange hands a message with this key to some queue.
async fn routes(stand: &Stand, exchange: &str, key: &str) -> bool {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let expired = BasicProperties::default().with_expiration("0".into());
    let (exchange, key) = (exchange.into(), key.into());
    let published = stand.channel.basic_publish(exchange, key, options, b"", expired).await;
    published.unwrap().await.unwrap().take_message().is_none()
}

/// An event goes all the way through.
async fn check_alive(stand: &Stand) {
    stand.publish(Event::presence(ALICE, true)).await;
    stand.receive("presence", 1).await;
}

#[tokio::test]
async fn exchanges_and_queues_are_declared_as_promised() {
    let stand = Stand::new("declared").await;
    Worker::start(&stand).await.stop().await;
    let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
    let arguments = [
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", 20_i64.into()),
        ("x-dead-letter-exchange", text(&dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ];
    check_arguments(&stand, &queue, &arguments).await;
    let never = 1_000_000_000_i64;
    let unlimited = [("x-queue-type", text("quorum")), ("x-delivery-limit", never.into())];
    check_arguments(&stand, &dead, &unlimited).await;
    let exchange = stand.redeclare_exchange(&stand.exchange(), ExchangeKind::Topic, true).await;
    assert_eq!(exchange, None);
    assert_eq!(stand.redeclare_exchange(&dead, ExchangeKind::Fanout, true).await, None);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn classic_queues_are_declared_where_they_are_asked_for() {
    let stand = Stand::new("classic").await;
    let worker = Worker::start_with(&stand, &[("AMQP__QUEUE_TYPE", "classic")]).await;
    check_alive(&stand).await;
    stand.publish(Event::new("garbage")).await;
    stand.take_dead_letters(1).await;
    worker.stop().await;
    let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
    let classic = ("x-queue-type", text("classic"));
    let arguments = [classic.clone(), ("x-dead-letter-exchange", text(&dead))];
    check_arguments(&stand, &queue, &arguments).await;
    check_arguments(&stand, &dead, &[classic]).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_must_not_be_declared_is_waited_for() {
    let stand = Stand::new("awaited").await;
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__DECLARE", "false")]);
    let missing = format!("no exchange '{}'", stand.dead_letter_queue());
    let line = worker.logged("not_consuming").await["error"].to_string();
    assert!(line.contains(&missing), "{line}");
    stand.declare_dead_letters_by_hand().await;
    let line = worker.logged_times("not_consuming", 2).await["error"].to_string();
    assert!(line.contains(&format!("no exchange '{}'", stand.exchange())), "{line}");
    stand.declare_events_by_hand().await;
    worker.logged("consuming").await;
    assert_eq!(worker.count("not_consuming"), 2, "{:#?}", worker.log());
    check_alive(&stand).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_topology_that_is_not_ours_is_taken_as_it_is() {
    let stand = Stand::new("foreign").await;
    stand.declare_queue(&stand.queue(), FieldTable::default()).await;
    stand.declare_exchange(&stand.exchange(), ExchangeKind::Direct, false).await;
    stand.bind(&stand.queue(), &stand.exchange(), "test").await;
    stand.declare_dead_letters_by_hand().await;
    let worker = Worker::start_with(&stand, &[("AMQP__DECLARE", "false")]).await;
    check_alive(&stand).await;
    worker.stop().await;
    assert!(!routes(&stand, &stand.exchange(), "other").await, "the worker has bound its queue");
    assert!(!routes(&stand, &stand.dead_letter_queue(), "").await, "the worker has bound a queue");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn rabbitmqs_own_exchange_can_be_a_source() {
    let stand = Stand::new("amq").await;
    let key = format!("{}.presence", stand.id);
    let settings = [
        ("AMQP__SOURCES__EVENTS__EXCHANGE", "amq.topic"),
        // It is durable, but whoever can't declare it need not know that.
        ("AMQP__SOURCES__EVENTS__EXCHANGE_DURABLE", "false"),
        ("AMQP__SOURCES__EVENTS__ROUTING_KEYS", &*key),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_to("amq.topic", Event::presence(ALICE, true).routed(&key)).await;
    stand.receive("presence", 1).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again_and_consumed() {
    let stand = Stand::new("deleted").await;
    let worker = Worker::start(&stand).await;
    check_alive(&stand).await;
    worker.settles(1).await;
    let options = QueueDeleteOptions::default();
    stand.channel.queue_delete(stand.queue().as_str().into(), options).await.unwrap();
    let line = worker.logged("not_consuming").await["error"].to_string();
    let deleted = "was cancelled: the queue was deleted";
    assert!(line.contains(&stand.queue()) && line.contains(deleted), "{line}");
    let again = async || (worker.count("consuming") == 2).then_some(());
    wait_for("the worker to consume again", again).await;
    check_alive(&stand).await;
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(2), "{exit:?}");
    stand.leave_nothing().await;
}

/// As MongooseIM publishes: two properties less than none, and keys that tell the kind.
fn mongooseim(key: &str, payload: &Value) -> Event {
    Event::json(payload).routed(key)
}

/// Each of its three exchanges is a source of its own, non-durable as it declares them.
#[tokio::test]
async fn mongooseims_exchanges_are_consumed_as_it_declared_them() {
    let stand = Stand::new("mongooseim").await;
    let names = ["presence", "chat_msg", "groupchat_msg"].map(|it| format!("{}.{it}", stand.id));
    let mut settings = vec![("AMQP__SOURCES__EVENTS__EXCHANGE".to_owned(), names[0].clone())];
    for (source, exchange) in ["EVENTS", "CHAT", "GROUPCHAT"].into_iter().zip(&names) {
        stand.declare_exchange(exchange, ExchangeKind::Topic, false).await;
        let mut set = |key: &str, value: &str| {
            settings.push((format!("AMQP__SOURCES__{source}__{key}"), value.to_owned()));
        };
        set("EXCHANGE_DURABLE", "false");
        if source != "EVENTS" {
            set("EXCHANGE", exchange);
            set("QUEUE", &format!("{exchange}.queue"));
        }
    }
    let settings: Vec<_> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
    let worker = Worker::start_with(&stand, &settings).await;
    let consuming = async || (worker.count("consuming") == 3).then_some(());
    wait_for("three sources to be consumed", consuming).await;

    let presence = json!({"user_id": ALICE, "present": true});
    let message = |to: &str| json!({"to_user_id": to, "message": "hi", "from_user_id": ALICE});
    let (chat, groupchat) = (message(BOB), message("room@conference.localhost"));
    for (exchange, key, payload) in [
        (&names[0], "alice@localhost", &presence),
        (&names[1], "alice@localhost.chat_msg_sent", &chat),
        (&names[1], "bob@localhost.chat_msg_recv", &chat),
        (&names[2], "alice@localhost.groupchat_msg_sent", &groupchat),
        (&names[2], "bob@localhost.groupchat_msg_recv", &groupchat),
    ] {
        stand.publish_to(exchange, mongooseim(key, payload)).await;
    }
    worker.settles(5).await;
    let expected = json!({"user_id": "alice@localhost", "present": true});
    assert_eq!(stand.receive("presence", 1).await[0].json(), expected);
    for (topic, to) in [("pm", "bob@localhost"), ("muc", "room@conference.localhost")] {
        let expected =
            json!({"from_user_id": "alice@localhost", "to_user_id": to, "message": "hi"});
        assert_eq!(stand.receive(topic, 1).await[0].json(), expected);
        assert!(stand.received_now(topic).await.is_empty());
    }
    let exit = worker.stop().await;
    let totals = Totals { received: 5, published: 3, skipped: 2, ..Totals::default() };
    assert_eq!((exit.totals(), exit.reasons()), (totals, "received 2"), "{exit:?}");
    for exchange in &names {
        assert_eq!(stand.redeclare_exchange(exchange, ExchangeKind::Topic, false).await, None);
        let options = ExchangeDeleteOptions::default();
        stand.channel.exchange_delete(exchange.as_str().into(), options).await.unwrap();
        let (queue, options) = (format!("{exchange}.queue"), QueueDeleteOptions::default());
        let left = stand.channel.queue_delete(queue.into(), options);
        assert_eq!(left.await.unwrap(), 0);
    }
    stand.leave_nothing().await;
}

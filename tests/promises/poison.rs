//! Messages that RabbitMQ takes and an AMQP client can't read: each ends once, and stops nobody.

mod dead_letters;

use lapin::message::Delivery;
use lapin::types::AMQPValue;
use serde_json::json;

use crate::support::raw::{Raw, RawPublisher, entry, long, nested};
use crate::support::{Event, Stand, Worker, header};

/// A message and how it has to end.
struct Poison {
    name: String,
    message: Raw,
    ends: Ends,
}

enum Ends {
    Published,
    /// As undecodable, with this in the error, and these bytes in this header of ours.
    Dead(&'static str, &'static str, Vec<u8>),
}

/// An event that names itself, so that it is found again whatever its properties are.
fn event(name: &str) -> Raw {
    let user = format!("{name}@localhost");
    Raw::new(json!({"type": "presence", "user_id": user, "present": true}).to_string())
}

fn published(name: &str, make: impl FnOnce(Raw) -> Raw) -> Poison {
    Poison { name: name.to_owned(), message: make(event(name)), ends: Ends::Published }
}

fn dead(
    name: &str,
    error: &'static str,
    original: (&'static str, &[u8]),
    make: impl FnOnce(Raw) -> Raw,
) -> Poison {
    let (header, bytes) = original;
    let ends = Ends::Dead(error, header, bytes.to_vec());
    Poison { name: name.to_owned(), message: make(event(name)), ends }
}

fn all() -> Vec<Poison> {
    let cut = ["k".repeat(254).as_bytes(), "ü".as_bytes()].concat()[..255].to_vec();
    let name = entry(b"\xff", b'S', &long(b"text"));
    let inner = entry(b"table", b'F', &long(&name));
    let giant = entry(b"giant", b'F', &long(&nested(b'F', 18_000)));
    vec![
        dead("message_id", "message_id is not UTF-8", ("message-id", b"\xff"), |it| {
            it.with("message_id", b"\xff")
        }),
        dead("content_type", "content_type is not UTF-8", ("content-type", b"a\xc3"), |it| {
            it.with("content_type", b"a\xc3")
        }),
        dead("key", "the routing key is not UTF-8", ("routing-key", b"k\xff"), |it| {
            it.routed(b"k\xff")
        }),
        dead("cut-key", "cut at 255 bytes", ("routing-key", &cut), |it| it.routed(&cut)),
        dead("header", "a header's name is not UTF-8", ("headers", &name), |it| {
            it.with_headers(&name)
        }),
        published("content_encoding", |it| it.with("content_encoding", b"\xff")),
        published("correlation_id", |it| it.with("correlation_id", b"\xff")),
        published("reply_to", |it| it.with("reply_to", b"\xff")),
        published("type", |it| it.with("type", b"\xff")),
        published("app_id", |it| it.with("app_id", b"\xff")),
        published("cluster_id", |it| it.with("cluster_id", b"\xff")),
        published("inner-name", |it| it.with_headers(&inner)),
        published("tables", |it| it.with_headers(&nested(b'F', 3_000))),
        published("lists", |it| it.with_headers(&nested(b'A', 5_000))),
        published("giant", |it| it.with_headers(&giant)),
    ]
}

fn original(letter: &Delivery, name: &str) -> Option<Vec<u8>> {
    let headers = letter.properties.headers().as_ref()?;
    match headers.inner().get(format!("event-pusher-original-{name}").as_str())? {
        AMQPValue::ByteArray(bytes) => Some(bytes.as_slice().to_vec()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_byte_of_a_producer_stops_a_worker_and_each_poison_ends_once() {
    poison_ends_once(Stand::new("poison").await).await;
}

/// On whatever broker the stand is.
async fn poison_ends_once(stand: Stand) {
    let worker = Worker::start(&stand).await;
    let mut publisher = RawPublisher::connect(&stand.amqp_uri).await;
    let (poison, exchange) = (all(), stand.exchange());
    for (number, bad) in poison.iter().enumerate() {
        publisher.publish(&exchange, &bad.message).await;
        stand.publish(Event::chat("a@localhost", "b@localhost", &number.to_string())).await;
    }
    let mut innocents: Vec<_> = stand.receive("pm", poison.len()).await;
    innocents.sort_by_key(|it| it.json()["message"].as_str().unwrap().parse::<usize>().unwrap());
    for (number, innocent) in innocents.iter().enumerate() {
        assert_eq!(innocent.json()["message"], number.to_string());
    }
    worker.settles(2 * poison.len()).await;

    let is_published = |bad: &&Poison| matches!(bad.ends, Ends::Published);
    let mut expected: Vec<_> = poison.iter().filter(is_published).map(|it| &it.name).collect();
    let received = stand.receive("presence", expected.len()).await;
    let mut users: Vec<_> = received.iter().map(|it| it.json()["user_id"].to_string()).collect();
    expected.sort();
    users.sort();
    let names: Vec<_> = expected.iter().map(|name| format!("\"{name}@localhost\"")).collect();
    assert_eq!(users, names);
    assert!(stand.received_now("presence").await.is_empty(), "something was published twice");

    let letters = stand.take_dead_letters(poison.len() - expected.len()).await;
    assert!(stand.dead_letter_now().await.is_none(), "a dead letter too many");
    for bad in &poison {
        let Ends::Dead(error, name, bytes) = &bad.ends else { continue };
        let letter = letters.iter().find(|letter| letter.data == bad.message.body);
        let letter = letter.unwrap_or_else(|| panic!("{} is not dead", bad.name));
        assert_eq!(header(letter, "event-pusher-reason").as_deref(), Some("undecodable"));
        let told = header(letter, "event-pusher-error").unwrap();
        assert!(told.contains(error), "{}: {told}", bad.name);
        assert_eq!(original(letter, name).as_ref(), Some(bytes), "{}", bad.name);
    }
    let exit = worker.stop().await;
    assert!(exit.status.success() && exit.report.ends_with("0 handed back"), "{}", exit.report);
    stand.leave_nothing().await;
}

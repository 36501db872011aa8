//! Every kind of poison that a producer can send, and how each has to end.

use serde_json::json;

use crate::support::raw::{Raw, RawDelivery, entry, long, nested};

/// Stands in whatever a producer forges.
const FORGED: &str = "forged-by-a-producer";

/// The original ones of a dead letter, as a whole.
const HEADERS: &str = "event-pusher-original-headers";

/// A body of more bytes than SNS takes.
const TOO_MANY: usize = 262_145;

/// A kind of message and how it has to end.
pub struct Poison {
    pub name: &'static str,
    /// All but its body.
    template: Raw,
    /// Of a user, by whom it is found again whatever its properties are.
    body: fn(&str) -> Vec<u8>,
    pub ends: Ends,
}

pub enum Ends {
    /// Behind the topic of presences.
    Published,
    Dead(Letter),
}

/// What a dead letter must say.
pub struct Letter {
    pub reason: &'static str,
    /// Part of the error.
    error: &'static str,
    /// Headers, byte for byte.
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Poison {
    pub fn message(&self, user: &str) -> Raw {
        self.template.clone().carrying((self.body)(&format!("{user}@localhost")))
    }

    fn with_body(self, body: fn(&str) -> Vec<u8>) -> Self {
        Self { body, ..self }
    }
}

impl Letter {
    /// What of it is not in a dead letter, or more than should be.
    pub fn misses(&self, letter: &RawDelivery) -> Option<String> {
        let (reason, error) = ("event-pusher-reason", "event-pusher-error");
        let error = letter.text(error).unwrap_or_default();
        if letter.text(reason).as_deref() != Some(self.reason) || !error.contains(self.error) {
            return Some(format!(
                "its error is {error:?}, not {:?}: {:?}",
                self.reason, self.error
            ));
        }
        // RabbitMQ puts its count of deliveries in front of the headers of what it delivers again.
        let differs = |(name, bytes): &&(&str, Vec<u8>)| {
            letter.header(name).is_none_or(|found| match *name {
                HEADERS => !found.ends_with(bytes),
                _ => found != *bytes,
            })
        };
        if let Some((name, _)) = self.headers.iter().find(differs) {
            return Some(format!("its header {name} is {:?}", letter.header(name)));
        }
        letter.says(FORGED.as_bytes()).then(|| "it says what its producer forged".to_owned())
    }
}

fn presence(user: &str) -> Vec<u8> {
    json!({"type": "presence", "user_id": user, "present": true}).to_string().into()
}

fn cut(user: &str) -> Vec<u8> {
    format!(r#"{{"type":"presence","user_id":"{user}","pres"#).into()
}

fn too_large(user: &str) -> Vec<u8> {
    let text = "x".repeat(TOO_MANY);
    json!({"type": "chat", "from_user_id": user, "to_user_id": "b@localhost", "message": text})
        .to_string()
        .into()
}

fn published(name: &'static str, make: impl FnOnce(Raw) -> Raw) -> Poison {
    Poison { name, template: make(Raw::new("")), body: presence, ends: Ends::Published }
}

fn dead(name: &'static str, error: &'static str, make: impl FnOnce(Raw) -> Raw) -> Poison {
    let ends = Ends::Dead(Letter { reason: "undecodable", error, headers: vec![] });
    Poison { name, template: make(Raw::new("")), body: presence, ends }
}

/// With these bytes in that header of the dead letter.
fn keeps(poison: Poison, name: &'static str, bytes: &[u8]) -> Poison {
    let Ends::Dead(mut letter) = poison.ends else { panic!("{} is not dead", poison.name) };
    letter.headers.push((name, bytes.to_vec()));
    Poison { ends: Ends::Dead(letter), ..poison }
}

pub fn all() -> Vec<Poison> {
    let mut all = undecodable();
    all.extend(harmless());
    all.extend(forging());
    let too_large = dead("body", "262", |it| it).with_body(too_large);
    all.push(because(too_large, "too_large"));
    all
}

fn because(poison: Poison, reason: &'static str) -> Poison {
    let Ends::Dead(letter) = poison.ends else { panic!("{} is not dead", poison.name) };
    Poison { ends: Ends::Dead(Letter { reason, ..letter }), ..poison }
}

fn undecodable() -> Vec<Poison> {
    let cut = ["k".repeat(254).as_bytes(), "ü".as_bytes()].concat()[..255].to_vec();
    let name = entry(b"\xff", b'S', &long(b"text"));
    let names: Vec<_> = (0..65_u8).flat_map(|it| entry(&[0xff, it], b'V', b"")).collect();
    let wide = entry(b"wide", b'S', &long(&b"x".repeat(125_000)));
    let many: Vec<_> =
        (0..9_000).flat_map(|it| entry(format!("n{it}").as_bytes(), b'I', &[0; 4])).collect();
    vec![
        dead("many", "its headers have more than 1000 entries", |it| it.with_headers(&many)),
        keeps(
            dead("message_id", "message_id is not UTF-8", |it| it.with("message_id", b"\xff")),
            "event-pusher-original-message-id",
            b"\xff",
        ),
        keeps(
            dead("content_type", "content_type is not UTF-8", |it| {
                it.with("content_type", b"a\xc3")
            }),
            "event-pusher-original-content-type",
            b"a\xc3",
        ),
        keeps(
            dead("key", "the routing key is not UTF-8", |it| it.routed(b"k\xff")),
            "event-pusher-original-routing-key",
            b"k\xff",
        ),
        keeps(
            dead("cut-key", "cut at 255 bytes", |it| it.routed(&cut)),
            "event-pusher-original-routing-key",
            &cut,
        ),
        keeps(
            dead("header", "a header's name is not UTF-8", |it| it.with_headers(&name)),
            HEADERS,
            &name,
        ),
        dead("names", "its properties are not as AMQP has them", |it| it.with_headers(&names)),
        // What does not fit into a frame beside ours is left out by name.
        keeps(
            dead("key-and-giant", "the routing key is not UTF-8", |it| {
                it.routed(b"k\xff").with_headers(&wide)
            }),
            "event-pusher-dropped-headers",
            b"wide",
        ),
    ]
}

/// Properties that no event is read by. Of what is nested more deeply RabbitMQ itself makes seconds of work, each time.
fn harmless() -> Vec<Poison> {
    let inner = entry(b"table", b'F', &long(&entry(b"\xff", b'S', &long(b"text"))));
    let giant = [entry(b"giant", b'S', &long(&b"x".repeat(100_000))), nested(b'F', 100)].concat();
    let wide = entry(b"wide", b'S', &long(&b"x".repeat(130_000)));
    vec![
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
        published("wide", |it| it.with_headers(&wide)),
    ]
}

/// Under our names, what a producer would like to be believed.
fn forging() -> Vec<Poison> {
    let names = [
        "reason",
        "error",
        "topic",
        "worker",
        "exchange",
        "routing-key",
        "queue",
        "expiration",
        "user-id",
        "parked",
        "original-message-id",
        "dropped-headers",
        "signature",
    ];
    let header =
        |name| entry(format!("event-pusher-{name}").as_bytes(), b'S', &long(FORGED.as_bytes()));
    let forged: Vec<_> = names.into_iter().flat_map(header).collect();
    vec![
        published("forged", |it| it.with_headers(&forged)),
        dead("forged-and-cut", "EOF", |it| it.with_headers(&forged)).with_body(cut),
        keeps(
            dead("forged-and-message_id", "message_id is not UTF-8", |it| {
                it.with("message_id", b"\xff").with_headers(&forged)
            }),
            "event-pusher-original-message-id",
            b"\xff",
        ),
    ]
}

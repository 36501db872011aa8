//! Validates `[amqp]`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::amqp_uri::AmqpUri;
use super::key::{Key, Origin};
use super::reader::Reader;
use super::settings::{
    Amqp, ExchangeType, Format, Ordering, Outage, Parking, QueueType, Sns, Source, Tls,
};
use super::value::texts;
use crate::limits::{LEAST_IN_FLIGHT_BYTES, LONGEST_LETTER_WAIT};

/// AMQP's limit for names and routing keys, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// What a source's queue for parked events is called after its queue.
const HELD: &str = ".held";

/// Parked events come round as often as a held topic is probed, but not as fast as the broker can.
const SHORTEST_PARKING: Duration = Duration::from_millis(100);

pub(super) fn amqp(read: &mut Reader, sns: &Sns, outage: &Outage) -> Amqp {
    let parking = (sns.ordering == Ordering::None).then(|| outage.probe_max.max(SHORTEST_PARKING));
    let prefetch = read.number("amqp.prefetch", 0..=i64::from(u16::MAX), "AMQP counts up to there");
    let prefetch = if prefetch == 0 { chosen_prefetch(sns) } else { prefetch };
    let dead_letters_per_second = dead_letter_rate(read, prefetch);
    let dead_letter_queue = queue_name(read, &Key::from("amqp.dead_letter_queue"));
    Amqp {
        uris: uris(read),
        tls: tls(read),
        declare: read.flag(&Key::from("amqp.declare")),
        queue_type: read.choice(
            &Key::from("amqp.queue_type"),
            &[("quorum", QueueType::Quorum), ("classic", QueueType::Classic)],
        ),
        delivery_limit: read.number(
            "amqp.delivery_limit",
            1..=1_000_000,
            "0 would dead-letter every event",
        ),
        prefetch,
        max_in_flight_bytes: read.number(
            "amqp.max_in_flight_bytes",
            LEAST_IN_FLIGHT_BYTES..=1 << 40,
            "the largest event that SNS takes must have room",
        ),
        dead_letters_per_second,
        dead_letter_exchange: name(read, &Key::from("amqp.dead_letter_exchange")),
        sources: sources(read, &dead_letter_queue, parking),
        signing_key_file: read.path("amqp.signing_key_file"),
        signing_key: None,
        dead_letter_queue,
    }
}

/// A delivery waits until its dead letter may be written, and the broker takes it away when that takes too long.
fn dead_letter_rate(read: &mut Reader, prefetch: u16) -> Option<f64> {
    let key = "amqp.dead_letters_per_second";
    let rate = read.fraction(key, 0.0..=1_000_000.0, "it is a rate; 0 is no limit");
    let wait = f64::from(prefetch) / rate;
    if rate > 0.0 && wait > LONGEST_LETTER_WAIT {
        let wrong = format!(
            "makes the last of {prefetch} unacknowledged deliveries wait for {wait:.0} s, and RabbitMQ \
             takes a delivery away after 1800"
        );
        read.problem(&Key::from(key), wrong, "raise it, or lower amqp.prefetch");
    }
    Some(rate).filter(|rate| *rate > 0.0)
}

/// Half as much again as what all requests can hold, so that they stay full while
/// acknowledgements are on their way. Where order is kept, three times that: much of it waits for
/// its turn, and only what is at the front of a key can fill a request.
fn chosen_prefetch(sns: &Sns) -> u16 {
    let in_requests = u32::from(sns.pool_size) * u32::from(sns.batch_max_entries);
    let ordered = sns.ordering == Ordering::PerKey;
    let halves = if ordered { 9 } else { 3 };
    u16::try_from(in_requests * halves / 2).unwrap_or(u16::MAX).max(1)
}

fn uris(read: &mut Reader) -> Vec<AmqpUri> {
    let (one, many) = (Key::from("amqp.uri"), Key::from("amqp.uris"));
    read.has_form(&one, "^amqps?://");
    read.has_form(&many, "^amqps?://");
    let uri = read.optional(&one);
    let uris = read.list(&many);
    let (key, texts) = match (uri, uris.is_empty()) {
        (Some(_), false) => {
            let origin =
                read.setting(&one).map(|it| Origin::of(it).to_string()).unwrap_or_default();
            let wrong = format!("stands beside amqp.uri ({origin}), which it replaces");
            read.problem(&many, wrong, "keep one of them; an empty amqp.uri counts as unset");
            return Vec::new();
        }
        (Some(uri), true) => (one, vec![uri]),
        (None, false) => (many, uris),
        (None, true) => {
            read.problem(
                &one,
                "is unset, so there is no broker to take events from",
                "set it, or amqp.uris",
            );
            return Vec::new();
        }
    };
    let mut parsed = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match AmqpUri::parse(text) {
            Ok(uri) => parsed.push(uri),
            Err(wrong) => {
                let which = if key.last() == "uris" {
                    format!("in its entry {}, ", index + 1)
                } else {
                    String::new()
                };
                read.problem(
                    &key,
                    format!("{which}{wrong}"),
                    "write amqp://user:password@host:port/vhost, or amqps:// for TLS, with every special character \
                     in user, password and vhost escaped: the default vhost \"/\" is %2f",
                );
            }
        }
    }
    parsed
}

fn tls(read: &mut Reader) -> Tls {
    let tls = Tls {
        ca_file: read.path("amqp.ca_file"),
        cert_file: read.path("amqp.cert_file"),
        key_file: read.path("amqp.key_file"),
    };
    let (cert, key) = (Key::from("amqp.cert_file"), Key::from("amqp.key_file"));
    let pair = match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => Some((key, cert)),
        (None, Some(_)) => Some((cert, key)),
        _ => None,
    };
    if let Some((unset, given)) = pair.filter(|_| read.sound(&["amqp.cert_file", "amqp.key_file"]))
    {
        read.problem(&unset, format!("is unset, but {given} is given"), "set both or neither");
    }
    tls
}

fn sources(read: &mut Reader, dead_letter_queue: &str, parking: Option<Duration>) -> Vec<Source> {
    let group = Key::from("amqp.sources");
    let mut queues: BTreeMap<String, Key> = BTreeMap::new();
    queues.insert(dead_letter_queue.to_owned(), Key::from("amqp.dead_letter_queue"));
    let mut sources = Vec::new();
    for name in read.names_in(&group) {
        let key = group.child(&name);
        let source = source(read, &key, name, parking);
        let queue = key.child("queue");
        if let Some(other) = queues.get(&source.queue) {
            let wrong = format!("is {other} as well");
            read.problem(&queue, wrong, "give every source a queue of its own");
        } else {
            queues.insert(source.queue.clone(), queue);
        }
        sources.push(source);
    }
    for Source { queue, parking, .. } in &sources {
        if let Some(key) = parking.as_ref().and_then(|parking| queues.get(&parking.queue)) {
            let wrong =
                format!("is where events of `{queue}` are parked while their topic is held");
            read.problem(key, wrong, "give it another name");
        }
    }
    sources
}

fn source(read: &mut Reader, key: &Key, source_name: String, parking: Option<Duration>) -> Source {
    let exchange_type = read.choice(
        &key.child("exchange_type"),
        &[
            ("topic", ExchangeType::Topic),
            ("direct", ExchangeType::Direct),
            ("fanout", ExchangeType::Fanout),
            ("headers", ExchangeType::Headers),
        ],
    );
    let queue_key = key.child("queue");
    let queue = queue_name(read, &queue_key);
    if (MAX_NAME_BYTES - HELD.len() + 1..=MAX_NAME_BYTES).contains(&queue.len()) {
        let wrong = format!("leaves no room for `{HELD}`, which is added for a second queue");
        read.problem(&queue_key, wrong, "shorten it to 250 bytes");
    }
    Source {
        name: source_name,
        exchange: name(read, &key.child("exchange")),
        exchange_type,
        exchange_durable: read.flag(&key.child("exchange_durable")),
        routing_keys: routing_keys(read, &key.child("routing_keys"), exchange_type),
        parking: parking.map(|time| Parking { queue: format!("{queue}{HELD}"), time }),
        queue,
        format: read.choice(&key.child("format"), &Format::NAMED),
    }
}

fn routing_keys(read: &mut Reader, key: &Key, exchange_type: ExchangeType) -> Vec<String> {
    let keys = read.list(key);
    if keys.is_empty() && matches!(exchange_type, ExchangeType::Topic | ExchangeType::Direct) {
        let wrong = format!(
            "is empty, so that a {} exchange would hand nothing on",
            exchange_type.as_str()
        );
        read.problem(key, wrong, "give at least one; \"#\" is everything in a topic exchange");
    }
    if keys.iter().any(|key| key.len() > MAX_NAME_BYTES) {
        read.problem(
            key,
            "has a routing key of more than 255 bytes, which is AMQP's limit",
            "shorten it",
        );
    }
    keys
}

/// An exchange's name. `amq.topic` and its like are allowed: they are there already.
fn name(read: &mut Reader, key: &Key) -> String {
    let name = read.setting(key).map(texts).unwrap_or_default().concat();
    if name.is_empty() {
        read.problem(key, "is empty", "give a name, or leave the key out for its default");
    } else if name.len() > MAX_NAME_BYTES {
        read.problem(
            key,
            "has more than 255 bytes, which is AMQP's limit for a name",
            "shorten it",
        );
    }
    name
}

fn queue_name(read: &mut Reader, key: &Key) -> String {
    let name = name(read, key);
    if name.starts_with("amq.") {
        read.problem(key, "begins with `amq.`, which is the broker's own", "give it another name");
    }
    name
}

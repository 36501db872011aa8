//! The origin of an event that has been parked, replayed or sorted.
//!
//! What was parked, or replayed from the dead letters, comes through the default exchange,
//! with the queue's name for its routing key; what a worker has sorted, through the source's exchange for that. Headers have kept what the
//! producer chose; formats, dead letters and deduplication go by that.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::amqp_message::value as value_of;
use crate::headers::{
    EXCHANGE, OF_A_DEAD_LETTER, ORDER_KEY, PREFIX, PRIORITY, REPLAY_ID, REPLAYS, ROUTING_KEY,
    SIGNATURE,
};
use crate::limits::{LONGEST_REPLAY_ID, LONGEST_SHORT};
use crate::priority::OriginalPriority;
use crate::signature::SigningKey;

/// Exchange and routing key as the producer chose them. `None`: as they were delivered. One that is sorted has come by the exchange for that.
pub(in crate::rabbitmq) fn origin<'a>(
    exchange: &str,
    routing_key: &str,
    properties: &'a BasicProperties,
    (queue, is_sorted): (&str, bool),
) -> Option<(&'a str, &'a str)> {
    // The default exchange has no name; most deliveries come through another.
    let came_back = exchange.is_empty() && routing_key == queue;
    if !came_back && !is_sorted {
        return None;
    }
    let headers = properties.headers().as_ref()?;
    // Anybody can write such headers; no exchange or routing key is longer than AMQP has room for.
    let name = |header: &str| match headers.into_iter().find(|(it, _)| it.as_str() == header)?.1 {
        AMQPValue::LongString(text) => {
            std::str::from_utf8(text.as_bytes()).ok().filter(|text| text.len() <= LONGEST_SHORT)
        }
        _ => None,
    };
    Some((name(EXCHANGE)?, name(ROUTING_KEY)?))
}

/// Takes away headers that only a worker or a replay writes, where somebody else did. With a key they are believed if
/// they are signed; without one, where an event `came_back`, but for what only a dead letter has. A replay through an
/// exchange leaves nothing but its number, its count and the event's own priority, in their form.
pub(in crate::rabbitmq) fn take_forged(
    properties: &mut BasicProperties,
    came_back: bool,
    key: Option<&SigningKey>,
) -> bool {
    let is_ours = |name: &str| name.starts_with(PREFIX);
    let Some(headers) = properties.headers() else { return false };
    if !headers.into_iter().any(|(name, _)| is_ours(name.as_str())) {
        return false;
    }
    let signed = key.map(|key| is_signed(properties, key));
    let believed = came_back && signed != Some(false);
    let keeps = |name: &str, value: &AMQPValue| match signed {
        _ if !is_ours(name) => true,
        _ if OF_A_DEAD_LETTER.contains(&name) => false,
        _ if name == SIGNATURE || name == ORDER_KEY => false,
        Some(signed) => signed,
        None => came_back || is_of_a_replay(name, value),
    };
    let kept = headers.into_iter().filter(|(name, value)| keeps(name.as_str(), value));
    let mut left = FieldTable::default();
    for (name, value) in kept {
        left.insert(name.clone(), value.clone());
    }
    *properties = std::mem::take(properties).with_headers(left);
    believed
}

fn is_of_a_replay(name: &str, value: &AMQPValue) -> bool {
    match (name, value) {
        (REPLAYS, AMQPValue::LongLongInt(count)) => *count >= 0,
        (REPLAY_ID, AMQPValue::LongString(id)) => {
            let plain = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'.';
            id.as_bytes().len() <= LONGEST_REPLAY_ID && id.as_bytes().iter().all(plain)
        }
        (PRIORITY, AMQPValue::LongString(priority)) => original_priority(priority).is_some(),
        _ => false,
    }
}

/// The priority that was put by in a header, if it is one: anybody can write such a header.
pub(in crate::rabbitmq) fn original_priority(text: &LongString) -> Option<OriginalPriority> {
    std::str::from_utf8(text.as_bytes()).ok()?.parse().ok()
}

fn is_signed(properties: &BasicProperties, key: &SigningKey) -> bool {
    let Some(headers) = properties.headers() else { return false };
    let Some(signature) = bytes(headers, SIGNATURE) else { return false };
    let id = properties.message_id().as_ref().map(ShortString::as_str);
    key.verifies(&signature, |name| bytes(headers, name), id)
}

/// Signs what is ours of these headers, if there is a key.
pub(in crate::rabbitmq) fn sign(
    headers: &mut FieldTable,
    message_id: Option<&str>,
    key: Option<&SigningKey>,
) {
    let Some(key) = key else { return };
    let signature = key.sign(|name| bytes(headers, name), message_id);
    headers.insert(SIGNATURE.into(), AMQPValue::LongString(signature.into()));
}

/// A header as it is signed: as text, whatever type of integer a broker makes of it.
fn bytes(headers: &FieldTable, name: &str) -> Option<Vec<u8>> {
    let (_, value) = headers.into_iter().find(|(it, _)| it.as_str() == name)?;
    Some(value_of(value).signed())
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    fn headers(headers: &[(&str, &[u8])]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString(LongString::from(*value)));
        }
        BasicProperties::default().with_headers(table)
    }

    #[test]
    fn what_comes_back_to_its_queue_comes_from_where_it_first_came_from() {
        let kept = headers(&[(EXCHANGE, b"chat.events"), (ROUTING_KEY, b"some.key")]);
        assert_eq!(origin("", "q", &kept, ("q", false)), Some(("chat.events", "some.key")));
        assert_eq!(origin("q.sorted", "k", &kept, ("q", true)), Some(("chat.events", "some.key")));
    }

    #[test]
    fn what_did_not_come_back_is_taken_as_it_is() {
        let kept = headers(&[(EXCHANGE, b"chat.events"), (ROUTING_KEY, b"some.key")]);
        assert_eq!(origin("chat.events", "q", &kept, ("q", false)), None, "through an exchange");
        assert_eq!(origin("", "other", &kept, ("q", false)), None, "with another routing key");
        assert_eq!(
            origin("", "q", &BasicProperties::default(), ("q", false)),
            None,
            "without headers"
        );
        assert_eq!(
            origin("", "q", &headers(&[(EXCHANGE, b"e")]), ("q", false)),
            None,
            "without the key"
        );
        let broken = headers(&[(EXCHANGE, b"\xff"), (ROUTING_KEY, b"k")]);
        assert_eq!(origin("", "q", &broken, ("q", false)), None, "not UTF-8");
        let long = headers(&[(EXCHANGE, b"e"), (ROUTING_KEY, &[b'k'; LONGEST_SHORT + 1])]);
        assert_eq!(origin("", "q", &long, ("q", false)), None, "longer than a routing key can be");
    }

    fn key() -> SigningKey {
        SigningKey::new(&[7; 32]).unwrap()
    }

    fn names(properties: &BasicProperties) -> Vec<String> {
        let headers = properties.headers().iter().flatten();
        headers.map(|(name, _)| name.as_str().to_owned()).collect()
    }

    fn forged() -> BasicProperties {
        headers(&[
            (EXCHANGE, b"e"),
            (ROUTING_KEY, b"k"),
            ("event-pusher-reason", b"rejected"),
            ("event-pusher-expiration", b"1"),
            ("event-pusher-replay-id", b"0f0f0f0f.7"),
            ("mine", b"x"),
        ])
    }

    #[test]
    fn what_a_producer_sends_under_our_names_is_taken_off() {
        let mut sent = forged();
        assert!(!take_forged(&mut sent, false, None));
        assert_eq!(names(&sent), ["event-pusher-replay-id", "mine"]);
        let mut sent = forged();
        assert!(!take_forged(&mut sent, true, Some(&key())), "it is not signed");
        assert_eq!(names(&sent), ["mine"]);
        let long = "0".repeat(LONGEST_REPLAY_ID + 1);
        for (name, text) in [
            ("event-pusher-replay-id", "not hexadecimal"),
            ("event-pusher-replay-id", &long),
            ("event-pusher-replays", "1"),
            ("event-pusher-priority", "high"),
        ] {
            let mut sent = headers(&[(name, text.as_bytes())]);
            take_forged(&mut sent, false, None);
            assert!(names(&sent).is_empty(), "{name}: {text}");
        }
        let mut replayed = headers(&[("event-pusher-priority", b"none")]);
        take_forged(&mut replayed, false, None);
        assert_eq!(names(&replayed), ["event-pusher-priority"], "a replay through an exchange");
    }

    #[test]
    fn what_comes_back_keeps_its_origin_and_nothing_that_only_a_dead_letter_has() {
        let mut back = forged();
        assert!(take_forged(&mut back, true, None));
        let kept =
            [EXCHANGE, "event-pusher-expiration", "event-pusher-replay-id", ROUTING_KEY, "mine"];
        assert_eq!(names(&back), kept);
    }

    #[test]
    fn what_is_signed_is_believed_until_it_is_changed() {
        let mut signed =
            headers(&[(EXCHANGE, b"e"), (ROUTING_KEY, b"k")]).headers().clone().unwrap();
        sign(&mut signed, Some("m-1"), Some(&key()));
        let back = BasicProperties::default().with_headers(signed).with_message_id("m-1".into());
        let mut kept = back.clone();
        assert!(take_forged(&mut kept, true, Some(&key())));
        assert_eq!(names(&kept), [EXCHANGE, ROUTING_KEY], "without a signature that is used up");
        let mut moved = back.with_message_id("m-2".into());
        assert!(!take_forged(&mut moved, true, Some(&key())));
        assert!(names(&moved).is_empty());
    }
}

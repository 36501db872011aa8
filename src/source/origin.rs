//! Where an event came from in the first place, if it has come back to its queue since.
//!
//! What was parked, or replayed from the dead letters, comes through the default exchange,
//! with the queue's name for its routing key. Headers have kept what the producer chose;
//! formats, dead letters and deduplication go by that.

use lapin::BasicProperties;
use lapin::types::AMQPValue;

use crate::dead_letters::message::LONGEST_SHORT;

/// The exchange to which the producer published.
pub(super) const EXCHANGE: &str = "event-pusher-exchange";
/// The routing key with which it did.
pub(super) const ROUTING_KEY: &str = "event-pusher-routing-key";
/// The source's queue.
pub(super) const QUEUE: &str = "event-pusher-queue";

/// Exchange and routing key as the producer chose them. `None`: as they were delivered.
pub(super) fn origin<'a>(
    exchange: &str,
    routing_key: &str,
    properties: &'a BasicProperties,
    queue: &str,
) -> Option<(&'a str, &'a str)> {
    // The default exchange has no name; most deliveries come through another.
    if !exchange.is_empty() || routing_key != queue {
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

#[cfg(test)]
mod tests {
    use lapin::types::{FieldTable, LongString};

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
        assert_eq!(origin("", "q", &kept, "q"), Some(("chat.events", "some.key")));
    }

    #[test]
    fn what_did_not_come_back_is_taken_as_it_is() {
        let kept = headers(&[(EXCHANGE, b"chat.events"), (ROUTING_KEY, b"some.key")]);
        assert_eq!(origin("chat.events", "q", &kept, "q"), None, "through an exchange");
        assert_eq!(origin("", "other", &kept, "q"), None, "with another routing key");
        assert_eq!(origin("", "q", &BasicProperties::default(), "q"), None, "without headers");
        assert_eq!(origin("", "q", &headers(&[(EXCHANGE, b"e")]), "q"), None, "without the key");
        let broken = headers(&[(EXCHANGE, b"\xff"), (ROUTING_KEY, b"k")]);
        assert_eq!(origin("", "q", &broken, "q"), None, "not UTF-8");
        let long = headers(&[(EXCHANGE, b"e"), (ROUTING_KEY, &[b'k'; LONGEST_SHORT + 1])]);
        assert_eq!(origin("", "q", &long, "q"), None, "longer than a routing key can be");
    }
}

//! The probe: an empty message that measures a queue's delivery limit.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::DeliveryTag;

use super::super::connection::Broker;
use crate::headers::{COUNTS, DELIVERY_COUNT, PROBE};
use crate::outcome::SourceError;
use crate::rabbitmq::message::{Message, Value};
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;

/// Milliseconds after which a probe that a killed look has left is gone by itself, once it is the first in its queue.
const EXPIRATION: &str = "60000";

/// Until then it has not expired.
pub(super) const SURE_TO_LAST: Duration = Duration::from_secs(50);

/// A probe that has come, of this look or of one that was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) tag: DeliveryTag,
    pub(super) is_ours: bool,
    pub(super) returns: Returns,
}

/// How often a message has come back, as its queue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// Never.
    Never,
    /// The queue does not count it, as classic ones don't.
    Uncounted,
    Counted(u64),
}

impl Returns {
    /// What comes for the first time has no count, and a producer can have written what looks like one.
    pub(super) fn of(message: &Message, redelivered: bool) -> Self {
        let count = message.header(DELIVERY_COUNT).and_then(Value::as_integer);
        match count.map(u64::try_from) {
            _ if !redelivered => Self::Never,
            Some(Ok(count)) => Self::Counted(count),
            _ => Self::Uncounted,
        }
    }

    pub(super) const fn count(self) -> u64 {
        match self {
            Self::Counted(count) => count,
            Self::Never | Self::Uncounted => 0,
        }
    }
}

/// A message id that nobody can guess.
pub(super) fn new() -> String {
    format!("{PROBE}-{:016x}", fastrand::u64(..))
}

/// Whether it is a probe, of any look. It is taken out of the queue, so it must be nothing else: what a producer
/// publishes, and a worker or RabbitMQ dead-letters, has headers that say so.
pub(super) fn is_one(message: &Message, queue: &str) -> bool {
    let Message { exchange, routing_key, properties, body, .. } = message;
    let mut headers = properties.headers.iter().flatten();
    exchange.is_empty()
        && routing_key == queue
        && body.is_empty()
        && properties.kind.as_deref() == Some(PROBE)
        && properties.message_id.as_deref().is_some_and(|id| id.starts_with(PROBE))
        && headers.all(|(name, _)| COUNTS.contains(&name.as_str()))
}

/// By a connection of its own, since an alarm would block the one that holds the letters.
pub(super) async fn publish(broker: &Broker, queue: &str, probe: &str) -> Result<(), SourceError> {
    let publisher = ConfirmedPublisher::open(broker, "measures a delivery limit").await?;
    let properties = BasicProperties::default()
        .with_type(PROBE.into())
        .with_message_id(probe.into())
        .with_expiration(EXPIRATION.into());
    let outcome = publisher.publish_unless_blocked(("", queue), (b"", properties)).await;
    publisher.close().await;
    let what = format!("publishing to queue `{queue}`");
    outcome.map_err(|error| match error {
        PublishError::Lost(error) => error.reworded(|said| format!("{what}: {said}")),
        PublishError::Unroutable | PublishError::Refused => {
            SourceError::Failed(format!("{what}: the broker did not take it"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_queue_that_gives_a_message_again_can_have_counted() {
        let mut message = Message::default();
        message.headers_mut().insert("x-delivery-count".to_owned(), Value::I64(77));
        assert_eq!(Returns::of(&message, false), Returns::Never, "its producer wrote that");
        assert_eq!(Returns::of(&message, true), Returns::Counted(77));
        message.headers_mut().insert("x-delivery-count".to_owned(), Value::I64(-1));
        assert_eq!(Returns::of(&message, true), Returns::Uncounted);
        assert_eq!(Returns::of(&Message::default(), true), Returns::Uncounted);
    }

    #[test]
    fn nothing_that_says_anything_is_a_probe() {
        let mut probe = Message { routing_key: "dead".to_owned(), ..Message::default() };
        probe.properties.kind = Some(PROBE.to_owned());
        probe.properties.message_id = Some(new());
        probe.headers_mut().insert("x-acquired-count".to_owned(), Value::I64(1));
        assert!(is_one(&probe, "dead"));
        let with_body = Message { body: b"x".to_vec(), ..probe.clone() };
        let of_exchange = Message { exchange: "dead".to_owned(), ..probe.clone() };
        let mut with_header = probe.clone();
        with_header.headers_mut().insert("x-death".to_owned(), Value::Void);
        for letter in [with_body, of_exchange, with_header, Message::default()] {
            assert!(!is_one(&letter, "dead"), "{letter:?}");
        }
        assert!(!is_one(&probe, "other"));
    }
}

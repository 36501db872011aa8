//! The messages of a move to another number of partitions: the last one of each partition, and the record that all before it is settled.

use lapin::BasicProperties;
use lapin::types::ShortString;

use crate::config::Amqp;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::author;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;
use crate::signature::SigningKey;

/// The property `type` of the last message of a partition.
const ENDS: &str = "event-pusher-partition-ends";

/// The property `type` of a record.
const ENDED: &str = "event-pusher-partition-ended";

/// Puts the last message into a partition, with an id if it is to be known again. Further ones are no harm.
///
/// # Errors
///
/// It may not be there.
pub(super) async fn put_end(
    to: &ConfirmedPublisher,
    broker: &Broker,
    partition: &str,
    id: Option<&str>,
) -> Result<(), SourceError> {
    let sent = publish(to, broker, (partition, ENDS), partition.as_bytes(), id).await;
    sent.map_err(|error| error.of_queue(partition))
}

/// Whether a delivery is the last message of this partition, put there by somebody who may.
pub(in crate::rabbitmq) fn is_end(
    amqp: &Amqp,
    partition: &str,
    properties: &BasicProperties,
    body: &[u8],
) -> bool {
    body == partition.as_bytes() && is_own(amqp, (partition, ENDS), properties, body)
}

/// Writes down that a partition is over, where a move is under way.
///
/// # Errors
///
/// It may not be written.
pub(in crate::rabbitmq) async fn record_ended(
    broker: &Broker,
    moving: &str,
    partition: &str,
) -> Result<(), SourceError> {
    let publisher = ConfirmedPublisher::open(broker, "partition ends").await?;
    let sent = publish(&publisher, broker, (moving, ENDED), partition.as_bytes(), None).await;
    publisher.close().await;
    match sent {
        // It was the last message of a move that is over.
        Ok(()) | Err(PublishError::Unroutable) => Ok(()),
        Err(error) => Err(error.of_queue(moving)),
    }
}

/// Which partition a record says to be over, if it is one.
pub(super) fn ended<'a>(
    amqp: &Amqp,
    moving: &str,
    properties: &BasicProperties,
    body: &'a [u8],
) -> Option<&'a str> {
    std::str::from_utf8(body).ok().filter(|_| is_own(amqp, (moving, ENDED), properties, body))
}

async fn publish(
    to: &ConfirmedPublisher,
    broker: &Broker,
    (queue, kind): (&str, &str),
    body: &[u8],
    id: Option<&str>,
) -> Result<(), PublishError> {
    let properties = BasicProperties::default().with_type(kind.into()).with_delivery_mode(2);
    let properties = match id {
        Some(id) => properties.with_message_id(id.into()),
        None => properties,
    };
    let sign = |it: &SigningKey| it.sign_for_fleet(&place(queue, kind), body);
    let properties = author::vouched_on(broker, properties, sign);
    to.publish_unless_blocked(("", queue), (body, properties)).await
}

fn is_own(
    amqp: &Amqp,
    (queue, kind): (&str, &str),
    properties: &BasicProperties,
    body: &[u8],
) -> bool {
    properties.kind().as_ref().map(ShortString::as_str) == Some(kind)
        && author::check(amqp, properties, |key, signature| {
            key.verifies_for_fleet(signature, &place(queue, kind), body)
        })
        .is_ok()
}

/// What the signature is for besides the body, so that a message of one kind is none of another.
fn place(queue: &str, kind: &str) -> String {
    format!("{kind} {queue}")
}

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

/// What the messages of a move are about.
#[derive(Debug, Clone, Copy)]
pub(in crate::rabbitmq) struct About<'a> {
    /// One of the former partitions.
    pub(in crate::rabbitmq) partition: &'a str,
    /// Which move it is: see `Move::id`.
    pub(in crate::rabbitmq) id: &'a str,
}

/// Puts the last message into a partition, with a mark if it is to be known again. Further ones are no harm.
///
/// # Errors
///
/// It may not be there.
pub(super) async fn put_end(
    to: &ConfirmedPublisher,
    broker: &Broker,
    about: About<'_>,
    mark: Option<&str>,
) -> Result<(), SourceError> {
    let sent = publish(to, broker, (about.partition, ENDS), about, mark).await;
    sent.map_err(|error| error.of_queue(about.partition))
}

/// The id of the move, if a delivery is the last message of this partition, put there by somebody who may.
pub(in crate::rabbitmq) fn end<'a>(
    amqp: &Amqp,
    partition: &str,
    properties: &'a BasicProperties,
    body: &[u8],
) -> Option<&'a str> {
    own(amqp, (partition, ENDS), properties, body).filter(|_| body == partition.as_bytes())
}

/// Writes down that a partition is over, where a move is under way.
///
/// # Errors
///
/// It may not be written.
pub(in crate::rabbitmq) async fn record_ended(
    broker: &Broker,
    moving: &str,
    about: About<'_>,
) -> Result<(), SourceError> {
    let publisher = ConfirmedPublisher::open(broker, "partition ends").await?;
    let sent = publish(&publisher, broker, (moving, ENDED), about, None).await;
    publisher.close().await;
    match sent {
        // It was the last message of a move that is over.
        Ok(()) | Err(PublishError::Unroutable) => Ok(()),
        Err(error) => Err(error.of_queue(moving)),
    }
}

/// Which partition a record says to be over, if it is one of this move.
pub(super) fn ended<'a>(
    amqp: &Amqp,
    (moving, id): (&str, &str),
    properties: &BasicProperties,
    body: &'a [u8],
) -> Option<&'a str> {
    let is_of_this = own(amqp, (moving, ENDED), properties, body) == Some(id);
    std::str::from_utf8(body).ok().filter(|_| is_of_this)
}

async fn publish(
    to: &ConfirmedPublisher,
    broker: &Broker,
    (queue, kind): (&str, &str),
    About { partition, id }: About<'_>,
    mark: Option<&str>,
) -> Result<(), PublishError> {
    let body = partition.as_bytes();
    let properties = BasicProperties::default().with_type(kind.into()).with_delivery_mode(2);
    let properties = properties.with_message_id(id.into());
    let properties = match mark {
        Some(mark) => properties.with_correlation_id(mark.into()),
        None => properties,
    };
    let sign = |it: &SigningKey| it.sign_for_fleet(&place(queue, kind, id), body);
    let properties = author::vouched_on(broker, properties, sign);
    to.publish_unless_blocked(("", queue), (body, properties)).await
}

/// The id of the move that a message of this kind is about, if somebody has put it there who may.
fn own<'a>(
    amqp: &Amqp,
    (queue, kind): (&str, &str),
    properties: &'a BasicProperties,
    body: &[u8],
) -> Option<&'a str> {
    let id = properties.message_id().as_ref().map(ShortString::as_str)?;
    let is_of_kind = properties.kind().as_ref().map(ShortString::as_str) == Some(kind);
    let is_own = is_of_kind
        && author::check(amqp, properties, |key, signature| {
            key.verifies_for_fleet(signature, &place(queue, kind, id), body)
        })
        .is_ok();
    is_own.then_some(id)
}

/// What the signature is for besides the body, so that a message of one kind or move is none of another.
fn place(queue: &str, kind: &str, id: &str) -> String {
    format!("{kind} {queue} {id}")
}

//! The exchange and the queues of a source with partitions.
//!
//! ```text
//! exchange ── routing keys ──> Q.40.hash ── by the hash ──> Q.40.00 … Q.40.39
//!
//! Q             what was there before the partitions, and what is replayed
//! Q.partitions  empty: its consumers are the workers, and its length is limited to the number of partitions
//! Q.suspects    only where workers may have died of an event: what they write down of it
//! ```
//!
//! The number is part of the names, so that queues of another number are other ones.

pub(in crate::rabbitmq) mod marker;
pub(in crate::rabbitmq) mod suspects;

use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use self::marker::{mark, marker_of};
use super::mismatch::key_of;
use super::order_arguments::OrderArguments;
use super::queue_state::QueueState;
use super::queues::DeclaredQueue;
use super::{bind, declare_dead_letters, declare_exchange, routing_keys, source_queue};
use crate::config::{Amqp, PartitionBy, Partitioning, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};

/// RabbitMQ's plugin for it ships with the broker, and is to be enabled.
pub(in crate::rabbitmq) const CONSISTENT_HASH: &str = "x-consistent-hash";

/// The share of a queue of a hash exchange is its binding's key, as a number.
const ONE_SHARE: &str = "1";

/// The names of what belongs to the partitions of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Names {
    pub(in crate::rabbitmq) hash_exchange: String,
    /// Partition by partition.
    pub(in crate::rabbitmq) queues: Vec<String>,
    pub(in crate::rabbitmq) marker: String,
}

impl Names {
    pub(in crate::rabbitmq) fn of(queue: &str, partitions: u16) -> Self {
        let width = if partitions > 100 { 3 } else { 2 };
        Self {
            hash_exchange: format!("{queue}.{partitions}.hash"),
            queues: (0..partitions)
                .map(|it| format!("{queue}.{partitions}.{it:0width$}"))
                .collect(),
            marker: marker_of(queue),
        }
    }
}

/// Declares all but the marker, and lets events go to the partitions instead of the source's queue. Returns whether there is a marker:
/// if not, events may be in that queue which are to be published before those in the partitions.
///
/// # Errors
///
/// What differs from what is there, or what the broker does not know.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    partitioning: Partitioning<'_>,
) -> Result<bool, SourceError> {
    let Partitioning { count, by } = partitioning;
    let names = Names::of(&source.queue, count);
    // First: of partitions of another number nothing may be declared beside.
    let is_marked = match QueueState::on(connection, &names.marker).await {
        Ok(_) => {
            mark(connection, amqp, source, partitioning).await?;
            true
        }
        Err(SourceError::NotFound(_)) => false,
        Err(error) => return Err(error),
    };
    // Without a queue there is nothing that came before.
    let is_new = !is_marked
        && matches!(QueueState::on(connection, &source.queue).await, Err(SourceError::NotFound(_)));
    declare_dead_letters(connection, amqp).await?;
    on_channel(connection, async |channel| declare_exchange(channel, source).await).await?;
    let order = source_queue::declare(connection, amqp, source, None).await?;
    if !is_marked && !is_new {
        check_former(amqp, source, order)?;
    }
    let hash = async |it: &Channel| declare_hash(it, &names.hash_exchange, by).await;
    on_channel(connection, hash).await?;
    if is_marked {
        check_queues(connection, source, &names).await?;
    }
    for queue in &names.queues {
        DeclaredQueue::of_partition(amqp, source, queue).declare(connection).await?;
    }
    let bound = async |channel: &Channel| {
        for queue in &names.queues {
            bind(channel, queue, &names.hash_exchange, ONE_SHARE).await?;
        }
        divert(channel, source, &names.hash_exchange).await
    };
    on_channel(connection, bound).await?;
    if is_new {
        mark(connection, amqp, source, partitioning).await?;
    }
    Ok(is_marked || is_new)
}

/// A partition that was there and is gone takes more along than what was in it: RabbitMQ gives its keys, and those of others, to other
/// partitions (`rabbit_exchange_type_consistent_hash`), and so does it when there is another one in its place.
async fn check_queues(
    connection: &BrokerConnection,
    source: &Source,
    names: &Names,
) -> Result<(), SourceError> {
    for queue in &names.queues {
        if !matches!(QueueState::on(connection, queue).await, Err(SourceError::NotFound(_))) {
            continue;
        }
        let (name, key) = (&source.name, key_of(source, "on_order_lost"));
        let said = format!(
            "partition `{queue}` of source {name} is gone: RabbitMQ divides events otherwise without it, so that later events of a key may \
             overtake those that wait in another partition; wait until the others are empty and create it, or set {key} = \"warn\", \
             and it is created now"
        );
        if source.stops_without_order() {
            return Err(SourceError::PreconditionFailed(said));
        }
        tracing::warn!(event = "order_lost", source = name, "{said}");
    }
    Ok(())
}

/// What several workers hold of a queue can't be known to be published before what comes after it.
fn check_former(amqp: &Amqp, source: &Source, order: OrderArguments) -> Result<(), SourceError> {
    let Some(deviation) = order.deviation(OrderArguments::of(amqp, source)) else { return Ok(()) };
    let (queue, key) = (&source.queue, key_of(source, "on_order_lost"));
    let said = format!(
        "queue `{queue}` is to be published before the partitions that follow it, but {deviation}. To begin in order, end all \
         workers but one, wait until the queue is empty, end that one and delete the queue; or set {key} = \"warn\""
    );
    if source.stops_without_order() {
        return Err(SourceError::PreconditionFailed(said));
    }
    tracing::warn!(event = "order_lost", source = source.name, "{said}");
    Ok(())
}

/// Declares the exchange that divides events.
///
/// # Errors
///
/// It differs, or RabbitMQ lacks the plugin.
pub(in crate::rabbitmq) async fn declare_hash(
    channel: &Channel,
    exchange: &str,
    by: &PartitionBy,
) -> Result<(), SourceError> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let kind = ExchangeKind::Custom(CONSISTENT_HASH.to_owned());
    let declared = channel.exchange_declare(exchange.into(), kind, options, hash_arguments(by));
    bounded(&format!("exchange `{exchange}`"), declared).await
}

fn hash_arguments(by: &PartitionBy) -> FieldTable {
    let mut arguments = FieldTable::default();
    let text = |it: &str| AMQPValue::LongString(LongString::from(it));
    match by {
        PartitionBy::RoutingKey => {}
        PartitionBy::Header(name) => {
            arguments.insert("hash-header".into(), text(name));
        }
        PartitionBy::CorrelationId => {
            arguments.insert("hash-property".into(), text("correlation_id"));
        }
    }
    arguments
}

/// Events go to the partitions, and not to the source's queue any more. In this order: between the two an event may go to both, and
/// is published twice, but none is lost.
pub(in crate::rabbitmq) async fn divert(
    channel: &Channel,
    source: &Source,
    hash_exchange: &str,
) -> Result<(), SourceError> {
    let Source { exchange, queue, .. } = source;
    for key in routing_keys(source) {
        let bound = channel.exchange_bind(
            hash_exchange.into(),
            exchange.as_str().into(),
            key.into(),
            ExchangeBindOptions::default(),
            FieldTable::default(),
        );
        let what = format!("binding of exchange `{hash_exchange}` to exchange `{exchange}`");
        bounded(&what, bound).await?;
    }
    for key in routing_keys(source) {
        let unbound = channel.queue_unbind(
            queue.as_str().into(),
            exchange.as_str().into(),
            key.into(),
            FieldTable::default(),
        );
        bounded(&format!("unbinding queue `{queue}` from exchange `{exchange}`"), unbound).await?;
    }
    Ok(())
}

/// Finds what is used as it is: every partition, and the marker.
///
/// # Errors
///
/// What is missing.
pub(in crate::rabbitmq) async fn find(
    connection: &BrokerConnection,
    source: &Source,
    count: u16,
) -> Result<(), SourceError> {
    let names = Names::of(&source.queue, count);
    for queue in names.queues.iter().chain([&names.marker]) {
        super::look(connection, async |channel| super::find_queue(channel, queue).await).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_number_of_partitions_in_them() {
        let names = Names::of("q", 3);
        assert_eq!(names.queues, ["q.3.00", "q.3.01", "q.3.02"]);
        assert_eq!((&*names.hash_exchange, &*names.marker), ("q.3.hash", "q.partitions"));
        assert_eq!(Names::of("q", 256).queues[7], "q.256.007");
    }

    #[test]
    fn a_header_or_a_property_is_hashed_if_it_is_named() {
        let of = |by: &str| hash_arguments(&PartitionBy::named(by).unwrap());
        assert!(of("routing-key").inner().is_empty());
        assert!(of("header:conversation").contains_key("hash-header"));
        assert!(of("property:correlation_id").contains_key("hash-property"));
        for wrong in ["property:message_id", "header:", "header:x-death", "", "conversation"] {
            assert_eq!(PartitionBy::named(wrong), None, "{wrong}");
        }
    }
}

//! The exchange that divides events into partitions, and what leads events to it.

use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::moving;
use crate::config::{Amqp, PartitionBy, Source};
use crate::headers::ORDER_KEY;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};
use crate::rabbitmq::topology::{bind, routing_keys};

/// RabbitMQ's plugin for it ships with the broker, and is to be enabled.
pub(in crate::rabbitmq) const CONSISTENT_HASH: &str = "x-consistent-hash";

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
        PartitionBy::Conversation => {
            arguments.insert("hash-header".into(), text(ORDER_KEY));
        }
        PartitionBy::CorrelationId => {
            arguments.insert("hash-property".into(), text("correlation_id"));
        }
    }
    arguments
}

/// What the exchange that divides events is bound to: an exchange, and with which keys.
fn divides(source: &Source) -> (String, Vec<&str>) {
    match source.sorted_exchange() {
        Some(sorted) => (sorted, vec![""]),
        None => (source.exchange.clone(), routing_keys(source).collect()),
    }
}

/// Events go to the partitions, and not to the source's queue any more. In this order: between the two an event may go to both, and
/// is published twice, but none is lost. Where a worker sorts them, they go to the source's queue first, as without partitions.
pub(in crate::rabbitmq) async fn divert(
    channel: &Channel,
    source: &Source,
    hash_exchange: &str,
) -> Result<(), SourceError> {
    let Source { exchange, queue, .. } = source;
    let (from, keys) = divides(source);
    for key in keys {
        let bound = channel.exchange_bind(
            hash_exchange.into(),
            from.as_str().into(),
            key.into(),
            ExchangeBindOptions::default(),
            FieldTable::default(),
        );
        let what = format!("binding of exchange `{hash_exchange}` to exchange `{from}`");
        bounded(&what, bound).await?;
    }
    for key in routing_keys(source) {
        if source.is_sorted() {
            bind(channel, queue, exchange, key).await?;
            continue;
        }
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

/// Finds the exchange that divides events.
///
/// # Errors
///
/// It is not there.
pub(in crate::rabbitmq) async fn find_hash(
    channel: &Channel,
    exchange: &str,
) -> Result<(), SourceError> {
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let kind = ExchangeKind::Custom(CONSISTENT_HASH.to_owned());
    let found = channel.exchange_declare(exchange.into(), kind, options, FieldTable::default());
    bounded(&format!("exchange `{exchange}`"), found).await
}

/// Events come to these partitions no more: the exchange goes with its bindings, so that no worker that knows nothing of a move binds it
/// again.
///
/// # Errors
///
/// The broker refuses.
pub(in crate::rabbitmq) async fn undivert(
    connection: &BrokerConnection,
    source: &Source,
    hash_exchange: &str,
) -> Result<(), SourceError> {
    let unbound = async |channel: &Channel| {
        let (exchange, keys) = divides(source);
        for key in keys {
            let options = ExchangeUnbindOptions::default();
            let (to, from) = (hash_exchange.into(), exchange.as_str().into());
            let unbinding =
                channel.exchange_unbind(to, from, key.into(), options, FieldTable::default());
            bounded(&format!("unbinding exchange `{hash_exchange}`"), unbinding).await?;
        }
        let options = ExchangeDeleteOptions::default();
        let deleted = channel.exchange_delete(hash_exchange.into(), options);
        bounded(&format!("deleting exchange `{hash_exchange}`"), deleted).await
    };
    match on_channel(connection, unbound).await {
        // It is gone already.
        Err(SourceError::NotFound(_)) => Ok(()),
        other => other,
    }
}

/// Sees to it that events go to the partitions, and not to the source's queue, wherever a move may have led them meanwhile.
///
/// # Errors
///
/// The broker refuses.
pub(in crate::rabbitmq) async fn divert_now(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    count: u16,
) -> Result<(), SourceError> {
    let under_way = moving::find(connection, amqp, source).await?;
    let hash_exchange = moving::divides_now(source, count, under_way);
    on_channel(connection, async |channel: &Channel| divert(channel, source, &hash_exchange).await)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_or_a_property_is_hashed_if_it_is_named() {
        let of = |by: &str| hash_arguments(&PartitionBy::named(by).unwrap());
        assert!(of("routing-key").inner().is_empty());
        assert!(of("header:conversation").contains_key("hash-header"));
        assert!(of("property:correlation_id").contains_key("hash-property"));
        assert!(of("conversation").contains_key("hash-header"));
        for wrong in ["property:message_id", "header:", "header:x-death", "", "room"] {
            assert_eq!(PartitionBy::named(wrong), None, "{wrong}");
        }
    }
}

//! The marker: a queue that is there as soon as a source's queue has partitions. It counts workers, and knows number and key of the
//! partitions.

use lapin::Channel;
use lapin::options::{ExchangeUnbindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use super::Names;
use crate::config::{Amqp, OnOrderLost, Partitioning, Source};
use crate::limits::LONGEST_SHORT;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};
use crate::rabbitmq::topology::arguments::Difference;
use crate::rabbitmq::topology::declared::{DEAD_LETTER_ROUTING_KEY, MAX_LENGTH, marker_arguments};
use crate::rabbitmq::topology::mismatch::key_of;
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::rabbitmq::topology::routing_keys;
use crate::untrusted::one_line;

/// Its name.
pub(in crate::rabbitmq) fn marker_of(queue: &str) -> String {
    format!("{queue}.partitions")
}

/// Declares the marker: from now on all events are in the partitions.
///
/// # Errors
///
/// There are partitions of another number.
pub(in crate::rabbitmq) async fn mark(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    partitioning: Partitioning<'_>,
) -> Result<(), SourceError> {
    let marker = marker_of(&source.queue);
    let declared = async |channel: &Channel| {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let arguments = marker_arguments(amqp, partitioning);
        let declared = channel.queue_declare(marker.as_str().into(), options, arguments);
        bounded(&format!("queue `{marker}`"), declared).await.map(drop)
    };
    on_channel(connection, declared).await.map_err(|error| differs(error, source, partitioning))
}

/// Confirms that the marker which a worker has declared is for these partitions. If not, nothing more is divided into them.
///
/// # Errors
///
/// There are partitions of another number, or by another key.
pub(in crate::rabbitmq) async fn confirm(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    partitioning: Partitioning<'_>,
) -> Result<(), SourceError> {
    let refused = match mark(connection, amqp, source, partitioning).await {
        Err(refused @ SourceError::PreconditionFailed(_)) => refused,
        other => return other,
    };
    let hash = Names::of(&source.queue, partitioning.count).hash_exchange;
    let unbound = async |channel: &Channel| {
        for key in routing_keys(source) {
            let options = ExchangeUnbindOptions::default();
            let (to, from) = (hash.as_str().into(), source.exchange.as_str().into());
            let unbinding =
                channel.exchange_unbind(to, from, key.into(), options, FieldTable::default());
            bounded(&format!("unbinding exchange `{hash}`"), unbinding).await?;
        }
        Ok(())
    };
    on_channel(connection, unbound).await?;
    Err(refused.reworded(|said| {
        format!("{said}. What came to the partitions of exchange `{hash}` meanwhile is in the others, too: delete them")
    }))
}

fn differs(error: SourceError, source: &Source, wanted: Partitioning<'_>) -> SourceError {
    let SourceError::PreconditionFailed(said) = &error else { return error };
    let argument = Difference::argument_in(said);
    let current = Difference::read(said).and_then(|it| it.current).map(|(value, _)| value);
    let (queue, count) = (&source.queue, wanted.count);
    SourceError::PreconditionFailed(match (argument, current) {
        (Some(MAX_LENGTH), Some(current)) => {
            let key = key_of(source, "partitions");
            format!(
                "`{queue}` has {current} partitions, and {key} is {count}: workers with both numbers would each get all events, \
                 and keep no order; set {key} = {current} in every worker, or see \"Another number\" in docs/partitions.md"
            )
        }
        (Some(DEAD_LETTER_ROUTING_KEY), Some(current)) => {
            let (key, by) = (key_of(source, "partition_by"), wanted.by);
            let current = one_line(current, LONGEST_SHORT);
            format!(
                "events of `{queue}` are divided by {current:?}, and {key} is \"{by}\": RabbitMQ can't change that, and events that wait would \
                 be overtaken; set {key} = {current:?} in every worker, or see \"Another key\" in docs/partitions.md"
            )
        }
        _ => return error,
    })
}

/// A source without partitions must not consume a queue that has some: it would bind the queue again, and events in the partitions
/// would wait for ever.
///
/// # Errors
///
/// There are partitions.
pub(in crate::rabbitmq) async fn check_none(
    connection: &BrokerConnection,
    source: &Source,
) -> Result<(), SourceError> {
    let marker = marker_of(&source.queue);
    match QueueState::on(connection, &marker).await {
        Ok(_) => {
            let (queue, key) = (&source.queue, key_of(source, "partitions"));
            let said = format!(
                "`{queue}` has partitions, as queue `{marker}` says, and {key} is 0: what waits in them would stay there; set {key} as the \
                 other workers have it, or see \"Back to one queue\" in docs/partitions.md"
            );
            if source.on_order_lost == OnOrderLost::Warn {
                tracing::warn!(event = "order_lost", source = source.name, "{said}");
                return Ok(());
            }
            Err(SourceError::PreconditionFailed(said))
        }
        // Who may not look finds nothing out.
        Err(_) => Ok(()),
    }
}

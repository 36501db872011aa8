//! The consumer timeout: how long RabbitMQ lets a consumer hold a delivery without settling it.
//!
//! Up to RabbitMQ 4.2 the broker's own setting (30 minutes), or the queue's, decides, and a channel is closed. From 4.3 on only quorum
//! queues have one; the consumer is cancelled, and says by an argument how long it is to be. On other types of queue RabbitMQ 4.3
//! refuses that argument (`rabbit_amqqueue:check_consume_arguments`).

use std::time::Duration;

use lapin::options::BasicConsumeOptions;
use lapin::types::{AMQPValue, FieldTable};

use super::arguments::QUORUM;
use crate::config::Amqp;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// The consumer's argument, in milliseconds.
pub(in crate::rabbitmq) const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";

/// The first version that cancels the consumer, and that goes by the argument.
pub(in crate::rabbitmq) const CANCELS_FROM: (u32, u32) = (4, 3);

/// What a consumer of a queue of this type asks for. `None`: nothing, since the broker does not go by it, or would refuse it.
pub(in crate::rabbitmq) fn of(
    connection: &BrokerConnection,
    kind: &str,
    amqp: &Amqp,
) -> Option<Duration> {
    let is_asked_for = kind == QUORUM && connection.server().is_rabbitmq_from(CANCELS_FROM);
    is_asked_for.then_some(amqp.consumer_timeout)
}

/// The same for a queue whose type can't be told by its arguments, since the user may not configure it.
pub(in crate::rabbitmq) async fn of_hidden(
    connection: &BrokerConnection,
    queue: &str,
    amqp: &Amqp,
) -> Option<Duration> {
    if !connection.server().is_rabbitmq_from(CANCELS_FROM) || !takes(connection, queue).await {
        return None;
    }
    Some(amqp.consumer_timeout)
}

/// Asks by a consumer with another argument that no type of queue has beside this one: RabbitMQ names the first one that is wrong, and
/// consumes nothing. Arguments are sent in the order of their names.
async fn takes(connection: &BrokerConnection, queue: &str) -> bool {
    let Ok(channel) = connection.channel().await else { return false };
    let mut arguments = with_timeout(FieldTable::default(), Duration::from_secs(1));
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("next".into()));
    let options = BasicConsumeOptions::default();
    let consuming =
        channel.basic_consume(queue.into(), "has-it-a-timeout".into(), options, arguments);
    match bounded("asking for a consumer timeout", consuming).await {
        Ok(_consumer) => {
            let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
            false
        }
        Err(error) => error.to_string().contains("invalid arg 'x-stream-offset'"),
    }
}

/// The arguments of a consumer with this timeout.
pub(in crate::rabbitmq) fn with_timeout(
    mut arguments: FieldTable,
    timeout: Duration,
) -> FieldTable {
    let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    arguments.insert(CONSUMER_TIMEOUT.into(), AMQPValue::LongLongInt(millis));
    arguments
}

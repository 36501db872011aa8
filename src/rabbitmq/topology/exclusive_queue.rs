//! A queue that one connection has for itself, which RabbitMQ deletes with the connection: a lock between all that use a broker.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Queue};
use tokio::time::sleep;

use super::arguments::{CLASSIC, QUEUE_TYPE};
use super::queues::delete_queue;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};
use crate::rabbitmq::headers::header_room::text;

/// Between two tries, more or less: each that is refused closes a channel, and RabbitMQ logs it.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Declares one. Its type is given, since a virtual host may have another default type, whose queues can't be exclusive.
pub(in crate::rabbitmq) async fn declare(channel: &Channel, name: &str) -> lapin::Result<Queue> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    channel.queue_declare(name.into(), options, classic()).await
}

/// The arguments of a classic queue.
pub(in crate::rabbitmq) fn classic() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(QUEUE_TYPE.into(), text(CLASSIC));
    arguments
}

/// Waits until this connection has the lock, however long that takes.
///
/// # Errors
///
/// The user may not, or the broker does not answer.
pub(in crate::rabbitmq) async fn lock(
    connection: &BrokerConnection,
    name: &str,
) -> Result<(), SourceError> {
    loop {
        let declared = async |channel: &Channel| {
            bounded(&format!("queue `{name}`"), declare(channel, name)).await.map(drop)
        };
        match on_channel(connection, declared).await {
            Err(SourceError::ResourceLocked(_)) => {
                sleep(TRY_AGAIN.mul_f64(0.5 + fastrand::f64())).await;
            }
            other => return other,
        }
    }
}

/// Another connection may have the lock. If that fails, it may when this one is closed.
pub(in crate::rabbitmq) async fn unlock(connection: &BrokerConnection, name: &str) {
    let _ = delete_queue(connection, name).await;
}

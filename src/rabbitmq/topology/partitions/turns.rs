//! What one connection at a time may do: it has a queue for itself, which RabbitMQ deletes when the connection ends.

use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};

/// From now on it is this connection's turn.
///
/// # Errors
///
/// [`SourceError::ResourceLocked`]: it is another one's.
pub(in crate::rabbitmq) async fn begin(
    connection: &BrokerConnection,
    turn: &str,
) -> Result<(), SourceError> {
    on_channel(connection, async |channel: &Channel| {
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let declared = channel.queue_declare(turn.into(), options, FieldTable::default());
        bounded(&format!("queue `{turn}`"), declared).await.map(drop)
    })
    .await
}

/// It may be another connection's turn. If that fails, it may be when this one is closed.
pub(in crate::rabbitmq) async fn end(connection: &BrokerConnection, turn: &str) {
    let _ = on_channel(connection, async |channel: &Channel| {
        let deleted = channel.queue_delete(turn.into(), QueueDeleteOptions::default());
        bounded(&format!("queue `{turn}`"), deleted).await.map(drop)
    })
    .await;
}

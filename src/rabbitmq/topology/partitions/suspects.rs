//! The queue where workers write down what they do with an event of which others may have died.

use lapin::options::QueueDeclareOptions;

use crate::config::Amqp;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::arguments;
use crate::rabbitmq::topology::declared::suspects_arguments;

/// Of a source's queue.
pub(in crate::rabbitmq) fn name_of(queue: &str) -> String {
    format!("{queue}.suspects")
}

/// The lock of who reads those records.
pub(in crate::rabbitmq) fn lock_of(queue: &str) -> String {
    format!("{queue}.examining")
}

/// Declares it. It is there only where there was such an event.
///
/// # Errors
///
/// It differs, or the user or the broker can't.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    amqp: &Amqp,
    suspects: &str,
) -> Result<(), SourceError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    arguments::declare(connection, suspects, options, suspects_arguments(amqp)).await
}

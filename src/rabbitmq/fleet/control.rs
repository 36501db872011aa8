//! Commands to all workers of a fleet, in a stream of RabbitMQ that keeps them.
//!
//! A stream gives all of its messages to each consumer, in one order, and keeps them: a worker that begins reads it from its
//! beginning and follows it, so that all workers have one state, and no store of their own. What is written is confirmed, so two
//! operators at once lose nothing. A command counts only if the user of the workers sent it, which RabbitMQ makes sure of
//! (`user_id`), and with `amqp.signing_key_file` only if it is signed.

mod follow;
mod history;
mod message;
mod reader;

pub(crate) use self::follow::ControlFollower;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use self::history::History;
pub(crate) use self::reader::PauseReader;
use crate::config::Fleet;
use crate::fleet::pauses::{Command, PausedTargets};
use crate::limits::{KEEP_COMMAND_BYTES, KEEP_COMMANDS};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{Broker, bounded, on_channel};
use crate::rabbitmq::headers::header_room::text;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;
use crate::rabbitmq::topology::arguments::{QUEUE_TYPE, STREAM};

/// Bytes of a part of the stream, which RabbitMQ forgets as a whole.
const SEGMENT_BYTES: i64 = 1_000_000;

/// How the connection shows on RabbitMQ's side.
const PURPOSE: &str = "fleet control";

/// Sends a command, and waits until RabbitMQ has it safe.
///
/// # Errors
///
/// Why it may not be there.
pub(crate) async fn send(
    broker: &Broker,
    fleet: &Fleet,
    command: &Command,
) -> Result<(), SourceError> {
    let connection = broker.connect(PURPOSE).await?;
    let sent = async {
        declare(&connection, broker, fleet).await?;
        let publisher = ConfirmedPublisher::new(connection);
        publish(&publisher, broker, fleet, command).await?;
        publisher.close().await;
        Ok(())
    };
    sent.await.map_err(|error| advised(error, fleet))
}

/// Reads what is paused.
///
/// # Errors
///
/// Why it can't be read.
pub(crate) async fn read(broker: &Broker, fleet: &Fleet) -> Result<PausedTargets, SourceError> {
    let connection = broker.connect(PURPOSE).await?;
    let reading = async {
        declare(&connection, broker, fleet).await?;
        History::read(&connection, broker, fleet, drop).await
    };
    let read = reading.await.map_err(|error| advised(error, fleet))?;
    connection.close().await;
    Ok(read.targets)
}

async fn publish(
    publisher: &ConfirmedPublisher,
    broker: &Broker,
    fleet: &Fleet,
    command: &Command,
) -> Result<(), SourceError> {
    let exchange = fleet.control();
    let body = command.to_bytes();
    let message = (&*body, message::properties(&body, command, broker));
    let sent = publisher.publish_unless_blocked((&exchange, ""), message).await;
    sent.map_err(|error| match error {
        PublishError::Lost(error) => {
            error.reworded(|said| format!("publishing to exchange `{exchange}`: {said}"))
        }
        PublishError::Unroutable => SourceError::NotFound(format!(
            "no stream is bound to exchange `{exchange}`; bind stream `{exchange}` to it"
        )),
        PublishError::Refused => {
            SourceError::Failed(format!("stream `{exchange}` took no command"))
        }
    })
}

/// The arguments of the stream.
fn arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(QUEUE_TYPE.into(), text(STREAM));
    arguments.insert("x-max-age".into(), text(KEEP_COMMANDS));
    arguments.insert("x-max-length-bytes".into(), KEEP_COMMAND_BYTES.into());
    arguments.insert("x-stream-max-segment-size-bytes".into(), SEGMENT_BYTES.into());
    arguments
}

/// Declares exchange and stream, each on a channel that a refusal closes; not with `amqp.declare = false`.
async fn declare(
    connection: &BrokerConnection,
    broker: &Broker,
    fleet: &Fleet,
) -> Result<(), SourceError> {
    if !broker.config().declare {
        return Ok(());
    }
    let name = &*fleet.control();
    let exchange = async |channel: &Channel| {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let kind = ExchangeKind::Fanout;
        let declared = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        bounded(&format!("exchange `{name}`"), declared).await
    };
    let stream = async |channel: &Channel| {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let declared = channel.queue_declare(name.into(), options, arguments());
        bounded(&format!("stream `{name}`"), declared).await.map(drop)
    };
    let binding = async |channel: &Channel| {
        let options = QueueBindOptions::default();
        let bound =
            channel.queue_bind(name.into(), name.into(), "".into(), options, FieldTable::default());
        bounded(&format!("binding of stream `{name}` to its exchange"), bound).await
    };
    on_channel(connection, exchange).await?;
    on_channel(connection, stream).await?;
    on_channel(connection, binding).await
}

/// The error, with what to do.
fn advised(error: SourceError, fleet: &Fleet) -> SourceError {
    let name = fleet.control();
    match error {
        SourceError::AccessRefused(_) | SourceError::Failed(_) => error,
        SourceError::NotFound(said) => SourceError::NotFound(format!(
            "{said}; set amqp.declare = true, or create exchange and stream `{name}` as docs/fleet.md says"
        )),
        SourceError::PreconditionFailed(said) => SourceError::PreconditionFailed(format!(
            "{said}; delete exchange and queue `{name}` if they are not this fleet's, or set fleet.name to another name; \
             RabbitMQ has streams from 3.9 on"
        )),
        other => other,
    }
}

/// Whether trying again soon is of no use: a permission, or the stream itself, is missing.
const fn is_lasting(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::AccessRefused(_)
            | SourceError::NotFound(_)
            | SourceError::PreconditionFailed(_)
            | SourceError::ResourceLocked(_)
    )
}

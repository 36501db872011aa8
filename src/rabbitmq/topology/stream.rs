//! Refuses streams. A stream keeps what is acknowledged and gives all of it to each consumer, so it can be neither a source's queue
//! nor one for dead letters or parked events.

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::arguments::{self, Learnt, STREAM};
use crate::config::{Amqp, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Purpose {
    Events,
    DeadLetters,
    Parked,
}

impl Purpose {
    /// Why a stream can't be such a queue, and what to do.
    pub(in crate::rabbitmq) fn refusal(self, queue: &str) -> SourceError {
        let why = match self {
            Self::Events => {
                "RabbitMQ gives all of a stream's messages to each worker, keeps them when they are acknowledged, and delivers \
                 none that came while no worker ran. Set the source's queue to a new name, which `run` creates \
                 (amqp.declare = true), or to a quorum or classic queue, and delete the stream's binding"
            }
            Self::DeadLetters => {
                "dead letters could neither be taken out of a stream nor replayed. Set amqp.dead_letter_queue to a new name, \
                 which `run` creates (amqp.declare = true), or to a quorum or classic queue"
            }
            Self::Parked => {
                "events of held topics would not come back from a stream. Delete it; `run` creates the queue if \
                 amqp.declare = true"
            }
        };
        SourceError::Failed(format!("queue `{queue}` is a stream: {why}"))
    }
}

/// Whether a queue is a stream. `None`: that can't be told, as by a user who may neither read nor configure the queue.
async fn is_stream(connection: &BrokerConnection, queue: &str) -> Option<bool> {
    if !connection.server().refuses_wrong_arguments() {
        return None;
    }
    if let Some(answer) = ask(connection, queue).await {
        return Some(answer);
    }
    match arguments::learn(connection, queue, true).await {
        Ok(Learnt::Known(known)) => Some(known.kind() == STREAM),
        _ => None,
    }
}

/// Asks the queue by a consumer with an argument that only streams have: RabbitMQ refuses it for any other queue before it consumes
/// (`rabbit_amqqueue:check_consume_arguments`), where [`Server::refuses_wrong_arguments`](crate::rabbitmq::connection::Server). A
/// stream gives such a consumer what comes from now on, and keeps that.
pub(in crate::rabbitmq) async fn ask(connection: &BrokerConnection, queue: &str) -> Option<bool> {
    let channel = connection.channel().await.ok()?;
    let qos = channel.basic_qos(1, BasicQosOptions::default());
    bounded("setting the prefetch", qos).await.ok()?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("next".into()));
    let options = BasicConsumeOptions::default();
    let consuming =
        channel.basic_consume(queue.into(), "is-it-a-stream".into(), options, arguments);
    match bounded(&format!("queue `{queue}`"), consuming).await {
        Ok(_consumer) => {
            let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
            Some(true)
        }
        Err(SourceError::PreconditionFailed(_)) => Some(false),
        Err(_) => None,
    }
}

/// The error, or that one of these queues is a stream, where that may be its cause.
pub(in crate::rabbitmq) async fn cause_of(
    error: SourceError,
    connection: &BrokerConnection,
    queues: impl IntoIterator<Item = (Purpose, &str)>,
) -> SourceError {
    if !matches!(error, SourceError::PreconditionFailed(_)) {
        return error;
    }
    refuse(connection, queues).await.err().unwrap_or(error)
}

/// Fails if one of these queues is known to be a stream.
///
/// # Errors
///
/// That it is one, and what to do.
pub(in crate::rabbitmq) async fn refuse(
    connection: &BrokerConnection,
    queues: impl IntoIterator<Item = (Purpose, &str)>,
) -> Result<(), SourceError> {
    for (purpose, queue) in queues {
        if is_stream(connection, queue).await == Some(true) {
            return Err(purpose.refusal(queue));
        }
    }
    Ok(())
}

/// The queues that a source publishes to.
pub(in crate::rabbitmq) fn targets<'a>(
    amqp: &'a Amqp,
    source: &'a Source,
) -> impl Iterator<Item = (Purpose, &'a str)> {
    let parked = source.parking.as_ref().map(|parking| (Purpose::Parked, &*parking.queue));
    std::iter::once((Purpose::DeadLetters, &*amqp.dead_letter_queue)).chain(parked)
}

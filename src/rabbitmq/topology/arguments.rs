//! Learns a queue's type and arguments. No method of AMQP 0-9-1 returns them, but RabbitMQ compares them when the queue is declared
//! again. It refuses, and names one argument that differs, with its value. These words only suggest the next question: what is
//! learnt is what RabbitMQ has accepted as equal in the end.

mod difference;
mod inquiry;
#[cfg(test)]
mod tests;

use std::fmt;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

pub(super) use self::difference::Difference;
use self::inquiry::Inquiry;
use super::queue_state::QueueState;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

pub(in crate::rabbitmq) const QUEUE_TYPE: &str = "x-queue-type";
pub(super) const QUORUM: &str = "quorum";
pub(super) const CLASSIC: &str = "classic";
pub(in crate::rabbitmq) const STREAM: &str = "stream";

/// Whether only one of the queue's consumers gets messages.
pub(in crate::rabbitmq) const SINGLE_ACTIVE_CONSUMER: &str = "x-single-active-consumer";

/// What a queue is beside its arguments, as RabbitMQ calls it.
pub(super) const DURABLE: &str = "durable";
pub(super) const AUTO_DELETE: &str = "auto_delete";

/// Only streams have it.
const MAX_AGE: &str = "x-max-age";

/// What is known of a queue's type and arguments.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::rabbitmq) enum Learnt {
    /// RabbitMQ has accepted them as equal.
    Known(QueueArguments),
    /// The user may not configure the queue.
    Refused(String),
    /// The queue belongs to another connection alone.
    Locked(String),
    /// The broker says what is not understood; what it told before.
    Unknown(String, QueueArguments),
}

/// Type and arguments of a queue.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::rabbitmq) struct QueueArguments {
    arguments: FieldTable,
    durable: bool,
    auto_delete: bool,
}

/// Learns them, one by one; each refusal closes a channel, and RabbitMQ logs it. If it `is_guarded`, this creates nothing, should the
/// queue be gone by now. Only brokers that refuse wrong arguments (`Server::refuses_wrong_arguments`) can be asked so: others would
/// create the queue, or compare the guard's argument.
///
/// # Errors
///
/// The queue is not there, or the broker does not answer.
pub(in crate::rabbitmq) async fn learn(
    connection: &BrokerConnection,
    queue: &str,
    is_guarded: bool,
) -> Result<Learnt, SourceError> {
    let mut guess = FieldTable::default();
    guess.insert(QUEUE_TYPE.into(), text(QUORUM));
    inquire(connection, queue, is_guarded, QueueArguments::durable(guess)).await
}

/// As [`learn`], guarded, for a queue that has perhaps these arguments: only those that differ are refused.
pub(super) async fn learn_from(
    connection: &BrokerConnection,
    queue: &str,
    perhaps: QueueArguments,
) -> Result<Learnt, SourceError> {
    inquire(connection, queue, true, perhaps).await
}

/// As [`learn_from`], of a queue that may not be there.
///
/// # Errors
///
/// The broker does not answer.
pub(super) async fn learn_if_there(
    connection: &BrokerConnection,
    queue: &str,
    perhaps: QueueArguments,
) -> Result<Option<Learnt>, SourceError> {
    let learnt = async {
        QueueState::on(connection, queue).await?;
        learn_from(connection, queue, perhaps).await
    };
    match learnt.await {
        Err(SourceError::NotFound(_)) => Ok(None),
        // It was deleted between the questions, and what is asked to create nothing is refused in other words.
        Ok(Learnt::Unknown(..)) if is_gone(connection, queue).await => Ok(None),
        learnt => learnt.map(Some),
    }
}

async fn is_gone(connection: &BrokerConnection, queue: &str) -> bool {
    matches!(QueueState::on(connection, queue).await, Err(SourceError::NotFound(_)))
}

async fn inquire(
    connection: &BrokerConnection,
    queue: &str,
    is_guarded: bool,
    first: QueueArguments,
) -> Result<Learnt, SourceError> {
    let mut inquiry = Inquiry::begin(first);
    loop {
        let QueueArguments { durable, auto_delete, .. } = inquiry.guess;
        let options = QueueDeclareOptions { durable, auto_delete, ..Default::default() };
        let asked =
            if is_guarded { inquiry.guess.guarded() } else { inquiry.guess.arguments.clone() };
        return match declare(connection, queue, options, asked).await {
            Ok(()) => Ok(Learnt::Known(inquiry.guess)),
            Err(SourceError::PreconditionFailed(said)) => match inquiry.learn(&said) {
                Ok(()) => continue,
                Err(why) => Ok(Learnt::Unknown(why, inquiry.guess)),
            },
            Err(SourceError::AccessRefused(said)) => Ok(Learnt::Refused(said)),
            Err(SourceError::ResourceLocked(said)) => Ok(Learnt::Locked(said)),
            Err(error) => Err(error),
        };
    }
}

/// Whether the queue has still this type and these arguments, of which RabbitMQ logs nothing then. As [`learn`], this creates nothing.
pub(in crate::rabbitmq) async fn is_still(
    connection: &BrokerConnection,
    queue: &str,
    known: &QueueArguments,
) -> bool {
    let QueueArguments { durable, auto_delete, .. } = *known;
    let options = QueueDeclareOptions { durable, auto_delete, ..Default::default() };
    declare(connection, queue, options, known.guarded()).await.is_ok()
}

/// Declares a queue on a channel of its own, which a refusal closes.
///
/// # Errors
///
/// The refusal, or the broker does not answer.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<(), SourceError> {
    let channel = connection.channel().await?;
    let declared = channel.queue_declare(queue.into(), options, arguments);
    bounded(&format!("queue `{queue}`"), declared).await?;
    let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
    Ok(())
}

impl QueueArguments {
    #[cfg(test)]
    pub(in crate::rabbitmq) fn of(kind: &str, argument: Option<(&str, i64)>) -> Self {
        let mut arguments = FieldTable::default();
        arguments.insert(QUEUE_TYPE.into(), text(kind));
        if let Some((name, value)) = argument {
            arguments.insert(name.into(), AMQPValue::LongLongInt(value));
        }
        Self::durable(arguments)
    }

    /// Of a durable queue.
    pub(in crate::rabbitmq) const fn durable(arguments: FieldTable) -> Self {
        Self { arguments, durable: true, auto_delete: false }
    }

    pub(super) const fn table(&self) -> &FieldTable {
        &self.arguments
    }

    /// The type, as RabbitMQ calls it.
    pub(in crate::rabbitmq) fn kind(&self) -> &str {
        self.text(QUEUE_TYPE).unwrap_or(CLASSIC)
    }

    pub(in crate::rabbitmq) fn integer(&self, argument: &str) -> Option<i64> {
        match self.arguments.inner().get(argument) {
            Some(AMQPValue::LongLongInt(value)) => Some(*value),
            _ => None,
        }
    }

    pub(in crate::rabbitmq) fn text(&self, argument: &str) -> Option<&str> {
        match self.arguments.inner().get(argument) {
            Some(AMQPValue::LongString(value)) => std::str::from_utf8(value.as_bytes()).ok(),
            _ => None,
        }
    }

    pub(in crate::rabbitmq) fn has(&self, argument: &str) -> bool {
        self.arguments.contains_key(argument)
    }

    /// Whether the queue is there after a restart of the broker.
    pub(in crate::rabbitmq) const fn is_durable(&self) -> bool {
        self.durable
    }

    pub(super) const fn is_auto_delete(&self) -> bool {
        self.auto_delete
    }

    /// Whether the argument is there and true.
    pub(in crate::rabbitmq) fn is_set(&self, argument: &str) -> bool {
        self.arguments.inner().get(argument) == Some(&AMQPValue::Boolean(true))
    }

    /// The arguments, and one that a queue of this type can't have. RabbitMQ compares no such argument of a queue that is there
    /// (`rabbit_amqqueue:assert_args_equivalence`), and declares no queue with it (`check_declare_arguments`).
    fn guarded(&self) -> FieldTable {
        let mut guarded = self.arguments.clone();
        if self.kind() == STREAM {
            guarded.insert("x-max-priority".into(), AMQPValue::LongLongInt(1));
        } else {
            guarded.insert(MAX_AGE.into(), text("1Y"));
        }
        guarded
    }
}

/// The type, and the arguments in parentheses.
impl fmt::Display for QueueArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        if !self.durable {
            f.write_str(", not durable")?;
        }
        if self.auto_delete {
            f.write_str(", auto-delete")?;
        }
        for (name, value) in self.arguments.inner() {
            match value {
                _ if name.as_str() == QUEUE_TYPE => {}
                AMQPValue::LongString(text) if text.as_bytes().is_empty() => {
                    write!(f, ", {name} = \"\"")?;
                }
                AMQPValue::LongString(text) => write!(f, ", {name} = {text}")?,
                AMQPValue::Boolean(value) => write!(f, ", {name} = {value}")?,
                AMQPValue::LongLongInt(value) => write!(f, ", {name} = {value}")?,
                _ => write!(f, ", {name}")?,
            }
        }
        Ok(())
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

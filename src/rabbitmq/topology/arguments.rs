//! Learns a queue's type and arguments. No method of AMQP 0-9-1 returns them, but RabbitMQ compares them when the queue is declared
//! again. It refuses, and names one argument that differs, with its value. These words only suggest the next question: what is
//! learnt is what RabbitMQ has accepted as equal in the end.

mod difference;

use std::fmt;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use self::difference::Difference;
use crate::limits::MOST_ARGUMENTS;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

const QUEUE_TYPE: &str = "x-queue-type";
const QUORUM: &str = "quorum";
const CLASSIC: &str = "classic";
pub(in crate::rabbitmq) const STREAM: &str = "stream";

/// Whether only one of the queue's consumers gets messages.
pub(in crate::rabbitmq) const SINGLE_ACTIVE_CONSUMER: &str = "x-single-active-consumer";

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
/// queue be gone by now. Only brokers that refuse wrong arguments (`greeting::refuses_wrong_arguments`) can be asked so: others would
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
    let mut inquiry = Inquiry::begin();
    loop {
        let QueueArguments { durable, auto_delete, .. } = inquiry.guess;
        let options = QueueDeclareOptions { durable, auto_delete, ..Default::default() };
        let asked = if is_guarded { inquiry.asked() } else { inquiry.guess.arguments.clone() };
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
        Self { arguments, durable: true, auto_delete: false }
    }

    /// The type, as RabbitMQ calls it.
    pub(in crate::rabbitmq) fn kind(&self) -> &str {
        match self.arguments.inner().get(QUEUE_TYPE) {
            Some(AMQPValue::LongString(kind)) => {
                std::str::from_utf8(kind.as_bytes()).unwrap_or_default()
            }
            _ => CLASSIC,
        }
    }

    pub(in crate::rabbitmq) fn integer(&self, argument: &str) -> Option<i64> {
        match self.arguments.inner().get(argument) {
            Some(AMQPValue::LongLongInt(value)) => Some(*value),
            _ => None,
        }
    }

    /// Whether the argument is there and true.
    pub(in crate::rabbitmq) fn is_set(&self, argument: &str) -> bool {
        self.arguments.inner().get(argument) == Some(&AMQPValue::Boolean(true))
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
                AMQPValue::LongString(text) => write!(f, ", {name} = {text}")?,
                AMQPValue::Boolean(value) => write!(f, ", {name} = {value}")?,
                AMQPValue::LongLongInt(value) => write!(f, ", {name} = {value}")?,
                _ => write!(f, ", {name}")?,
            }
        }
        Ok(())
    }
}

/// The arguments of somebody else's queue, as far as RabbitMQ has told them: one with each refusal.
struct Inquiry {
    guess: QueueArguments,
    refusals: usize,
}

impl Inquiry {
    fn begin() -> Self {
        let mut arguments = FieldTable::default();
        arguments.insert(QUEUE_TYPE.into(), text(QUORUM));
        let guess = QueueArguments { arguments, durable: true, auto_delete: false };
        Self { guess, refusals: 0 }
    }

    /// The guess, and an argument that a queue of this type can't have. RabbitMQ compares no such argument of a queue that is there
    /// (`rabbit_amqqueue:assert_args_equivalence`), and declares no queue with it (`check_declare_arguments`).
    fn asked(&self) -> FieldTable {
        let mut asked = self.guess.arguments.clone();
        if self.guess.kind() == STREAM {
            asked.insert("x-max-priority".into(), AMQPValue::LongLongInt(1));
        } else {
            asked.insert(MAX_AGE.into(), text("1Y"));
        }
        asked
    }

    /// Takes in what a refusal told. An error says why that is not understood.
    fn learn(&mut self, said: &str) -> Result<(), String> {
        let Some(Difference { argument, current }) = Difference::read(said) else {
            return Err(said.to_owned());
        };
        if self.refusals == MOST_ARGUMENTS {
            return Err(format!("it has more than {MOST_ARGUMENTS} arguments"));
        }
        self.refusals += 1;
        let (argument, value) = match (argument, current) {
            ("durable", Some((value, _))) => {
                self.guess.durable = value == "true";
                return Ok(());
            }
            ("auto_delete", Some((value, _))) => {
                self.guess.auto_delete = value == "true";
                return Ok(());
            }
            (QUEUE_TYPE, Some((value, _))) => (QUEUE_TYPE, text(value)),
            // Only classic queues may be without a type.
            (QUEUE_TYPE, None) => (QUEUE_TYPE, text(CLASSIC)),
            // What was asked for is compared, so it is a stream.
            (MAX_AGE, _) if self.guess.kind() != STREAM => (QUEUE_TYPE, text(STREAM)),
            (_, Some((value, kind))) => {
                (argument, typed(value, kind).ok_or_else(|| said.to_owned())?)
            }
            (_, None) => return Err(said.to_owned()),
        };
        self.guess.arguments.insert(argument.into(), value);
        Ok(())
    }
}

fn typed(value: &str, kind: &str) -> Option<AMQPValue> {
    match kind {
        "longstr" => Some(text(value)),
        "bool" => Some(AMQPValue::Boolean(value == "true")),
        // AMQP cuts the refusal to 255 bytes.
        "" => Some(value.parse().map_or_else(|_| text(value), AMQPValue::LongLongInt)),
        // RabbitMQ takes any integer for any other.
        _ => value.parse().ok().map(AMQPValue::LongLongInt),
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(argument: &str, rest: &str) -> String {
        format!(
            "queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {rest}"
        )
    }

    fn learnt(refusals: &[(&str, &str)]) -> QueueArguments {
        let mut inquiry = Inquiry::begin();
        for (argument, current) in refusals {
            let said = differs(argument, &format!("received none but current is {current}"));
            inquiry.learn(&said).unwrap();
        }
        inquiry.guess
    }

    #[test]
    fn one_argument_more_than_are_found_out_is_too_many() {
        let mut inquiry = Inquiry::begin();
        let one = "received none but current is the value '1' of type 'long'";
        let said = |number: usize| differs(&format!("x-{number}"), one);
        for number in 0..MOST_ARGUMENTS {
            assert_eq!(inquiry.learn(&said(number)), Ok(()), "{number}");
        }
        let end = Err("it has more than 32 arguments".to_owned());
        assert_eq!(inquiry.learn(&said(MOST_ARGUMENTS)), end);
    }

    #[test]
    fn type_and_arguments_are_put_together_from_refusals() {
        let limit = ("x-delivery-limit", "the value '20' of type 'signedint'");
        let single = ("x-single-active-consumer", "the value 'true' of type 'bool'");
        let quorum = learnt(&[limit, single]);
        assert_eq!((quorum.kind(), quorum.integer("x-delivery-limit")), ("quorum", Some(20)));
        assert!(quorum.is_set("x-single-active-consumer") && !quorum.is_set("x-delivery-limit"));
        let shown = "quorum, x-delivery-limit = 20, x-single-active-consumer = true";
        assert_eq!(quorum.to_string(), shown);
        let classic =
            learnt(&[("durable", "'false'"), ("auto_delete", "'true'"), ("x-queue-type", "none")]);
        assert_eq!(classic.to_string(), "classic, not durable, auto-delete");
        let cut = learnt(&[
            ("x-dead-letter-exchange", "the value 'a long name' of ty"),
            ("x-max-length", "the value '7'"),
        ]);
        assert_eq!(
            cut.to_string(),
            "quorum, x-dead-letter-exchange = a long name, x-max-length = 7"
        );
        let age = ("x-max-age", "the value '7D' of type 'longstr'");
        for stream in [
            learnt(&[("x-queue-type", "'stream'"), age]),
            learnt(&[("x-max-age", "none"), age]),
            learnt(&[("x-max-age", "'7D'"), age]),
        ] {
            assert_eq!(stream.to_string(), "stream, x-max-age = 7D");
        }
    }

    #[test]
    fn each_question_has_an_argument_that_no_queue_of_its_type_can_be_declared_with() {
        let asked =
            |refusals: &[(&str, &str)]| Inquiry { guess: learnt(refusals), refusals: 0 }.asked();
        assert!(asked(&[]).contains_key("x-max-age"));
        assert!(asked(&[("x-queue-type", "none")]).contains_key("x-max-age"));
        let stream = asked(&[("x-max-age", "none")]);
        assert!(stream.contains_key("x-max-priority") && !stream.contains_key("x-max-age"));
    }
}

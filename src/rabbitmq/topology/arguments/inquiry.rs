//! Puts together what RabbitMQ's refusals tell of a queue.

use lapin::types::AMQPValue;

use super::difference::Difference;
use super::{AUTO_DELETE, CLASSIC, DURABLE, MAX_AGE, QUEUE_TYPE, QueueArguments, STREAM, text};
use crate::limits::MOST_ARGUMENTS;

/// The arguments of somebody else's queue, as far as RabbitMQ has told them: one with each refusal.
pub(super) struct Inquiry {
    pub(super) guess: QueueArguments,
    refusals: usize,
}

impl Inquiry {
    pub(super) const fn begin(guess: QueueArguments) -> Self {
        Self { guess, refusals: 0 }
    }

    /// Takes in what a refusal told. An error says why that is not understood.
    pub(super) fn learn(&mut self, said: &str) -> Result<(), String> {
        let Some(argument) = Difference::argument_in(said) else { return Err(said.to_owned()) };
        if self.refusals == MOST_ARGUMENTS {
            return Err(format!("it has more than {MOST_ARGUMENTS} arguments"));
        }
        self.refusals += 1;
        let current = match Difference::read(said) {
            Some(difference) => difference.current,
            // AMQP cuts RabbitMQ's words after 255 bytes, which long names fill. Asked without the argument, RabbitMQ does not repeat the
            // value that was asked for, and has room for its own; if there is none, it finds no difference.
            None if argument != QUEUE_TYPE && self.guess.has(argument) => None,
            None => return Err(said.to_owned()),
        };
        let (argument, value) = match (argument, current) {
            (DURABLE, Some((value, _))) => {
                self.guess.durable = value == "true";
                return Ok(());
            }
            (AUTO_DELETE, Some((value, _))) => {
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
            (_, None) => return self.forget(argument).ok_or_else(|| said.to_owned()),
        };
        self.guess.arguments.insert(argument.into(), value);
        Ok(())
    }

    /// The queue has no such argument. `None`: it was not asked for.
    fn forget(&mut self, argument: &str) -> Option<()> {
        let mut arguments = self.guess.arguments.inner().clone();
        arguments.remove(argument)?;
        self.guess.arguments = arguments.into();
        Some(())
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

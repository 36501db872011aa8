//! The arguments of a source's queue that keep order across workers: one active consumer, whose deliveries come back soon when its
//! node is lost.
//!
//! RabbitMQ can't change a queue's arguments. So a queue that was declared without them, as by an older version of this worker, is
//! used as it is.

#[cfg(test)]
mod tests;

use lapin::types::{AMQPValue, FieldTable};

use super::arguments::{Difference, QueueArguments, SINGLE_ACTIVE_CONSUMER};
use crate::config::{Amqp, QueueType, Source};

/// After how many milliseconds RabbitMQ returns what a consumer on a lost node held. From 4.3 on it waits for a minute by itself, and
/// meanwhile hands out what comes later. Older versions return it at once, and ignore the argument.
pub(super) const DISCONNECTED_TIMEOUT: &str = "x-consumer-disconnected-timeout";
const DISCONNECTED_TIMEOUT_MS: i64 = 1000;

/// What is said of a queue without that argument.
const UNSET: &str = "not set (a minute, unless a policy sets it)";

/// The two arguments, as far as they are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) struct OrderArguments {
    single_active: Option<bool>,
    disconnected_timeout: Option<i64>,
}

impl OrderArguments {
    /// Of a new queue of this source.
    pub(in crate::rabbitmq) fn of(amqp: &Amqp, source: &Source) -> Self {
        Self::wanted(source, amqp.queue_type == QueueType::Quorum)
    }

    /// Classic queues have no such timeout.
    fn wanted(source: &Source, is_quorum: bool) -> Self {
        let single_active = source.single_active;
        Self {
            single_active: single_active.then_some(true),
            disconnected_timeout: (single_active && is_quorum).then_some(DISCONNECTED_TIMEOUT_MS),
        }
    }

    /// What it means for a source that its queue, which is used as it is, has these arguments; `None` if they are as `run` would declare them.
    pub(in crate::rabbitmq) fn deviation_of(
        known: &QueueArguments,
        source: &Source,
    ) -> Option<String> {
        let is_quorum = known.kind() == QueueType::Quorum.into_str();
        let found = Self {
            single_active: known.is_set(SINGLE_ACTIVE_CONSUMER).then_some(true),
            disconnected_timeout: known.integer(DISCONNECTED_TIMEOUT).filter(|_| is_quorum),
        };
        found.deviation(Self::wanted(source, is_quorum))
    }

    /// Whether only one of the queue's consumers gets messages.
    pub(in crate::rabbitmq) fn is_single_active(self) -> bool {
        self.single_active == Some(true)
    }

    /// Whether this is one of them.
    pub(super) fn has(argument: &str) -> bool {
        [SINGLE_ACTIVE_CONSUMER, DISCONNECTED_TIMEOUT].contains(&argument)
    }

    pub(super) fn put_into(self, arguments: &mut FieldTable) {
        if let Some(set) = self.single_active {
            arguments.insert(SINGLE_ACTIVE_CONSUMER.into(), AMQPValue::Boolean(set));
        }
        if let Some(timeout) = self.disconnected_timeout {
            arguments.insert(DISCONNECTED_TIMEOUT.into(), AMQPValue::LongLongInt(timeout));
        }
    }

    /// As the queue that is there has them, by what RabbitMQ says of one that differs. `None`: something else differs, or nothing
    /// better can be guessed.
    pub(super) fn adopt(self, said: &str) -> Option<Self> {
        let names = |argument: &str| said.contains(&format!("inequivalent arg '{argument}'"));
        let current = Difference::read(said).map(|it| it.current.map(|(value, _)| value));
        let adopted = if names(SINGLE_ACTIVE_CONSUMER) {
            // AMQP cuts RabbitMQ's words after 255 bytes, perhaps within the queue's name: then it is the other way round.
            let single_active = match current {
                Some(value) => value.map(|it| it == "true"),
                None if self.single_active.is_some() => None,
                None => Some(true),
            };
            Self { single_active, ..self }
        } else if names(DISCONNECTED_TIMEOUT) {
            let disconnected_timeout = current.flatten().map(str::parse).transpose().ok()?;
            Self { disconnected_timeout, ..self }
        } else {
            return None;
        };
        (adopted != self).then_some(adopted)
    }

    /// What it means that a queue has these arguments where a new one would have `wanted`, and what to do; `None` where it means nothing.
    pub(in crate::rabbitmq) fn deviation(self, wanted: Self) -> Option<String> {
        let meaning = match (self.is_single_active(), wanted.is_single_active()) {
            (false, true) => format!(
                "it has no {SINGLE_ACTIVE_CONSUMER}, so several workers share its events, and order is kept within each of them only"
            ),
            (true, false) => format!(
                "it has {SINGLE_ACTIVE_CONSUMER}, so one worker at a time consumes it, and the others stand by"
            ),
            (true, true) if self.disconnected_timeout != wanted.disconnected_timeout => {
                let timeout = self.disconnected_timeout;
                let timeout = timeout.map_or(UNSET.to_owned(), |it| format!("{it} ms"));
                format!(
                    "its {DISCONNECTED_TIMEOUT} is {timeout}: RabbitMQ from 4.3 on returns what a worker on a lost node held after that \
                     time, and delivers later events first"
                )
            }
            _ => return None,
        };
        Some(format!(
            "{meaning}; RabbitMQ can't change a queue's arguments, so see \"Moving to a new queue\" in docs/own-queues.md"
        ))
    }
}

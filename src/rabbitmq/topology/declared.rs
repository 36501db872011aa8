//! The arguments that queues are declared with.

#[cfg(test)]
mod tests;

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable, LongString};

use super::order_arguments::OrderArguments;
use crate::config::{Amqp, Partitioning, QueueType, Source};

/// RabbitMQ 4 gives a quorum queue a delivery limit of 20 where none is set, after which
/// it drops; 3.x knows no way to say "none". This number is valid for both, and looking at
/// dead letters does not reach it.
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

pub(super) const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
pub(super) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";
pub(super) const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
pub(super) const MAX_LENGTH: &str = "x-max-length";
pub(in crate::rabbitmq) const DELIVERY_LIMIT: &str = "x-delivery-limit";

/// The arguments of a source's queue: at the delivery limit it dead-letters, at
/// least once. Where order is kept, it has one active consumer.
#[must_use]
pub fn queue_arguments(amqp: &Amqp, source: &Source) -> FieldTable {
    queue_arguments_with(amqp, amqp.queue_type, OrderArguments::of(amqp, source))
}

/// The same with this type, and other arguments for order.
pub(super) fn queue_arguments_with(
    amqp: &Amqp,
    queue_type: QueueType,
    order: OrderArguments,
) -> FieldTable {
    let mut arguments = typed(queue_type);
    order.put_into(&mut arguments);
    arguments.insert(DEAD_LETTER_EXCHANGE.into(), text(&amqp.dead_letter_exchange));
    if queue_type == QueueType::Quorum {
        arguments.insert(DELIVERY_LIMIT.into(), i64::from(amqp.delivery_limit).into());
        // At-least-once asks for an overflow behaviour that does not drop.
        arguments.insert(DEAD_LETTER_STRATEGY.into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
    }
    arguments
}

/// Deliveries of a partition that count besides those of `amqp.delivery_limit`. Each hand-over to another worker is one for all that
/// was prefetched: the workers themselves look for events that end them (`consume/partitions/trial.rs`), and RabbitMQ's limit is the
/// last resort.
const HAND_OVERS: u32 = 1_000;

/// The arguments of a partition, which is handed over from worker to worker.
pub(super) fn partition_arguments(
    amqp: &Amqp,
    queue_type: QueueType,
    order: OrderArguments,
) -> FieldTable {
    let mut arguments = queue_arguments_with(amqp, queue_type, order);
    if queue_type == QueueType::Quorum {
        let limit = amqp.delivery_limit.saturating_add(HAND_OVERS);
        arguments.insert(DELIVERY_LIMIT.into(), i64::from(limit).into());
    }
    arguments
}

/// The arguments of the queue that counts the workers of a source with partitions. They remember how many partitions there are, and by
/// what events are divided, which RabbitMQ does not compare when an exchange is declared again: it would be the routing key of
/// messages that find no room, and nobody sends any.
pub(super) fn marker_arguments(amqp: &Amqp, partitioning: Partitioning<'_>) -> FieldTable {
    let mut arguments = typed(amqp.queue_type);
    arguments.insert(MAX_LENGTH.into(), i64::from(partitioning.count).into());
    arguments.insert(DEAD_LETTER_EXCHANGE.into(), text(&amqp.dead_letter_exchange));
    arguments.insert(DEAD_LETTER_ROUTING_KEY.into(), text(&partitioning.by.to_string()));
    arguments
}

/// For so long a record of an event of which workers may be dying counts.
const SUSPECTED_FOR: Duration = Duration::from_hours(24);

/// So many records there are at most: the oldest go.
const MOST_RECORDS: i64 = 1_000;

/// The arguments of the queue where workers write down that they begin an event of which others may have died. Looking at it must not
/// count.
pub(super) fn suspects_arguments(amqp: &Amqp) -> FieldTable {
    let mut arguments = dead_letter_arguments(amqp.queue_type);
    arguments.insert(MAX_LENGTH.into(), MOST_RECORDS.into());
    let milliseconds = i64::try_from(SUSPECTED_FOR.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-message-ttl".into(), milliseconds.into());
    arguments
}

/// Records of partitions that are over: each is written once, or a few times if its worker died then.
const MOST_ENDS: i64 = 10_000;

/// The arguments of the queue that is there while the number of partitions changes, with the two numbers where RabbitMQ keeps them for all
/// to see: nothing is dead-lettered from it. Looking at it must not count.
pub(super) fn moving_arguments(amqp: &Amqp, numbers: &str) -> FieldTable {
    let mut arguments = dead_letter_arguments(amqp.queue_type);
    arguments.insert(MAX_LENGTH.into(), MOST_ENDS.into());
    arguments.insert(DEAD_LETTER_EXCHANGE.into(), text(""));
    arguments.insert(DEAD_LETTER_ROUTING_KEY.into(), text(numbers));
    arguments
}

/// The arguments of a parking queue: expired events go to the source's queue, at
/// least once. Each event has its own expiration, so that a change of the time needs no new queue.
#[must_use]
pub fn parking_arguments(queue_type: QueueType, queue: &str) -> FieldTable {
    let mut arguments = typed(queue_type);
    arguments.insert(DEAD_LETTER_EXCHANGE.into(), text(""));
    arguments.insert(DEAD_LETTER_ROUTING_KEY.into(), text(queue));
    if queue_type == QueueType::Quorum {
        arguments.insert(DEAD_LETTER_STRATEGY.into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
    }
    arguments
}

/// The arguments of the dead-letter queue.
#[must_use]
pub fn dead_letter_arguments(queue_type: QueueType) -> FieldTable {
    let mut arguments = typed(queue_type);
    if queue_type == QueueType::Quorum {
        arguments.insert(DELIVERY_LIMIT.into(), NO_DELIVERY_LIMIT.into());
    }
    arguments
}

fn typed(queue_type: QueueType) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text(queue_type.into_str()));
    arguments
}

pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

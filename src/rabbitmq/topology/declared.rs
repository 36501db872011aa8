//! The arguments that queues are declared with.

#[cfg(test)]
mod tests;

use lapin::types::{AMQPValue, FieldTable, LongString};

use super::order_arguments::OrderArguments;
use crate::config::{Amqp, QueueType, Source};

/// RabbitMQ 4 gives a quorum queue a delivery limit of 20 where none is set, after which
/// it drops; 3.x knows no way to say "none". This number is valid for both, and looking at
/// dead letters does not reach it.
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

pub(super) const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
pub(super) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";
pub(super) const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
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

//! Stages of a consumer: from a small prefetch to a larger one.

use lapin::types::DeliveryTag;
use tokio::time::Instant;

/// RabbitMQ takes another prefetch for another consumer only, and counts what it has delivered to
/// each by itself. So that all together stay within the configured one, a consumer is cancelled, and
/// the next comes when all is acknowledged.
///
/// Only a full consumer is cancelled, to which nothing can be on its way: RabbitMQ's channel sends back what
/// a quorum queue delivers to one that is gone, and the queue puts it behind all that came back before,
/// such as what a dead worker held (`handle_delivery` in `rabbit_fifo_client`, `return_one` in `rabbit_fifo`).
/// One that does not get full needs no larger prefetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first few: until as many are acknowledged, or it has been so long.
    First(Instant),
    /// A larger prefetch, but not the full one: when it came, deliveries up to this one were open.
    Short(DeliveryTag),
    /// Being cancelled; what is open may take until then to be acknowledged.
    Cancelling(Instant),
    /// The consumer has nothing more.
    Draining(Instant),
    /// The next consumer is on its way.
    Beginning,
    Full,
    /// The broker has cancelled the consumer.
    Gone,
}

//! Consume options: the queue, the prefetch and other settings.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};

use crate::observe::monitor::Monitor;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bytes::{InFlightBytes, Sizes};
use crate::rabbitmq::connection::{Broker, bounded};
use crate::rabbitmq::topology::consumer_timeout::with_timeout;

/// What is consumed, and how.
#[derive(Debug, Clone)]
pub(in crate::rabbitmq) struct ConsumeOptions {
    pub(in crate::rabbitmq) broker: Rc<Broker>,
    pub(in crate::rabbitmq) monitor: Option<Rc<Monitor>>,
    /// Whether only one consumer of the queue gets messages, where that is known.
    pub(in crate::rabbitmq) single_active: Option<bool>,
    /// Whether the user may look at the queue: a refusal would close the channel.
    pub(in crate::rabbitmq) may_look: bool,
    /// The consumer is neither cancelled nor followed by a larger one. The next one in the order of a single active consumer would
    /// get messages before what this one holds is settled, and overtake it. And where the next one has a smaller prefetch and dies,
    /// too, RabbitMQ returns what it held behind the rest of what came back before.
    pub(in crate::rabbitmq) keeps_consumer: bool,
    /// The consumer is one of several on a connection. Its prefetch is always the same, standing by is nothing to tell, and what
    /// becomes of too many bytes is decided for all of them.
    pub(in crate::rabbitmq) is_lane: bool,
    /// How long a delivery may be held, where the broker goes by that.
    pub(in crate::rabbitmq) timeout: Option<Duration>,
    pub(in crate::rabbitmq) channel: Channel,
    pub(in crate::rabbitmq) queue: String,
    /// How the consumer shows on RabbitMQ's side.
    pub(in crate::rabbitmq) name: String,
    /// As configured; fewer where that many would be more bytes than may be in flight.
    pub(in crate::rabbitmq) prefetch: u16,
    pub(in crate::rabbitmq) bytes: Arc<InFlightBytes>,
    pub(in crate::rabbitmq) sizes: Rc<Sizes>,
    /// For how long the connection may be silent.
    pub(in crate::rabbitmq) heartbeat: Duration,
}

impl ConsumeOptions {
    /// How many deliveries to have in flight, by what is known of their size.
    pub(super) fn fitting(&self) -> u16 {
        if self.is_lane {
            return self.prefetch;
        }
        self.sizes.prefetch(self.prefetch, self.bytes.limit())
    }
}

/// `number` counts the consumers of the channel. What they hold when it closes, quorum queues before
/// RabbitMQ 4 put back in the order of their tags, so a later one's tag has to be the greater
/// (`handle_down` in `rabbit_fifo`).
pub(super) async fn consume(
    options: &ConsumeOptions,
    number: u32,
    prefetch: u16,
) -> Result<Consumer, SourceError> {
    let ConsumeOptions { channel, queue, name, timeout, .. } = options;
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    bounded("setting the prefetch", qos).await?;
    let tag = format!("{name} #{number:07} (prefetch {prefetch})");
    let (options, arguments) = (BasicConsumeOptions::default(), arguments(*timeout));
    let consuming = channel.basic_consume(queue.as_str().into(), tag.into(), options, arguments);
    bounded(&format!("consuming `{queue}`"), consuming).await
}

/// The arguments of a consumer.
///
/// RabbitMQ refuses a priority on a stream, which knows none. On other queues 0 is the default one, and that of every consumer: a
/// higher one takes the place of a single active consumer from RabbitMQ 4.0 on, and if that one's channel is closed while it has
/// something open, RabbitMQ keeps it among those that wait, and delivers to it later though it is gone (`update_or_remove_con` in
/// `rabbit_fifo`; seen on 4.3.6).
pub(in crate::rabbitmq) fn arguments(timeout: Option<Duration>) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-priority".into(), AMQPValue::LongInt(0));
    match timeout {
        Some(timeout) => with_timeout(arguments, timeout),
        None => arguments,
    }
}

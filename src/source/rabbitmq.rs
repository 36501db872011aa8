//! A RabbitMQ queue as a [`Source`].

use std::rc::Rc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{DeliveryTag, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Consumer};

use super::connection::{Broker, bounded, explain};
use super::dead_letter_exchange::DeadLetterExchange;
use super::{Delivery, Session, Source, SourceError, topology};
use crate::config;
use crate::event::Envelope;
use crate::outcome::DeadLetter;
use crate::pause::Pauses;
use crate::settle::{Settle, Void};

/// Quorum queues can lose acknowledgements that were sent just before their channel
/// closes, even after close-ok; measured on RabbitMQ 3.10, half a second left none behind.
const PATIENCE_BEFORE_CLOSE: Duration = Duration::from_millis(500);

/// One configured source.
#[derive(Debug)]
pub struct RabbitQueue {
    broker: Rc<Broker>,
    source: config::Source,
    dead_letters: Rc<DeadLetterExchange>,
}

impl RabbitQueue {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(
        broker: Rc<Broker>,
        source: config::Source,
        dead_letters: Rc<DeadLetterExchange>,
    ) -> Self {
        Self { broker, source, dead_letters }
    }
}

impl Source for RabbitQueue {
    type Session = RabbitSession;

    async fn open(&self) -> Result<RabbitSession, SourceError> {
        let amqp = self.broker.config();
        let connection = self.broker.connect(&self.source.name).await?;
        let channel = bounded("opening a channel", connection.create_channel()).await?;
        topology::ensure(&channel, amqp, &self.source).await?;
        let qos = channel.basic_qos(amqp.prefetch, BasicQosOptions::default());
        bounded("setting the prefetch", qos).await?;
        let consuming = channel.basic_consume(
            self.source.queue.as_str().into(),
            self.broker.name().into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = bounded(&format!("consuming `{}`", self.source.queue), consuming).await?;
        let settler = RabbitSettler {
            channel,
            dead_letters: Rc::clone(&self.dead_letters),
            queue: self.source.queue.as_str().into(),
        };
        Ok(RabbitSession { connection, consumer, settler })
    }
}

/// A consumer on a connection and a channel of its own.
#[derive(Debug)]
pub struct RabbitSession {
    connection: Connection,
    consumer: Consumer,
    settler: RabbitSettler,
}

impl Session for RabbitSession {
    type Receipt = RabbitReceipt;
    type Settler = RabbitSettler;

    async fn next(&mut self) -> Result<Delivery<RabbitReceipt>, SourceError> {
        let queue = &self.settler.queue;
        match self.consumer.next().await {
            Some(Ok(delivery)) => Ok(unpack(delivery)),
            Some(Err(error)) => {
                Err(SourceError(format!("consuming `{queue}` ended: {}", explain(&error))))
            }
            None => Err(SourceError(format!(
                "the broker cancelled the consumer of `{queue}`; was the queue deleted?"
            ))),
        }
    }

    fn settler(&self) -> RabbitSettler {
        self.settler.clone()
    }

    async fn stop_taking(&mut self) -> usize {
        let cancel =
            self.settler.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default());
        // If that fails, the channel is gone, and with it what it had delivered.
        let _ = bounded("cancelling the consumer", cancel).await;
        let mut untaken = 0;
        while let Some(Some(Ok(_))) = self.consumer.next().now_or_never() {
            untaken += 1;
        }
        untaken
    }

    async fn close(self) {
        tokio::time::sleep(PATIENCE_BEFORE_CLOSE).await;
        // Either may be gone already; the broker requeues what is unsettled in any case.
        let _ = bounded("closing the channel", self.settler.channel.close(200, "bye".into())).await;
        let _ = bounded("closing the connection", self.connection.close(200, "bye".into())).await;
    }
}

/// The right to settle one delivery of one channel.
#[derive(Debug)]
#[must_use = "a delivery that is not settled comes back only when its channel closes"]
pub struct RabbitReceipt {
    tag: DeliveryTag,
    /// As they came, so that a dead letter keeps all of them.
    properties: BasicProperties,
}

fn unpack(delivery: lapin::message::Delivery) -> Delivery<RabbitReceipt> {
    let properties = delivery.properties;
    let envelope = Envelope {
        exchange: delivery.exchange.as_str().to_owned(),
        routing_key: delivery.routing_key.as_str().to_owned(),
        content_type: properties.content_type().as_ref().map(|it| it.as_str().to_owned()),
        message_id: properties.message_id().as_ref().map(|it| it.as_str().to_owned()),
        payload: delivery.data,
    };
    let receipt = RabbitReceipt { tag: delivery.delivery_tag, properties };
    Delivery { envelope, receipt }
}

/// Settles on the channel that delivered.
#[derive(Debug, Clone)]
pub struct RabbitSettler {
    channel: Channel,
    dead_letters: Rc<DeadLetterExchange>,
    queue: Rc<str>,
}

impl Settle for RabbitSettler {
    type Receipt = RabbitReceipt;

    async fn ack(&self, receipt: RabbitReceipt) -> Result<(), Void> {
        let ack = self.channel.basic_ack(receipt.tag, BasicAckOptions::default());
        bounded("acknowledging", ack).await.map_err(|_| Void)
    }

    async fn bury(
        &self,
        envelope: &Envelope,
        receipt: &RabbitReceipt,
        letter: &DeadLetter,
    ) -> Result<(), Void> {
        let mut pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(30));
        loop {
            let properties = &receipt.properties;
            let buried = self.dead_letters.publish(envelope, properties, letter, &self.queue);
            if buried.await.is_ok() {
                return Ok(());
            }
            if !self.channel.status().connected() {
                return Err(Void);
            }
            tokio::time::sleep(pauses.draw()).await;
        }
    }
}

//! One connection to the fleet: the exchange, a queue of its own, and a consumer of it.

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer, ExchangeKind};

use super::message;
use crate::config::{Amqp, Fleet};
use crate::fleet::{Ignored, Said};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::explain;
use crate::rabbitmq::connection::{Broker, bounded};
use crate::rabbitmq::topology::find_exchange;

/// Reports that may wait in the queue of a worker that does not take them. They expire, too.
const MOST_WAITING: i32 = 1000;

/// Bytes of reports that have come and are not read yet: for those of 200 workers.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What hears the fleet, and is heard by it.
#[derive(Debug)]
pub(crate) struct FleetSession {
    amqp: Amqp,
    fleet: Fleet,
    queue: String,
    /// The user of the connection, if it is known.
    user: Option<String>,
    consumer: Consumer,
    channel: Channel,
    /// What the broker said when it ended the consumer.
    ended: Option<String>,
    connection: BrokerConnection,
}

impl FleetSession {
    /// Connects, and declares and binds what is needed. `purpose` is how the connection shows on RabbitMQ's side.
    ///
    /// # Errors
    ///
    /// Above all that the user may not.
    pub(crate) async fn open(
        broker: &Broker,
        fleet: &Fleet,
        purpose: &str,
    ) -> Result<Self, SourceError> {
        let connection = broker.connect(purpose).await?;
        Self::on(connection, broker, fleet).await
    }

    /// The same, unless no worker of the fleet is there, and so no exchange: then nothing is declared.
    ///
    /// # Errors
    ///
    /// Above all that the user may not.
    pub(crate) async fn open_if_there(
        broker: &Broker,
        fleet: &Fleet,
        purpose: &str,
    ) -> Result<Option<Self>, SourceError> {
        let connection = broker.connect(purpose).await?;
        match find_exchange(&connection.channel().await?, &fleet.exchange()).await {
            Ok(()) => Self::on(connection, broker, fleet).await.map(Some),
            Err(SourceError::NotFound(_)) => {
                connection.close().await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn on(
        connection: BrokerConnection,
        broker: &Broker,
        fleet: &Fleet,
    ) -> Result<Self, SourceError> {
        connection.bytes().limit_to(MOST_BYTES);
        let amqp = broker.config().clone();
        let user = broker.last_uri().and_then(crate::config::AmqpUri::user);
        let channel = connection.channel().await?;
        let (exchange, queue) = (
            fleet.exchange(),
            format!("{}{:016x}", message::queue_prefix(fleet), fastrand::u64(..)),
        );
        declare(&channel, &exchange, &queue).await?;
        // Taken as they come: a report that is lost is followed by another one.
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
        let name = queue.as_str().into();
        let consuming = channel.basic_consume(name, "fleet".into(), options, FieldTable::default());
        let consumer = bounded(&format!("queue `{queue}`"), consuming).await?;
        let (fleet, ended) = (fleet.clone(), None);
        Ok(Self { amqp, fleet, queue, user, consumer, channel, ended, connection })
    }

    /// The queue of its own.
    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }

    /// Whether RabbitMQ has an alarm, and takes nothing.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// The next report, and whether it is signed, or why it is not believed. `None`: the session is at its end. May be
    /// dropped while it waits.
    pub(crate) async fn next(&mut self) -> Option<Result<(Said, bool), Ignored>> {
        match self.consumer.next().await {
            Some(Ok(delivery)) => {
                // So that what is kept of large headers goes.
                let bytes = self.connection.bytes();
                bytes.settle(bytes.charge(
                    self.channel.id(),
                    delivery.delivery_tag,
                    delivery.data.len(),
                ));
                Some(message::read(&self.amqp, &self.fleet, &delivery))
            }
            Some(Err(error)) => {
                self.ended = Some(explain(&error));
                None
            }
            None => None,
        }
    }

    /// Why there is nothing more to hear.
    pub(crate) fn why_it_ended(&mut self) -> SourceError {
        let why = self.ended.take();
        SourceError::Failed(why.unwrap_or_else(|| {
            format!("RabbitMQ has ended the consumer of queue `{}`", self.queue)
        }))
    }

    /// Sends a report, as JSON, to all workers. Whether they get it, they show.
    ///
    /// # Errors
    ///
    /// The channel or the connection is at its end.
    pub(crate) async fn publish(&self, body: &[u8]) -> Result<(), SourceError> {
        let exchange = self.fleet.exchange();
        let properties = message::properties(&self.amqp, &self.fleet, self.user.as_deref(), body);
        let name = exchange.as_str().into();
        let options = BasicPublishOptions::default();
        let publishing = self.channel.basic_publish(name, "".into(), options, body, properties);
        bounded(&format!("exchange `{exchange}`"), publishing).await.map(drop)
    }

    /// Closes the connection, and the queue goes with it.
    pub(crate) async fn close(self) {
        self.connection.close().await;
    }
}

/// Both go with the last worker.
async fn declare(channel: &Channel, exchange: &str, queue: &str) -> Result<(), SourceError> {
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let (kind, none) = (ExchangeKind::Fanout, FieldTable::default());
    let declaring = channel.exchange_declare(exchange.into(), kind, options, none);
    bounded(&format!("exchange `{exchange}`"), declaring).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(MOST_WAITING));
    let declaring = channel.queue_declare(queue.into(), options, arguments);
    let what = format!("queue `{queue}`");
    bounded(&what, declaring).await?;
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    let binding = channel.queue_bind(queue.into(), exchange.into(), "".into(), options, none);
    bounded(&format!("{what} on exchange `{exchange}`"), binding).await
}

//! Reads the control stream from its beginning to its end, and goes on from there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, timeout, timeout_at};

use super::{message, publish};
use crate::config::Fleet;
use crate::fleet::pauses::{Command, Ignored, Operator, Order, PausedTargets, Via};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::bytes::InFlightBytes;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::{Broker, CALL_TIMEOUT, bounded};
use crate::rabbitmq::headers::header_room::text;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;

/// Messages on their way at once. They may be large: anybody may have written them.
const PREFETCH: u16 = 50;

/// A stream that has said nothing for so long is most likely empty. Then a first message is written into it: a stream keeps its
/// last part however old it is, so that is once in its life.
const EMPTY_AFTER: Duration = Duration::from_millis(300);

/// For that message to come back; else the stream is taken to be empty.
const BEGINS_WITHIN: Duration = Duration::from_secs(1);

/// Behind the last message that is known, others may come that RabbitMQ has written together with it. All that comes within
/// this time still counts as what was there.
const TOGETHER: Duration = Duration::from_millis(50);

/// What the stream said up to its end, and the consumer that goes on.
pub(super) struct History {
    pub(super) targets: PausedTargets,
    pub(super) stream: StreamConsumer,
}

/// A consumer of the stream.
pub(super) struct StreamConsumer {
    consumer: Consumer,
    name: String,
    bytes: Arc<InFlightBytes>,
    /// Until its consumer is dropped.
    channel: Channel,
}

impl History {
    /// Reads all, telling why a message is ignored. An empty stream is begun.
    pub(super) async fn read(
        connection: &BrokerConnection,
        broker: &Broker,
        fleet: &Fleet,
        ignored: impl FnMut(Ignored),
    ) -> Result<Self, SourceError> {
        let last = match last_offset(connection, fleet).await? {
            Some(last) => last,
            None => first_offset(connection, broker, fleet).await?,
        };
        Self::up_to(last, connection, broker, fleet, ignored).await
    }

    /// The same without a change: an empty stream stays empty.
    pub(super) async fn look(
        connection: &BrokerConnection,
        broker: &Broker,
        fleet: &Fleet,
    ) -> Result<Self, SourceError> {
        let last = last_offset(connection, fleet).await?.flatten();
        Self::up_to(last, connection, broker, fleet, drop).await
    }

    async fn up_to(
        last: Option<i64>,
        connection: &BrokerConnection,
        broker: &Broker,
        fleet: &Fleet,
        mut ignored: impl FnMut(Ignored),
    ) -> Result<Self, SourceError> {
        let mut stream = StreamConsumer::open(connection, fleet, "first").await?;
        let mut targets = PausedTargets::default();
        // A fixed time, however much still comes: that is new, and followed.
        let mut ends = last.is_none().then(|| Instant::now() + TOGETHER);
        loop {
            if ends.is_some_and(|ends| Instant::now() >= ends) {
                return Ok(Self { targets, stream });
            }
            let until = ends.unwrap_or_else(|| Instant::now() + CALL_TIMEOUT);
            let delivery = match timeout_at(until, stream.next()).await {
                Ok(delivery) => delivery?,
                Err(_) if ends.is_some() => return Ok(Self { targets, stream }),
                Err(_) => {
                    let name = &stream.name;
                    let said = format!("stream `{name}` does not deliver what it has");
                    return Err(SourceError::Failed(said));
                }
            };
            if ends.is_none() && message::offset(&delivery) >= last {
                ends = Some(Instant::now() + TOGETHER);
            }
            let command = message::command(&delivery, broker.config());
            let applied = command.and_then(|it| targets.apply(&it, &fleet.name));
            applied.err().into_iter().for_each(&mut ignored);
        }
    }
}

impl StreamConsumer {
    async fn open(
        connection: &BrokerConnection,
        fleet: &Fleet,
        offset: &str,
    ) -> Result<Self, SourceError> {
        let name = fleet.control();
        let channel = connection.channel().await?;
        let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
        bounded("setting the prefetch", qos).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), text(offset));
        let (tag, options) = (format!("commands from {offset}"), BasicConsumeOptions::default());
        let consuming = channel.basic_consume(name.as_str().into(), tag.into(), options, arguments);
        let consumer = bounded(&format!("stream `{name}`"), consuming).await?;
        let bytes = Arc::clone(connection.bytes());
        bytes.share();
        Ok(Self { consumer, name, bytes, channel })
    }

    /// The next message. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Delivery, SourceError> {
        let name = &self.name;
        match self.consumer.next().await {
            Some(Ok(delivery)) => {
                // So that what is kept of large headers goes.
                self.bytes.settle(self.bytes.charge(
                    self.channel.id(),
                    delivery.delivery_tag,
                    delivery.data.len(),
                ));
                let acknowledged = delivery.acker.ack(BasicAckOptions::default());
                bounded(&format!("stream `{name}`"), acknowledged).await?;
                Ok(delivery)
            }
            Some(Err(error)) => Err(refused(&error, |said| format!("stream `{name}`: {said}"))),
            None => Err(SourceError::Failed(format!("stream `{name}`: the broker ended it"))),
        }
    }
}

/// The place of the last message, or of one that was written together with it; `None`: most likely there is none.
async fn last_offset(
    connection: &BrokerConnection,
    fleet: &Fleet,
) -> Result<Option<Option<i64>>, SourceError> {
    let mut end = StreamConsumer::open(connection, fleet, "last").await?;
    match timeout(EMPTY_AFTER, end.next()).await {
        Ok(last) => Ok(Some(message::offset(&last?))),
        Err(_) => Ok(None),
    }
}

/// The place of the first message, which is written into an empty stream; `None`: it stays empty.
async fn first_offset(
    connection: &BrokerConnection,
    broker: &Broker,
    fleet: &Fleet,
) -> Result<Option<i64>, SourceError> {
    let mut end = StreamConsumer::open(connection, fleet, "last").await?;
    // Who may not write can't begin it either, and there is nothing to be read.
    begin(broker, fleet).await;
    match timeout(BEGINS_WITHIN, end.next()).await {
        Ok(last) => Ok(message::offset(&last?)),
        Err(_) => Ok(None),
    }
}

/// Writes a first message.
async fn begin(broker: &Broker, fleet: &Fleet) {
    let by = Operator { name: broker.name().to_owned(), via: Via::Cli };
    let command = Command::new(&fleet.name, by, Order::Begin, Timestamp::now());
    if let Ok(publisher) = ConfirmedPublisher::open(broker, super::PURPOSE).await {
        let _ = publish(&publisher, broker, fleet, &command).await;
        publisher.close().await;
    }
}

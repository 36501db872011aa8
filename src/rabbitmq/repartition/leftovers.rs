//! What came to a former partition after its end, as where a node of the broker was slow: it goes behind what is in the new ones, so that
//! nothing is lost.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel};
use tokio::time::{Instant, sleep, timeout};

use super::PURPOSE;
use super::message::is_end;
use crate::config::Amqp;
use crate::headers::DELIVERY_COUNT;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::{Broker, bounded, on_channel};
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::queue_state::QueueState;

/// Nothing has come for so long: nothing comes.
const QUIET: Duration = Duration::from_secs(3);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A queue that says that it has something delivers it within this.
const DELIVERS_WITHIN: Duration = Duration::from_secs(1);

/// Messages on their way at once.
const PREFETCH: u16 = 10;

/// Puts what is in these queues into the partitions of another exchange. Returns how many there were. Queues that are gone have none.
pub(super) async fn put_behind(
    broker: &Broker,
    connection: &BrokerConnection,
    queues: &[String],
    exchange: &str,
) -> Result<u64, SourceError> {
    let publisher = ConfirmedPublisher::open(broker, PURPOSE).await?;
    let leftovers = Leftovers { amqp: broker.config(), connection, publisher, exchange };
    let (mut late, mut quiet_since) = (0, Instant::now());
    while quiet_since.elapsed() < QUIET {
        for queue in queues {
            let put = leftovers.put_all(queue).await?;
            if put > 0 {
                (late, quiet_since) = (late + put, Instant::now());
            }
        }
        sleep(LOOK_EVERY).await;
    }
    leftovers.publisher.close().await;
    Ok(late)
}

struct Leftovers<'a> {
    amqp: &'a Amqp,
    connection: &'a BrokerConnection,
    publisher: ConfirmedPublisher,
    exchange: &'a str,
}

impl Leftovers<'_> {
    async fn put_all(&self, queue: &str) -> Result<u64, SourceError> {
        match QueueState::on(self.connection, queue).await {
            Ok(state) if state.ready == 0 => return Ok(0),
            Ok(_) => {}
            Err(SourceError::NotFound(_)) => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut put = 0;
        on_channel(self.connection, async |channel: &Channel| {
            let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
            bounded("setting the prefetch", qos).await?;
            // A queue with a single active consumer refuses `basic.get`.
            let options = BasicConsumeOptions::default();
            let consuming =
                channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
            let mut consumer = bounded(&format!("queue `{queue}`"), consuming).await?;
            while let Ok(next) = timeout(DELIVERS_WITHIN, consumer.next()).await {
                let Some(delivery) = next else { break };
                let delivery = delivery
                    .map_err(|error| refused(&error, |said| format!("queue `{queue}`: {said}")))?;
                put += self.put(queue, delivery).await?;
            }
            Ok(())
        })
        .await?;
        Ok(put)
    }

    async fn put(&self, queue: &str, delivery: Delivery) -> Result<u64, SourceError> {
        let Delivery { routing_key, properties, data, acker, .. } = delivery;
        let is_event = !is_end(self.amqp, queue, &properties, &data);
        if is_event {
            let message = (&*data, as_sent(properties));
            let to = (self.exchange, routing_key.as_str());
            let sent = self.publisher.publish_unless_blocked(to, message).await;
            sent.map_err(|error| error.of_queue(queue))?;
        }
        let acknowledged = acker.ack(BasicAckOptions::default());
        bounded(&format!("queue `{queue}`"), acknowledged).await?;
        Ok(u64::from(is_event))
    }
}

/// Without RabbitMQ's own header, which is none of the producer's.
fn as_sent(properties: BasicProperties) -> BasicProperties {
    let Some(headers) = properties.headers() else { return properties };
    let mut others = FieldTable::default();
    for (name, value) in headers.inner().iter().filter(|it| it.0.as_str() != DELIVERY_COUNT) {
        others.insert(name.clone(), value.clone());
    }
    properties.with_headers(others)
}

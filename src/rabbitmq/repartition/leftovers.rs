//! What came to a former partition after its end, as where a node of the broker was slow: it goes behind what is in the new ones, so that
//! nothing is lost.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::time::{sleep, timeout};

use super::PURPOSE;
use super::message::{About, end, put_end};
use super::watch::{Progress, Step};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::{Broker, bounded, on_channel};
use crate::rabbitmq::headers::amqp_message;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::queue_state::QueueState;

/// For what is still on its way when nothing divides events into the former partitions any more.
const QUIET: Duration = Duration::from_secs(3);

/// Between two messages of that kind.
const PUT_AGAIN: Duration = Duration::from_secs(2);

/// Messages on their way at once.
const PREFETCH: u16 = 10;

/// Puts what is in these queues into the partitions of another exchange. Returns how many there were. Queues that are gone have none.
///
/// Nobody can ask whether a queue is empty, nor whether another consumer holds something of it: it may not answer, or have a worker that was
/// frozen. So a message is put into it: who gets that as its single active consumer has got, or seen settled, all before it.
pub(super) async fn put_behind(
    (broker, connection): (&Broker, &BrokerConnection),
    queues: &[String],
    (exchange, id): (&str, &str),
    report: &mut dyn FnMut(Progress),
) -> Result<u64, SourceError> {
    let publisher = ConfirmedPublisher::open(broker, PURPOSE).await?;
    let leftovers = Leftovers { broker, connection, publisher, exchange, id };
    sleep(QUIET).await;
    let mut late = 0;
    for queue in queues {
        late += leftovers.put_all(queue, report).await?;
    }
    leftovers.publisher.close().await;
    Ok(late)
}

struct Leftovers<'a> {
    broker: &'a Broker,
    connection: &'a BrokerConnection,
    publisher: ConfirmedPublisher,
    exchange: &'a str,
    /// Of the move.
    id: &'a str,
}

impl Leftovers<'_> {
    async fn put_all(
        &self,
        queue: &str,
        report: &mut dyn FnMut(Progress),
    ) -> Result<u64, SourceError> {
        match QueueState::on(self.connection, queue).await {
            Ok(_) => {}
            Err(SourceError::NotFound(_)) => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut put = 0;
        on_channel(self.connection, async |channel: &Channel| {
            let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
            bounded("setting the prefetch", qos).await?;
            let options = BasicConsumeOptions::default();
            let consuming =
                channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
            let mut consumer = bounded(&format!("queue `{queue}`"), consuming).await?;
            let mark = format!("{:016x}", fastrand::u64(..));
            let about = About { partition: queue, id: self.id };
            put_end(&self.publisher, self.broker, about, Some(&mark)).await?;
            loop {
                let Ok(next) = timeout(PUT_AGAIN, next(queue, &mut consumer)).await else {
                    let open = vec![queue.to_owned()];
                    report(Progress { open, ..Progress::at(Step::CleanUp) });
                    // A worker that was about to leave may have had it.
                    put_end(&self.publisher, self.broker, about, Some(&mark)).await?;
                    continue;
                };
                let delivery = next?;
                let marked = delivery.properties.correlation_id().as_ref();
                let is_last = marked.map(ShortString::as_str) == Some(&mark);
                put += self.put(queue, delivery).await?;
                if is_last {
                    return Ok(());
                }
            }
        })
        .await?;
        Ok(put)
    }

    async fn put(&self, queue: &str, delivery: Delivery) -> Result<u64, SourceError> {
        let acker = delivery.acker.clone();
        let amqp = self.broker.config();
        let is_event = end(amqp, queue, &delivery.properties, &delivery.data).is_none();
        if is_event {
            let mut message = amqp_message::message(delivery, None);
            message.take_counts();
            // RabbitMQ refuses the user id of a producer.
            message.move_harmful_properties();
            let properties = amqp_message::basic_properties(&message.properties);
            let to = (self.exchange, &*message.routing_key);
            let sent = self.publisher.publish_unless_blocked(to, (&message.body, properties)).await;
            sent.map_err(|error| error.of_queue(queue))?;
        }
        let acknowledged = acker.ack(BasicAckOptions::default());
        bounded(&format!("queue `{queue}`"), acknowledged).await?;
        Ok(u64::from(is_event))
    }
}

async fn next(queue: &str, consumer: &mut Consumer) -> Result<Delivery, SourceError> {
    match consumer.next().await {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(refused(&error, |said| format!("queue `{queue}`: {said}"))),
        None => {
            Err(SourceError::Failed(format!("queue `{queue}`: RabbitMQ has ended the consumer")))
        }
    }
}

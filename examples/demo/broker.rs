//! RabbitMQ's end: events go in, dead letters come out.

use event_pusher_sns::rabbitmq::connection;
use event_pusher_sns::rabbitmq::connection::broker_connection::BrokerConnection;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Queue};
use tokio::time::{Instant, sleep};

use crate::samples::Sample;
use crate::settings::Settings;
use crate::trouble::{START, Trouble};
use crate::{LOOK_AGAIN, PATIENCE};

pub(crate) struct Broker {
    connection: BrokerConnection,
    channel: Channel,
    exchange: String,
    queue: String,
    dead_letter_exchange: String,
    dead_letter_queue: String,
}

/// What the operator finds in the dead-letter queue.
pub(crate) struct DeadLetter {
    pub id: String,
    pub reason: String,
    pub error: String,
    pub payload: String,
}

impl Broker {
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, Trouble> {
        let amqp = settings.amqp.clone();
        let broker = connection::Broker::new(amqp.clone(), "event-pusher-sns demo".to_owned());
        let connection = broker
            .connect("producer")
            .await
            .map_err(|error| Trouble::with_remedy(error.to_string(), START))?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self {
            connection,
            channel,
            exchange: settings.source.exchange.clone(),
            queue: settings.source.queue.clone(),
            dead_letter_exchange: amqp.dead_letter_exchange,
            dead_letter_queue: amqp.dead_letter_queue,
        })
    }

    pub(crate) fn exchange(&self) -> &str {
        &self.exchange
    }

    pub(crate) fn dead_letter_queue(&self) -> &str {
        &self.dead_letter_queue
    }

    /// Makes sure that the demo has its queues to itself: another demo, or another worker on
    /// them, would take part of the events.
    pub(crate) async fn reserve(&self) -> Result<(), Trouble> {
        let occupied = |who: &str| {
            let what = format!("{who} works with the queue `{}`", self.queue);
            Trouble::with_remedy(what, "stop it, or wait until it has ended")
        };
        // Locked for all other connections, and gone with this one.
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        match self.declare(&self.lock(), exclusive).await {
            Err(error) if error.to_string().contains("RESOURCE_LOCKED") => {
                return Err(occupied("another demo"));
            }
            declared => declared?,
        };
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        match self.declare(&self.queue, passive).await {
            Ok(queue) if queue.consumer_count() > 0 => Err(occupied("another worker")),
            Ok(_) | Err(_) => Ok(()), // mostly, it isn't there
        }
    }

    /// On a channel of its own, which a refusal would close.
    async fn declare(&self, queue: &str, options: QueueDeclareOptions) -> lapin::Result<Queue> {
        let channel = self.connection.create_channel().await?;
        channel.queue_declare(queue.into(), options, FieldTable::default()).await
    }

    fn lock(&self) -> String {
        format!("{}.lock", self.queue)
    }

    /// Publishes, and waits until the broker has every event in a queue.
    pub(crate) async fn publish(&self, samples: &[Sample]) -> Result<(), Trouble> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let mut confirms = Vec::new();
        for sample in samples {
            let properties = BasicProperties::default()
                .with_message_id((&*sample.id).into())
                .with_content_type("application/json".into())
                .with_delivery_mode(2);
            let payload = sample.payload.as_bytes();
            let (exchange, key) = ((&*self.exchange).into(), sample.kind.into());
            confirms.push(
                self.channel.basic_publish(exchange, key, options, payload, properties).await?,
            );
        }
        for (sample, confirm) in samples.iter().zip(confirms) {
            let answer = confirm.await?;
            if !answer.is_ack() || answer.take_message().is_some() {
                let what = format!("RabbitMQ took {} into no queue", sample.id);
                return Err(Trouble { what, remedy: None });
            }
        }
        Ok(())
    }

    /// Takes `count` dead letters out of their queue, in the order of publishing.
    pub(crate) async fn take_dead_letters(&self, count: usize) -> Result<Vec<DeadLetter>, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        let mut taken = Vec::new();
        while taken.len() < count {
            let queue = (&*self.dead_letter_queue).into();
            match self.channel.basic_get(queue, BasicGetOptions::default()).await? {
                Some(got) => {
                    taken.push(read(&got.delivery));
                    got.delivery.acker.ack(BasicAckOptions::default()).await?;
                }
                None if Instant::now() > deadline => {
                    let queue = &self.dead_letter_queue;
                    let what = format!("`{queue}` holds {} of {count} dead letters", taken.len());
                    return Err(Trouble { what, remedy: None });
                }
                None => sleep(LOOK_AGAIN).await,
            }
        }
        taken.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(taken)
    }

    /// Removes the demo's queues and exchanges, and returns how many events were in them.
    pub(crate) async fn clear(&self) -> Result<u32, Trouble> {
        let mut left = 0;
        for queue in [&self.queue, &self.dead_letter_queue] {
            let options = QueueDeleteOptions::default();
            left += self.channel.queue_delete((&**queue).into(), options).await?;
        }
        for exchange in [&self.exchange, &self.dead_letter_exchange] {
            // Somebody else may be bound to it; then it stays, and the channel is gone.
            let channel = self.connection.create_channel().await?;
            let unused = ExchangeDeleteOptions { if_unused: true, ..Default::default() };
            let _ = channel.exchange_delete((&**exchange).into(), unused).await;
        }
        Ok(left)
    }

    /// Clears, and lets the next demo in.
    pub(crate) async fn leave(&self) -> Result<u32, Trouble> {
        let left = self.clear().await?;
        let lock = self.lock();
        self.channel.queue_delete((&*lock).into(), QueueDeleteOptions::default()).await?;
        Ok(left)
    }
}

fn read(delivery: &Delivery) -> DeadLetter {
    let properties = &delivery.properties;
    let header = |name: &str| {
        let mut headers = properties.headers().iter().flatten();
        match headers.find(|(it, _)| it.as_str() == name) {
            Some((_, AMQPValue::LongString(text))) => text.to_string(),
            _ => format!("(no header {name})"),
        }
    };
    DeadLetter {
        id: properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default(),
        reason: header("event-pusher-reason"),
        error: header("event-pusher-error"),
        payload: String::from_utf8_lossy(&delivery.data).into_owned(),
    }
}

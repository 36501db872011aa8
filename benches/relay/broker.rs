//! The queue that everything is measured on, on a RabbitMQ that others may use too.

use std::collections::VecDeque;
use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};
use tokio::time::{Instant, sleep, timeout};

use crate::Result;

/// Publishes without a confirm yet; enough to keep the broker busy.
const UNCONFIRMED: usize = 1000;

/// For the broker to have everything on disk and its counters up to date.
const SETTLE: Duration = Duration::from_millis(500);

const CLEANING_UP: Duration = Duration::from_secs(5);

/// Senders, each with one conversation: 1,000 keys for `ordering = "per-key"`.
const USERS: u64 = 1000;

const EVENT_BYTES: usize = 200;

/// An exchange, a queue and a dead-letter queue of this process alone. The worker
/// declares them, so that they are just what it makes in production.
pub(crate) struct Stand {
    pub id: String,
    pub uri: String,
    channel: Channel,
    connection: Connection,
}

impl Stand {
    pub(crate) async fn new() -> Result<Self> {
        let uri = std::env::var("EVENT_PUSHER_TEST_AMQP")
            .map_err(|_| "EVENT_PUSHER_TEST_AMQP is not set; run `make bench`")?;
        let (connection, channel) = connect(&uri).await.map_err(|error| {
            format!("no RabbitMQ ({error}); run `make bench`, or start it with `make services-up`")
        })?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let id = format!("event-pusher-sns-bench-{}", std::process::id());
        Ok(Self { id, uri, channel, connection })
    }

    pub(crate) fn queue(&self) -> String {
        format!("{}.queue", self.id)
    }

    pub(crate) fn dead_letter_queue(&self) -> String {
        format!("{}.dead", self.id)
    }

    fn exchange(&self) -> String {
        format!("{}.events", self.id)
    }

    /// The worker's configuration: where things are, and nothing else.
    pub(crate) fn configuration(&self, sns_url: &str, admin: &str) -> String {
        let Self { id, uri, .. } = self;
        format!(
            r#"
            [amqp]
            uri = "{uri}"
            dead_letter_exchange = "{id}.dead"
            dead_letter_queue = "{id}.dead"

            [amqp.sources.events]
            exchange = "{id}.events"
            queue = "{id}.queue"

            [sns]
            sns_host = "{sns_url}"
            region = "us-east-1"
            account_id = "123456789012"
            access_key_id = "bench"
            secret_access_key = "bench"
            pm_messages_topic = "bench"

            [admin]
            listen = "{admin}"
            "#
        )
    }

    /// Empties the queues, puts `events` in, and waits until they are all there.
    pub(crate) async fn refill(&self, events: u64) -> Result<()> {
        for queue in [self.queue(), self.dead_letter_queue()] {
            self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
        }
        self.add(events).await?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while u64::from(self.ready(&self.queue()).await?) != events {
            if Instant::now() > deadline {
                return Err("the queue does not show what was published to it".into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        sleep(SETTLE).await;
        Ok(())
    }

    /// Publishes events, each of which the broker confirms.
    pub(crate) async fn add(&self, events: u64) -> Result<()> {
        let mut unconfirmed = VecDeque::with_capacity(UNCONFIRMED);
        for number in 0..events {
            if unconfirmed.len() == UNCONFIRMED {
                confirmed(unconfirmed.pop_front()).await?;
            }
            unconfirmed.push_back(self.publish(number).await?);
        }
        while !unconfirmed.is_empty() {
            confirmed(unconfirmed.pop_front()).await?;
        }
        Ok(())
    }

    async fn publish(&self, number: u64) -> Result<PublisherConfirm> {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let (exchange, body) = (self.exchange().into(), event(number));
        let publishing =
            self.channel.basic_publish(exchange, "chat".into(), options, &body, properties);
        Ok(publishing.await?)
    }

    /// Messages in a queue that nobody holds.
    pub(crate) async fn ready(&self, queue: &str) -> Result<u32> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default());
        Ok(declared.await?.message_count())
    }

    /// Deletes what was made here. That it may not be there at all is no trouble.
    pub(crate) async fn remove(self) {
        let _ = timeout(CLEANING_UP, async {
            // On a fresh connection: an error would have closed the other one's channel.
            let (connection, channel) = connect(&self.uri).await?;
            for queue in [self.queue(), self.dead_letter_queue()] {
                channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
            }
            for exchange in [self.exchange(), self.dead_letter_queue()] {
                channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
            }
            connection.close(200, "done".into()).await?;
            self.connection.close(200, "done".into()).await
        })
        .await;
    }
}

pub(crate) async fn connect(uri: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

async fn confirmed(confirm: Option<PublisherConfirm>) -> Result<()> {
    let Some(confirm) = confirm else { return Ok(()) };
    let confirmation = confirm.await?;
    let routed = confirmation.is_ack() && confirmation.take_message().is_none();
    if routed { Ok(()) } else { Err("the broker did not take an event".into()) }
}

/// A chat event as a producer sends it. The sender is drawn evenly; the same number gives
/// the same event.
fn event(number: u64) -> Vec<u8> {
    let user = fastrand::Rng::with_seed(number).u64(..USERS);
    let mut event = format!(
        r#"{{"type":"chat","from_user_id":"user{user:04}@localhost/phone","to_user_id":"friend{user:04}@localhost","message":"Event {number:07}: "#
    )
    .into_bytes();
    let text = b"and so on, until it has its size. ".iter().cycle();
    event.extend(text.take(EVENT_BYTES - 2 - event.len()));
    event.extend(b"\"}");
    event
}

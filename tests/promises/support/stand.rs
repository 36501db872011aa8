//! One test's own exchange, queues and topics, on servers that all tests share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};

use super::environment::{from_environment, newest_uri, shared_uri};
use super::sns::{Collector, Topics};
use super::{Event, Received, Version, wait_for};

/// How to start what is missing.
const START: &str = "start it with `scripts/services up`, or run the tests with `make test`";

/// What a test works with. Everything has a name of its own, so tests run side by side.
pub struct Stand {
    pub id: String,
    pub amqp_uri: String,
    pub sns_url: String,
    pub channel: Channel,
    version: Version,
    topics: Topics,
    connection: Connection,
}

impl Stand {
    /// Connects to both servers and creates the three topics, each with a queue subscribed.
    pub async fn new(name: &str) -> Self {
        Self::on(name, &shared_uri()).await
    }

    /// The same on the oldest RabbitMQ that is promised to work.
    pub async fn oldest(name: &str) -> Self {
        let stand = Self::new(name).await;
        assert!(!stand.is_newest(), "EVENT_PUSHER_TEST_AMQP is a newer RabbitMQ; --skip on_3_10");
        stand
    }

    /// The same on the newest.
    pub async fn newest(name: &str) -> Self {
        Self::on(name, &newest_uri()).await
    }

    /// The same on another broker than the one that all tests share.
    pub async fn on(name: &str, amqp_uri: &str) -> Self {
        static STANDS: AtomicU32 = AtomicU32::new(0);
        let number = STANDS.fetch_add(1, Ordering::Relaxed);
        let id = format!("{name}-{}-{number}", std::process::id());
        let amqp_uri = amqp_uri.to_owned();
        let sns_url = from_environment("EVENT_PUSHER_TEST_SNS", |base| {
            format!("http://127.0.0.1:{}", base + 3)
        });
        let (connection, channel) = connect(&amqp_uri).await;
        let version = Version::of(&amqp_uri).await;
        let topics = Topics::create(&sns_url, &id)
            .await
            .unwrap_or_else(|error| panic!("no SNS emulator for the tests ({error}); {START}"));
        Self { id, amqp_uri, sns_url, channel, version, topics, connection }
    }

    /// Whether its broker is of that release.
    pub fn is_newest(&self) -> bool {
        self.version == Version::Newest
    }

    /// Connects anew, where a broker was restarted.
    pub async fn again(self) -> Self {
        let (connection, channel) = connect(&self.amqp_uri).await;
        Self { channel, connection, ..self }
    }

    pub fn exchange(&self) -> String {
        format!("{}.events", self.id)
    }

    pub fn queue(&self) -> String {
        format!("{}.queue", self.id)
    }

    pub fn held_queue(&self) -> String {
        format!("{}.held", self.queue())
    }

    pub fn dead_letter_queue(&self) -> String {
        format!("{}.dead", self.id)
    }

    /// For what RabbitMQ may refuse: it closes the channel with it.
    pub async fn another_channel(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    /// `presence`, `pm` or `muc`.
    pub fn topic_arn(&self, topic: &str) -> String {
        format!("arn:aws:sns:us-east-1:123456789012:{}-{topic}", self.id)
    }

    /// The configuration of a worker on this stand.
    pub fn configuration(&self) -> String {
        let Self { id, amqp_uri, sns_url, .. } = self;
        format!(
            r#"
            [amqp]
            uri = "{amqp_uri}"
            dead_letter_exchange = "{id}.dead"
            dead_letter_queue = "{id}.dead"

            [amqp.sources.events]
            exchange = "{id}.events"
            queue = "{id}.queue"

            [sns]
            sns_host = "{sns_url}"
            region = "us-east-1"
            account_id = "123456789012"
            access_key_id = "test"
            secret_access_key = "test"
            presence_updates_topic = "{id}-presence"
            pm_messages_topic = "{id}-pm"
            muc_messages_topic = "{id}-muc"

            [fleet]
            name = "{id}"
            pause = false

            [log]
            format = "json"
            filter = "info,event_pusher_sns=debug"

            [admin]
            listen = ""
            "#
        )
    }

    /// Publishes to the stand's exchange and waits until a queue has it.
    pub async fn publish(&self, event: Event) {
        self.publish_to(&self.exchange(), event).await;
    }

    pub async fn publish_to(&self, exchange: &str, event: Event) {
        self.publish_all_to(exchange, [event]).await;
    }

    pub async fn publish_all(&self, events: impl IntoIterator<Item = Event>) {
        self.publish_all_to(&self.exchange(), events).await;
    }

    async fn publish_all_to(&self, exchange: &str, events: impl IntoIterator<Item = Event>) {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let mut confirms = Vec::new();
        for event in events {
            let Event { routing_key, properties, payload } = event;
            let (exchange, key) = (exchange.into(), routing_key.into());
            let confirm =
                self.channel.basic_publish(exchange, key, options, &payload, properties).await;
            confirms.push(confirm.unwrap());
        }
        for confirm in confirms {
            let confirmation = confirm.await.unwrap();
            assert!(confirmation.is_ack(), "the broker refused a test's event");
            assert!(confirmation.take_message().is_none(), "a test's event reached no queue");
        }
    }

    /// Waits for `count` messages behind a topic and returns them; there may be more later.
    pub async fn receive(&self, topic: &str, count: usize) -> Vec<Received> {
        self.topics.receive(topic, count).await
    }

    /// Everything that is behind a topic at this moment.
    pub async fn received_now(&self, topic: &str) -> Vec<Received> {
        self.topics.receive_now(topic).await
    }

    /// Begins to read what arrives behind all three topics.
    pub fn collect(&self) -> Collector {
        Collector::start(&self.topics)
    }

    /// Takes `count` dead letters out of the queue.
    pub async fn take_dead_letters(&self, count: usize) -> Vec<lapin::message::Delivery> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let what = format!("dead letter {} of {count}", taken.len() + 1);
            taken.push(wait_for(&what, async || self.dead_letter_now().await).await);
        }
        taken
    }

    pub async fn dead_letter_now(&self) -> Option<lapin::message::Delivery> {
        self.get(&self.dead_letter_queue()).await
    }

    /// Takes a message out of a queue.
    pub async fn get(&self, queue: &str) -> Option<lapin::message::Delivery> {
        let options = BasicGetOptions { no_ack: true };
        self.channel.basic_get(queue.into(), options).await.unwrap().map(|got| got.delivery)
    }

    /// Messages that are ready in a queue: delivered but unacknowledged ones don't count.
    pub async fn ready(&self, queue: &str) -> u32 {
        self.ready_and_consumers(queue).await.0
    }

    async fn ready_and_consumers(&self, queue: &str) -> (u32, u32) {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        wait_for(&format!("an answer from {queue}"), async || {
            let asked = Instant::now();
            let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default());
            let declared = declared.await.unwrap();
            let numbers = (declared.message_count(), declared.consumer_count());
            // A quorum queue that has not answered within 250 ms is said to be empty.
            let is_answer = numbers != (0, 0) || asked.elapsed() < Duration::from_millis(200);
            is_answer.then_some(numbers)
        })
        .await
    }

    /// Waits until so many messages are ready in a queue.
    pub async fn has_ready(&self, queue: &str, count: u32) {
        let what = format!("{count} messages in {queue}");
        wait_for(&what, async || (self.ready(queue).await == count).then_some(())).await;
    }

    /// Empties a queue of what nobody holds.
    pub async fn purge(&self, queue: &str) {
        self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
    }

    /// How many consume a queue.
    pub async fn consumers(&self, queue: &str) -> u32 {
        self.ready_and_consumers(queue).await.1
    }

    pub async fn has_queue(&self, queue: &str) -> bool {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let channel = self.another_channel().await;
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.is_ok()
    }

    pub async fn has_exchange(&self, exchange: &str) -> bool {
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let channel = self.another_channel().await;
        let kind = ExchangeKind::Topic;
        channel
            .exchange_declare(exchange.into(), kind, options, FieldTable::default())
            .await
            .is_ok()
    }

    /// Returns how many messages were in it.
    async fn try_to_delete(&self, queue: &str) -> lapin::Result<u32> {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await
    }

    /// Removes what the stand made, and fails if an event is left anywhere.
    pub async fn leave_nothing(mut self) {
        for queue in [self.queue(), self.held_queue(), self.dead_letter_queue()] {
            // Before it is deleted: where that fails, it may be gone, and what it had is not known.
            let ready = if self.has_queue(&queue).await { self.ready(&queue).await } else { 0 };
            let mut deleted = self.try_to_delete(&queue).await;
            if matches!(&deleted, Err(error) if is_internal(error)) {
                self = self.again().await;
                deleted = self.try_to_delete(&queue).await;
            }
            assert_eq!((ready, deleted.unwrap()), (0, 0), "messages were left in {queue}");
        }
        for exchange in [self.exchange(), self.dead_letter_queue()] {
            self.channel
                .exchange_delete(exchange.into(), lapin::options::ExchangeDeleteOptions::default())
                .await
                .unwrap();
        }
    }
}

/// RabbitMQ 3.10 ends a connection so where a quorum queue takes long to be deleted, as on a busy machine.
fn is_internal(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    *error.kind() == AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR)
}

/// With confirms.
async fn connect(uri: &str) -> (Connection, Channel) {
    let connection = Connection::connect(uri, ConnectionProperties::default())
        .await
        .unwrap_or_else(|error| panic!("no RabbitMQ at {} ({error}); {START}", address(uri)));
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

/// Of a URI, without user and password.
fn address(uri: &str) -> &str {
    uri.rsplit('@').next().unwrap_or_default()
}

/// A header of a dead letter as text.
pub fn header(delivery: &lapin::message::Delivery, name: &str) -> Option<String> {
    let headers = delivery.properties.headers().as_ref()?;
    let (_, value) = headers.into_iter().find(|(it, _)| it.as_str() == name)?;
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).unwrap(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

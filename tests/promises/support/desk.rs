//! Dead letters without a worker: a dead-letter queue, letters to put there, and the commands that
//! an operator has for them.

use futures_util::StreamExt;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::{Ended, PATIENCE, Program, Stand, header};

/// A dead letter as a worker writes it.
#[derive(Clone)]
pub struct Letter {
    pub properties: BasicProperties,
    pub headers: FieldTable,
    pub body: Vec<u8>,
}

impl Letter {
    /// A chat event whose text is the number, which is its message id too.
    pub fn number(stand: &Stand, number: usize) -> Self {
        let body = serde_json::json!({
            "type": "chat",
            "from_user_id": format!("user-{}@localhost/phone", number % 10),
            "to_user_id": "bob@localhost",
            "message": number.to_string(),
        });
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_message_id(id(number).into());
        let letter =
            Self { properties, headers: FieldTable::default(), body: body.to_string().into() };
        let minute = number / 60 % 60;
        letter
            .saying("reason", "retries_exhausted")
            .saying("error", "gave up after 3 attempts: Throttling: Rate exceeded")
            .with("event-pusher-attempts", 3_i64.into())
            .saying("topic", &stand.topic_arn("pm"))
            .saying("exchange", &stand.exchange())
            .saying("routing-key", "some.key")
            .saying("queue", &stand.queue())
            .saying("failed-at", &format!("2026-01-31T02:{minute:02}:{:02}Z", number % 60))
            .saying("worker", "event-pusher-sns/0.1.0 test")
            .with("event-pusher-replays", 0_i64.into())
    }

    /// A message that says nothing about itself.
    pub fn foreign(body: &str) -> Self {
        let properties = BasicProperties::default();
        Self { properties, headers: FieldTable::default(), body: body.into() }
    }

    /// With a text in one of our headers.
    pub fn saying(self, name: &str, text: &str) -> Self {
        self.with(&format!("event-pusher-{name}"), AMQPValue::LongString(text.into()))
    }

    pub fn with(mut self, name: &str, value: AMQPValue) -> Self {
        self.headers.insert(name.into(), value);
        self
    }
}

/// The message id of a number.
pub fn id(number: usize) -> String {
    format!("m-{number}")
}

impl Stand {
    /// Declares the queues as a worker does, of the given type, and all else.
    pub async fn declare_all(&self, queue_type: &str) {
        let text = |text: &str| AMQPValue::LongString(text.into());
        let mut dead = FieldTable::default();
        dead.insert("x-queue-type".into(), text(queue_type));
        let mut events = dead.clone();
        events.insert("x-dead-letter-exchange".into(), text(&self.dead_letter_queue()));
        if queue_type == "quorum" {
            dead.insert("x-delivery-limit".into(), 1_000_000_000_i64.into());
            events.insert("x-delivery-limit".into(), 20_i64.into());
            events.insert("x-dead-letter-strategy".into(), text("at-least-once"));
            events.insert("x-overflow".into(), text("reject-publish"));
        }
        self.declare_exchange(&self.dead_letter_queue(), lapin::ExchangeKind::Fanout, true).await;
        self.declare_queue(&self.dead_letter_queue(), dead).await;
        self.bind_dead_letter_queue().await;
        self.declare_exchange(&self.exchange(), lapin::ExchangeKind::Topic, true).await;
        self.declare_queue(&self.queue(), events).await;
        self.bind(&self.queue(), &self.exchange(), "#").await;
    }

    /// Puts letters into the dead-letter queue.
    pub async fn bury(&self, letters: impl IntoIterator<Item = Letter>) {
        let exchange = self.dead_letter_queue();
        let mut confirms = Vec::new();
        for Letter { properties, headers, body } in letters {
            let properties = if headers.inner().is_empty() {
                properties
            } else {
                properties.with_headers(headers)
            };
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let exchange = exchange.as_str().into();
            let sent =
                self.channel.basic_publish(exchange, "some.key".into(), options, &body, properties);
            confirms.push(sent.await.unwrap());
        }
        for confirm in confirms {
            let confirm = confirm.await.unwrap();
            assert!(confirm.is_ack() && confirm.take_message().is_none(), "a letter was not taken");
        }
    }

    /// So many dead letters of the given numbers.
    pub async fn bury_numbers(&self, numbers: std::ops::Range<usize>) {
        self.bury(numbers.map(|number| Letter::number(self, number))).await;
    }

    /// Takes `count` messages out of a queue, in its order.
    pub async fn drain(&self, queue: &str, count: usize) -> Vec<Delivery> {
        let channel = self.another_channel().await;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consuming =
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let mut consumer = consuming.await.unwrap();
        let mut taken = Vec::new();
        while taken.len() < count {
            let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
            let next = next.unwrap_or_else(|_| {
                panic!("waited in vain for message {} of {count} in {queue}", taken.len() + 1)
            });
            taken.push(next.unwrap().unwrap());
        }
        channel.close(200, "bye".into()).await.unwrap();
        taken
    }

    /// Takes all `count` dead letters; their message ids, in the queue's order.
    pub async fn drain_dead_letters(&self, count: usize) -> Vec<String> {
        let drained = self.drain(&self.dead_letter_queue(), count).await;
        drained.iter().map(message_id).collect()
    }

    pub async fn unbind(&self, queue: &str, exchange: &str, key: &str) {
        let (queue, exchange) = (queue.into(), exchange.into());
        let arguments = FieldTable::default();
        self.channel.queue_unbind(queue, exchange, key.into(), arguments).await.unwrap();
    }

    pub async fn delete(&self, queue: &str) {
        let options = lapin::options::QueueDeleteOptions::default();
        self.channel.queue_delete(queue.into(), options).await.unwrap();
    }

    pub async fn delete_exchange(&self, exchange: &str) {
        let options = lapin::options::ExchangeDeleteOptions::default();
        self.channel.exchange_delete(exchange.into(), options).await.unwrap();
    }
}

pub fn message_id(delivery: &Delivery) -> String {
    delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
}

/// What a quorum queue writes into what it delivers again: attempts that failed, which a limit counts, and, from
/// `RabbitMQ` 4.0 on, all. Both are 0 or missing at the first.
pub const COUNTS: [&str; 2] = ["x-delivery-count", "x-acquired-count"];

/// How often a quorum queue has delivered a message before, whatever it counts towards a limit.
pub fn deliveries_before(delivery: &Delivery) -> u64 {
    let counts = COUNTS.iter().filter_map(|name| header(delivery, name));
    counts.map(|it| it.parse().unwrap()).max().unwrap_or(0)
}

/// `event-pusher-sns dead-letters` with the stand's configuration.
pub fn dlq_program(stand: &Stand, arguments: &[&str]) -> Program {
    let arguments = [&["dead-letters"], arguments, &["--config", "stand.toml"]].concat();
    let path = std::path::Path::new("stand.toml");
    Program::new(&arguments).with_file(path.to_str().unwrap(), &stand.configuration())
}

pub async fn dlq(stand: &Stand, arguments: &[&str]) -> Ended {
    dlq_program(stand, arguments).run().await
}

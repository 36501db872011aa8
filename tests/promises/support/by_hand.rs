//! A topology that somebody else made, for workers with `declare = false`.

use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::Stand;

impl Stand {
    /// Dead-letter exchange and queue, with nothing bound.
    pub async fn declare_dead_letters_by_hand(&self) {
        self.declare_queue(&self.dead_letter_queue(), quorum()).await;
        self.declare_exchange(&self.dead_letter_queue(), ExchangeKind::Fanout, true).await;
    }

    /// The exchange, and the queue bound to it.
    pub async fn declare_events_by_hand(&self) {
        self.declare_events_with(quorum()).await;
    }

    /// The same with these arguments for the queue.
    pub async fn declare_events_with(&self, arguments: FieldTable) {
        self.declare_queue(&self.queue(), arguments).await;
        self.declare_exchange(&self.exchange(), ExchangeKind::Topic, true).await;
        self.bind(&self.queue(), &self.exchange(), "#").await;
    }

    pub async fn bind_dead_letter_queue(&self) {
        self.bind(&self.dead_letter_queue(), &self.dead_letter_queue(), "").await;
    }

    pub async fn declare_exchange(&self, exchange: &str, kind: ExchangeKind, durable: bool) {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        let declared =
            self.channel.exchange_declare(exchange.into(), kind, options, FieldTable::default());
        declared.await.unwrap();
    }

    pub async fn declare_queue(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(queue.into(), options, arguments).await.unwrap();
    }

    /// What RabbitMQ's refusal says, or nothing if it finds that the queue is just so.
    pub async fn redeclare_queue(&self, queue: &str, arguments: &FieldTable) -> Option<String> {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let channel = self.another_channel().await;
        let declared = channel.queue_declare(queue.into(), options, arguments.clone()).await;
        declared.err().map(|refusal| refusal.to_string())
    }

    /// The same for an exchange.
    pub async fn redeclare_exchange(
        &self,
        exchange: &str,
        kind: ExchangeKind,
        durable: bool,
    ) -> Option<String> {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        let channel = self.another_channel().await;
        let arguments = FieldTable::default();
        let declared = channel.exchange_declare(exchange.into(), kind, options, arguments).await;
        declared.err().map(|refusal| refusal.to_string())
    }

    pub async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let options = QueueBindOptions::default();
        let (queue, exchange) = (queue.into(), exchange.into());
        let bound =
            self.channel.queue_bind(queue, exchange, key.into(), options, FieldTable::default());
        bound.await.unwrap();
    }
}

/// A queue's arguments: quorum, and nothing else.
pub fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

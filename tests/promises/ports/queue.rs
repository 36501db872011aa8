//! A queue in memory, and RabbitMQ's, with what the cases ask of either beside the ports.

use std::rc::Rc;
use std::time::Duration;

use event_pusher_sns::event::Envelope;
use event_pusher_sns::outcome::DeadLetter;
use event_pusher_sns::pipeline::memory::{MemoryQueue, QueueOptions};
use event_pusher_sns::pipeline::ports::{Session, Source};
use event_pusher_sns::rabbitmq::connection::Broker;
use event_pusher_sns::rabbitmq::consume::RabbitQueue;
use event_pusher_sns::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;
use lapin::options::BasicGetOptions;

use super::configuration;
use crate::support::{Event, Stand, header};

/// A queue, and both of its other ends.
pub trait Queue {
    type Source: Source;
    async fn with(options: QueueOptions) -> Self;
    fn source(&self) -> &Self::Source;
    async fn publish(&self, payload: &str);
    /// Payload, message id and reason of each dead letter.
    async fn dead_letters(&self, count: usize) -> Vec<(String, String, String)>;
    /// Waits until the queue itself has dead-lettered so many for coming back too often, and returns them.
    async fn exceeded(&self, count: usize) -> Vec<String>;
    /// Waits until so many are ready.
    async fn has_ready(&self, count: u32);
    /// How often each of those that are ready has come back; that this is looked at counts as one time more.
    async fn returns(&self, count: usize) -> Vec<u32>;
    /// How many are parked.
    async fn parked(&self) -> u32;
    /// Waits until the broker has brought back all that were.
    async fn brings_parked_back(&self);
    /// Throws away what is parked, and fails if anything else is left.
    async fn leave_nothing(self);
}

pub fn id_of(payload: &str) -> String {
    format!("id-{payload}")
}

impl Queue for MemoryQueue {
    type Source = Self;

    async fn with(options: QueueOptions) -> Self {
        Self::new(options)
    }

    fn source(&self) -> &Self {
        self
    }

    async fn publish(&self, payload: &str) {
        let (message_id, payload) = (Some(id_of(payload)), payload.as_bytes().to_vec());
        MemoryQueue::publish(self, Envelope { message_id, payload, ..Envelope::default() });
    }

    async fn dead_letters(&self, count: usize) -> Vec<(String, String, String)> {
        let dead = MemoryQueue::dead_letters(self);
        assert_eq!(dead.len(), count);
        let row = |(envelope, letter): &(Envelope, DeadLetter)| {
            let id = envelope.message_id.clone().unwrap();
            (text(&envelope.payload), id, letter.reason.to_string())
        };
        dead.iter().map(row).collect()
    }

    async fn exceeded(&self, count: usize) -> Vec<String> {
        let exceeded: Vec<_> =
            MemoryQueue::exceeded(self).iter().map(|it| text(&it.payload)).collect();
        assert_eq!(exceeded.len(), count);
        exceeded
    }

    async fn has_ready(&self, count: u32) {
        assert_eq!(self.ready(), count as usize);
    }

    async fn returns(&self, count: usize) -> Vec<u32> {
        let returns = self.returns_of_each();
        assert_eq!(returns.len(), count);
        returns
    }

    async fn parked(&self) -> u32 {
        MemoryQueue::parked(self).try_into().unwrap()
    }

    async fn brings_parked_back(&self) {
        tokio::time::pause();
        while MemoryQueue::parked(self) > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::resume();
    }

    async fn leave_nothing(self) {
        assert_eq!((self.ready(), self.unacked()), (0, 0));
    }
}

pub struct Rabbit {
    pub stand: Stand,
    source: RabbitQueue,
    parks: bool,
}

impl Queue for Rabbit {
    type Source = RabbitQueue;

    async fn with(options: QueueOptions) -> Self {
        let stand = Stand::new("port").await;
        let mut config = configuration(&stand);
        let mut source = config.amqp.sources.remove(0);
        let amqp = &mut config.amqp;
        amqp.prefetch = options.prefetch.unwrap_or(amqp.prefetch);
        amqp.delivery_limit = options.delivery_limit.unwrap_or(amqp.delivery_limit);
        if let Some(time) = options.parked_for {
            source.parking.as_mut().unwrap().time = time;
        } else {
            // Somebody else has made it, without that queue.
            amqp.declare = false;
            stand.declare_events_by_hand().await;
            stand.declare_dead_letters_by_hand().await;
            stand.bind_dead_letter_queue().await;
        }
        let broker = Rc::new(Broker::new(config.amqp, "ports".to_owned()));
        let dead_letters = Rc::new(DeadLetterPublisher::new(Rc::clone(&broker)));
        let source = RabbitQueue::new(broker, source, dead_letters);
        // Once opened, everything is declared.
        source.open().await.unwrap().close().await;
        Self { stand, source, parks: options.parked_for.is_some() }
    }

    fn source(&self) -> &RabbitQueue {
        &self.source
    }

    async fn publish(&self, payload: &str) {
        self.stand.publish(Event::new(payload).identified(&id_of(payload))).await;
    }

    async fn dead_letters(&self, count: usize) -> Vec<(String, String, String)> {
        let letters = self.stand.take_dead_letters(count).await;
        let row = |letter: lapin::message::Delivery| {
            let id = letter.properties.message_id().as_ref().unwrap().as_str().to_owned();
            (text(&letter.data), id, header(&letter, "event-pusher-reason").unwrap())
        };
        letters.into_iter().map(row).collect()
    }

    async fn exceeded(&self, count: usize) -> Vec<String> {
        let letters = self.stand.take_dead_letters(count).await;
        let of_the_queue = |letter: lapin::message::Delivery| {
            assert_eq!(header(&letter, "x-first-death-reason").as_deref(), Some("delivery_limit"));
            text(&letter.data)
        };
        letters.into_iter().map(of_the_queue).collect()
    }

    async fn has_ready(&self, count: u32) {
        self.stand.has_ready(&self.stand.queue(), count).await;
    }

    async fn returns(&self, count: usize) -> Vec<u32> {
        let queue = self.stand.queue();
        let channel = self.stand.another_channel().await;
        let mut returns = Vec::new();
        for _ in 0..count {
            let options = BasicGetOptions { no_ack: false };
            let got = channel.basic_get(queue.as_str().into(), options).await.unwrap().unwrap();
            let returned = header(&got.delivery, "x-delivery-count");
            returns.push(returned.map_or(0, |it| it.parse().unwrap()));
        }
        channel.close(200, "looked".into()).await.unwrap();
        self.stand.has_ready(&queue, count.try_into().unwrap()).await;
        returns
    }

    async fn parked(&self) -> u32 {
        self.stand.ready(&self.stand.held_queue()).await
    }

    async fn brings_parked_back(&self) {
        self.stand.has_ready(&self.stand.held_queue(), 0).await;
    }

    async fn leave_nothing(self) {
        if self.parks {
            self.stand.purge(&self.stand.held_queue()).await;
        }
        self.stand.leave_nothing().await;
    }
}

pub fn text(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).unwrap()
}

//! A queue in memory, and RabbitMQ's, with what the cases ask of either beside the ports.

use std::rc::Rc;
use std::time::Duration;

use event_pusher_sns::event::Envelope;
use event_pusher_sns::outcome::DeadLetter;
use event_pusher_sns::pipeline::memory::MemoryQueue;
use event_pusher_sns::pipeline::ports::{Session, Source};
use event_pusher_sns::rabbitmq::connection::Broker;
use event_pusher_sns::rabbitmq::consume::RabbitQueue;
use event_pusher_sns::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;

use super::configuration;
use crate::support::{Event, Stand, header};

/// A queue, and both of its other ends.
pub trait Queue {
    type Source: Source;
    fn source(&self) -> &Self::Source;
    async fn publish(&self, payload: &str);
    /// Payload, message id and reason of each dead letter.
    async fn dead_letters(&self, count: usize) -> Vec<(String, String, String)>;
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
    stand: Stand,
    source: RabbitQueue,
}

impl Rabbit {
    pub async fn new() -> Self {
        Self::parking_for(Duration::from_mins(1)).await
    }

    pub async fn parking_for(time: Duration) -> Self {
        let stand = Stand::new("port").await;
        let mut config = configuration(&stand);
        let mut source = config.amqp.sources.remove(0);
        source.parking.as_mut().unwrap().time = time;
        let broker = Rc::new(Broker::new(config.amqp, "ports".to_owned()));
        let dead_letters = Rc::new(DeadLetterPublisher::new(Rc::clone(&broker)));
        let source = RabbitQueue::new(broker, source, dead_letters);
        // Once opened, everything is declared.
        source.open().await.unwrap().close().await;
        Self { stand, source }
    }
}

impl Queue for Rabbit {
    type Source = RabbitQueue;

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

    async fn parked(&self) -> u32 {
        self.stand.ready(&self.stand.held_queue()).await
    }

    async fn brings_parked_back(&self) {
        self.stand.has_ready(&self.stand.held_queue(), 0).await;
    }

    async fn leave_nothing(self) {
        self.stand.purge(&self.stand.held_queue()).await;
        self.stand.leave_nothing().await;
    }
}

pub fn text(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).unwrap()
}

//! Publishes dead letters, and what is parked: confirmed and mandatory, on a connection of its own, since a
//! memory or disk alarm blocks every connection that publishes, and one that consumes
//! must not be among them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;

use super::connection::{Broker, bounded};
use super::dead_letter_headers::{Origin, dead_letter_properties};
use super::link::Link;
use super::parking::parked_properties;
use super::{SourceError, topology};
use crate::config::{Parking, Source};
use crate::event::Envelope;
use crate::outcome::DeadLetter;

const GOODBYE: Duration = Duration::from_secs(1);

/// Where dead letters go. It connects when the first one comes, and again after a failure.
#[derive(Debug)]
pub struct DeadLetterExchange {
    broker: Rc<Broker>,
    open: Mutex<Option<Rc<Open>>>,
    /// What was logged last, so that each change is logged once.
    trouble: RefCell<Option<String>>,
}

#[derive(Debug)]
struct Open {
    channel: Channel,
    connection: Link,
}

impl DeadLetterExchange {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(broker: Rc<Broker>) -> Self {
        Self { broker, open: Mutex::default(), trouble: RefCell::default() }
    }

    /// Publishes one dead letter and waits until the broker has it safe in a queue.
    ///
    /// # Errors
    ///
    /// Whatever leaves that uncertain. The caller keeps the original and tries again.
    pub async fn publish(
        &self,
        envelope: &Envelope,
        properties: &BasicProperties,
        letter: &DeadLetter,
        queue: &str,
    ) -> Result<(), SourceError> {
        let origin = Origin { envelope, queue, worker: self.broker.name() };
        let exchange = &self.broker.config().dead_letter_exchange;
        let copy = Copy {
            exchange,
            routing_key: &envelope.routing_key,
            payload: &envelope.payload,
            properties: dead_letter_properties(properties, &origin, letter),
            what: &format!("publishing to the dead-letter exchange `{exchange}`"),
            unrouted: "no queue is bound to it; bind one",
            refused: "refused; is the dead-letter queue full?",
        };
        let published = self.publish_confirmed(copy).await;
        self.log_change(published.as_ref().err());
        published
    }

    /// Publishes a copy of an event whose topic is held to where the broker keeps it for a while, and
    /// waits until it is safe there.
    ///
    /// # Errors
    ///
    /// Whatever leaves that uncertain.
    pub async fn park(
        &self,
        envelope: &Envelope,
        properties: &BasicProperties,
        source: &Source,
        parking: &Parking,
    ) -> Result<(), SourceError> {
        let queue = &parking.queue;
        self.publish_confirmed(Copy {
            exchange: "",
            routing_key: queue,
            payload: &envelope.payload,
            properties: parked_properties(properties, envelope, &source.queue, parking.time),
            what: &format!("parking in the queue `{queue}`"),
            unrouted: "it is not there; create it as `check` says, or set amqp.declare = true",
            refused: "refused; is it full?",
        })
        .await
    }

    /// Whatever went wrong: the next try begins on a fresh connection, which finds or
    /// declares the topology anew.
    async fn publish_confirmed(&self, copy: Copy<'_>) -> Result<(), SourceError> {
        let open = self.open().await?;
        let published = copy.publish_on(&open.channel).await;
        if published.is_err() {
            let mut current = self.open.lock().await;
            // Unless another dead letter has reconnected meanwhile.
            if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &open)) {
                current.take();
            }
        }
        published
    }

    async fn open(&self) -> Result<Rc<Open>, SourceError> {
        let mut current = self.open.lock().await;
        if let Some(open) = &*current
            && open.channel.status().connected()
        {
            return Ok(Rc::clone(open));
        }
        let connection = self.broker.connect("dead letters").await?;
        let channel = bounded("opening a channel", connection.create_channel()).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("asking for confirms", confirms).await?;
        if self.broker.config().declare {
            topology::declare_dead_letters(&channel, self.broker.config()).await?;
            for source in &self.broker.config().sources {
                topology::declare_parking(&channel, self.broker.config(), source).await?;
            }
        }
        let open = Rc::new(Open { channel, connection });
        *current = Some(Rc::clone(&open));
        Ok(open)
    }

    /// Says goodbye, so that RabbitMQ does not log a client that vanished.
    pub async fn close(&self) {
        if let Some(open) = self.open.lock().await.take() {
            let goodbye = open.connection.close(200, "bye".into());
            // Nothing is left on it; whether the broker answers changes nothing.
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
    }

    fn log_change(&self, error: Option<&SourceError>) {
        let now = error.map(ToString::to_string);
        let mut before = self.trouble.borrow_mut();
        if *before == now {
            return;
        }
        if let Some(error) = &now {
            tracing::error!(
                error,
                "cannot dead-letter: the originals stay unacknowledged, trying again"
            );
        } else {
            tracing::info!("dead letters are taken again");
        }
        *before = now;
    }
}

/// What is published, and how its failures are put.
struct Copy<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    payload: &'a [u8],
    properties: BasicProperties,
    what: &'a str,
    unrouted: &'a str,
    refused: &'a str,
}

impl Copy<'_> {
    async fn publish_on(self, channel: &Channel) -> Result<(), SourceError> {
        let Self { exchange, routing_key, payload, properties, what, .. } = self;
        let confirmation = bounded(what, async {
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            channel
                .basic_publish(exchange.into(), routing_key.into(), options, payload, properties)
                .await?
                .await
        })
        .await?;
        let problem = match confirmation {
            Confirmation::Ack(None) => return Ok(()),
            Confirmation::Ack(Some(_)) => self.unrouted,
            Confirmation::Nack(_) => self.refused,
            Confirmation::NotRequested => "the broker did not confirm",
        };
        Err(SourceError(format!("{what}: {problem}")))
    }
}

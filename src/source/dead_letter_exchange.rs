//! Publishes dead letters: confirmed and mandatory, on a connection of its own, since a
//! memory or disk alarm blocks every connection that publishes, and one that consumes
//! must not be among them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::Mutex;

use super::connection::{Broker, bounded};
use super::dead_letter_headers::{Origin, dead_letter_properties};
use super::{SourceError, topology};
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
    connection: Connection,
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
        let properties = dead_letter_properties(properties, &origin, letter);
        let published = self.publish_confirmed(envelope, properties).await;
        self.log_change(published.as_ref().err());
        published
    }

    /// Whatever went wrong: the next try begins on a fresh connection, which finds or
    /// declares the topology anew.
    async fn publish_confirmed(
        &self,
        envelope: &Envelope,
        properties: BasicProperties,
    ) -> Result<(), SourceError> {
        let open = self.open().await?;
        let published = self.publish_on(&open.channel, envelope, properties).await;
        if published.is_err() {
            let mut current = self.open.lock().await;
            // Unless another dead letter has reconnected meanwhile.
            if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &open)) {
                current.take();
            }
        }
        published
    }

    async fn publish_on(
        &self,
        channel: &Channel,
        envelope: &Envelope,
        properties: BasicProperties,
    ) -> Result<(), SourceError> {
        let exchange = &self.broker.config().dead_letter_exchange;
        let what = format!("publishing to the dead-letter exchange `{exchange}`");
        let confirmation = bounded(&what, async {
            channel
                .basic_publish(
                    exchange.as_str().into(),
                    envelope.routing_key.as_str().into(),
                    BasicPublishOptions { mandatory: true, ..Default::default() },
                    &envelope.payload,
                    properties,
                )
                .await?
                .await
        })
        .await?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => {
                Err(SourceError(format!("{what}: no queue is bound to it; bind one")))
            }
            Confirmation::Nack(_) => {
                Err(SourceError(format!("{what}: refused; is the dead-letter queue full?")))
            }
            Confirmation::NotRequested => {
                Err(SourceError(format!("{what}: the broker did not confirm")))
            }
        }
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

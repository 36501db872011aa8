//! Publishes a worker's dead letters and parked events: confirmed and mandatory, on a connection of its own, since a
//! memory or disk alarm blocks every connection that publishes, and one that consumes
//! must not be among them.

use std::rc::Rc;
use std::time::Duration;

use lapin::BasicProperties;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::byte_budget::ByteBudget;
use super::confirmed_publisher::ConfirmedPublisher;
use super::error::PublishError;
use super::outcome_reports::{LONGEST_REPORT, OutcomeReports};
use super::parking::ParkingQueues;
use super::trouble::Trouble;
use crate::config::{Parking, Source, browse_lock};
use crate::event::Envelope;
use crate::observe::incidents::Incidents;
use crate::outcome::{DeadLetter, SourceError};
use crate::pause::Pauses;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::headers::dead_letter::{Origin, dead_letter_properties};
use crate::rabbitmq::headers::parked::parked_properties;
use crate::rabbitmq::topology;
use crate::replay::{OutcomeReport, ReplayId};

const GOODBYE: Duration = Duration::from_secs(1);

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Publishes dead letters and parked events. It connects when the first one comes, and again after a failure.
#[derive(Debug)]
pub struct DeadLetterPublisher {
    broker: Rc<Broker>,
    open: Mutex<Option<Rc<Open>>>,
    trouble: Trouble,
    /// While there is trouble, one caller at a time tries, after a pause: a thousand that
    /// each try for themselves are a storm.
    turn: Mutex<Option<Pauses>>,
    /// Bytes that are being published at once, whichever connection they are on.
    budget: ByteBudget,
}

#[derive(Debug)]
struct Open {
    publisher: ConfirmedPublisher,
    parking: ParkingQueues,
    reports: OutcomeReports,
}

impl DeadLetterPublisher {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(broker: Rc<Broker>) -> Self {
        let trouble = Trouble::new(&broker.config().dead_letter_exchange);
        let (open, turn, budget) = Default::default();
        Self { broker, open, trouble, turn, budget }
    }

    /// What keeps letters from being published is announced there.
    #[must_use]
    pub fn announcing(self, incidents: Rc<Incidents>) -> Self {
        Self { trouble: self.trouble.announced_by(incidents), ..self }
    }

    /// Publishes one dead letter and waits until the broker has it safe in a queue. After a failure
    /// it waits first, longer each time, and for the others that try.
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
        let key = self.broker.config().signing_key.as_ref();
        let origin = Origin { envelope, queue, worker: self.broker.name(), key };
        let exchange = &self.broker.config().dead_letter_exchange;
        let message = Outgoing {
            exchange,
            routing_key: &envelope.routing_key,
            payload: &envelope.payload,
            properties: dead_letter_properties(properties, &origin, letter),
            what: &format!("publishing to the dead-letter exchange `{exchange}`"),
            unrouted: "no queue is bound to it; bind one",
            refused: "refused; check whether the dead-letter queue is full",
        };
        let mut turn = self.wait_for_turn().await;
        let blocked = |why| self.trouble.waits(&why);
        let published = self.publish_confirmed(message, blocked).await;
        match &published {
            Ok(()) => self.trouble.over(),
            Err(error) => self.trouble.failed(error),
        }
        if let (Ok(()), Some(pauses)) = (&published, &mut turn) {
            **pauses = None;
        }
        published
    }

    /// At once, if all is well.
    async fn wait_for_turn(&self) -> Option<MutexGuard<'_, Option<Pauses>>> {
        if !self.trouble.is_there() {
            return None;
        }
        let mut turn = self.turn.lock().await;
        // The one before may have found that it is over.
        if !self.trouble.is_there() {
            *turn = None;
            return None;
        }
        let pause = turn.get_or_insert_with(|| Pauses::new(FIRST_PAUSE, LONGEST_PAUSE)).draw();
        tokio::time::sleep(pause).await;
        Some(turn)
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
        let what = &format!("parking in the queue `{queue}`");
        let open = self.open().await?;
        // The event can wait here as well as in a connection that the broker does not read.
        if let Some(blocked) = open.publisher.alarm().blocked() {
            return Err(SourceError::Failed(format!("{what}: {blocked}")));
        }
        open.parking.prepare(&self.broker, open.publisher.connection(), source, parking).await?;
        let key = self.broker.config().signing_key.as_ref();
        let message = Outgoing {
            exchange: "",
            routing_key: queue,
            payload: &envelope.payload,
            properties: parked_properties(properties, envelope, &source.queue, parking, key),
            what,
            unrouted: "it is not there; create it as `check` says, or set amqp.declare = true",
            refused: "refused; check whether the queue is full",
        };
        self.publish_confirmed(message, drop).await
    }

    /// Reports what has become of an event to the replay that has asked for it, if it still runs; gives up soon.
    pub async fn report(&self, id: ReplayId, report: &OutcomeReport) {
        let Some(queue) = browse_lock(&self.broker.config().dead_letter_queue) else { return };
        // What keeps the connection from opening is logged with the first dead letter that needs it.
        if let Ok(Ok(open)) = timeout(LONGEST_REPORT, self.open()).await {
            let key = self.broker.config().signing_key.as_ref();
            open.reports.send(&open.publisher, &queue, id, report, key).await;
        }
    }

    /// Whatever went wrong: the next try begins on a fresh connection, which finds or
    /// declares the topology anew.
    async fn publish_confirmed(
        &self,
        message: Outgoing<'_>,
        blocked: impl FnMut(SourceError),
    ) -> Result<(), SourceError> {
        let _reserved = self.budget.reserve(message.payload).await;
        let open = self.open().await?;
        let published = message.publish_on(&open.publisher, blocked).await;
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
            && open.publisher.connection().status().connected()
        {
            return Ok(Rc::clone(open));
        }
        let connection = self.broker.connect("dead letters").await?;
        if self.broker.config().declare {
            topology::declare_dead_letters(&connection, self.broker.config()).await?;
        }
        let publisher = ConfirmedPublisher::new(connection);
        let (parking, reports) = Default::default();
        let open = Rc::new(Open { publisher, parking, reports });
        *current = Some(Rc::clone(&open));
        Ok(open)
    }

    /// Says goodbye, so that RabbitMQ does not log a client that vanished.
    pub async fn close(&self) {
        if let Some(open) = self.open.lock().await.take() {
            // Nothing is left on it; whether the broker answers changes nothing.
            let _ = tokio::time::timeout(GOODBYE, open.publisher.connection().close()).await;
        }
    }
}

/// A message to be published, and how its failures are put.
struct Outgoing<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    payload: &'a [u8],
    properties: BasicProperties,
    what: &'a str,
    unrouted: &'a str,
    refused: &'a str,
}

impl Outgoing<'_> {
    async fn publish_on(
        self,
        publisher: &ConfirmedPublisher,
        mut blocked: impl FnMut(SourceError),
    ) -> Result<(), SourceError> {
        let Self { exchange, routing_key, payload, properties, what, .. } = self;
        let (to, message) = ((exchange, routing_key), (payload, properties));
        let blocked = |why| blocked(SourceError::Failed(format!("{what}: {why}")));
        let problem = match publisher.publish_single(to, message, blocked).await {
            Ok(()) => return Ok(()),
            Err(PublishError::Unroutable) => self.unrouted,
            Err(PublishError::Refused) => self.refused,
            Err(PublishError::Lost(error)) => {
                return Err(error.reworded(|said| format!("{what}: {said}")));
            }
        };
        Err(SourceError::Failed(format!("{what}: {problem}")))
    }
}

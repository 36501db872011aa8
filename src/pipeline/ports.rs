//! The port for deliveries: [RabbitMQ](crate::rabbitmq), or [memory](super::memory).
//!
//! A [`Source`] opens sessions. A [`Session`] lives as long as its channel does; when it
//! ends, its receipts are void and the broker delivers again what was not settled.

use std::future::Future;

use crate::event::Envelope;
use crate::outcome::{DeadLetter, SourceError};
use crate::publish::Lease;
use crate::replay::{OutcomeReport, ReplayId};

/// An event and the right to settle it, handed out together.
#[derive(Debug)]
pub struct Delivery<R> {
    /// The event as it came. Boxed, since it passes through many hands.
    pub envelope: Box<Envelope>,
    /// Consumed by settling; not `Clone`, so that nothing is settled twice.
    pub receipt: R,
}

/// A queue from which sessions can be opened, again and again.
pub trait Source {
    /// What [`Source::open`] opens.
    type Session: Session;

    /// Connects, finds or creates the topology, and begins to consume.
    ///
    /// # Errors
    ///
    /// Everything that keeps it from consuming, in words for the operator. The caller
    /// tries again later.
    fn open(&self) -> impl Future<Output = Result<Self::Session, SourceError>>;
}

/// A consumer, from its start until its channel or connection ends.
pub trait Session {
    /// The right to settle one delivery of this session.
    type Receipt;
    /// What settles them.
    type Settler: Settle<Receipt = Self::Receipt>;

    /// The next delivery. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    ///
    /// The session has ended.
    fn next(&mut self) -> impl Future<Output = Result<Delivery<Self::Receipt>, SourceError>>;

    /// Settles what this session delivers.
    fn settler(&self) -> Self::Settler;

    /// Under which its deliveries may be published, where they may be another worker's when the broker is silent.
    fn lease(&self) -> Option<Lease> {
        None
    }

    /// Asks the broker for no more, and returns what had come without being taken, in order. What of it is
    /// not settled goes back to the queue when the session closes.
    fn stop_taking(&mut self) -> impl Future<Output = Vec<Delivery<Self::Receipt>>>;

    /// Closes properly. What is not settled goes back to the queue.
    fn close(self) -> impl Future<Output = ()>;
}

/// What a configured source is consumed by: one source, or several lanes that share what is known of it.
#[derive(Debug)]
pub struct Lanes<S> {
    /// The first one has the connection to the broker, and tells of the source's state.
    pub first: S,
    /// Lanes with so many deliveries each at most.
    pub others: Vec<(S, u16)>,
}

impl<S> From<S> for Lanes<S> {
    fn from(only: S) -> Self {
        Self { first: only, others: Vec::new() }
    }
}

/// Settles the deliveries of a session.
pub trait Settle {
    /// The right to settle one delivery.
    type Receipt;

    /// Acknowledges: the broker forgets the delivery.
    ///
    /// # Errors
    ///
    /// The session has ended; the delivery will come again.
    fn ack(&self, receipt: Self::Receipt) -> impl Future<Output = Result<(), StaleReceipt>>;

    /// Copies the event to where dead letters are kept. Returns when it is safe there,
    /// however long that takes.
    ///
    /// # Errors
    ///
    /// The session has ended while it waited; the delivery will come again.
    fn dead_letter(
        &self,
        envelope: &Envelope,
        receipt: &Self::Receipt,
        letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), StaleReceipt>>;

    /// Copies the event to where the broker keeps it for a while and brings it back from. Returns
    /// when it is safe there.
    ///
    /// # Errors
    ///
    /// The session has ended, or the broker does not take it now.
    fn park(
        &self,
        envelope: &Envelope,
        receipt: &Self::Receipt,
    ) -> impl Future<Output = Result<(), NotParked>>;

    /// The id of an event whose replay asks for its outcome.
    fn asks_for_outcome(&self, delivery: &Delivery<Self::Receipt>) -> Option<ReplayId>;

    /// Reports to the replay what has become of the event. Takes a moment at most; whether the replay hears of it, if there
    /// still is one, is nobody's loss.
    fn report(&self, id: ReplayId, report: &OutcomeReport) -> impl Future<Output = ()>;
}

/// The receipt's session has ended. Nothing is lost: the broker delivers the event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery's channel is gone; the broker delivers it again")]
pub struct StaleReceipt;

/// Why an event is not parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotParked {
    /// It is delivered again.
    Stale(StaleReceipt),
    /// Why that can't be done now, in words for the operator.
    Refused(String),
}

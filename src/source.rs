//! The port to where deliveries come from: RabbitMQ, or memory.
//!
//! A [`Source`] opens sessions. A [`Session`] lives as long as its channel does; when it
//! ends, its receipts are void and the broker delivers again what was not settled.

mod amqp_message;
mod bytes;
mod connection;
mod dead_letter_exchange;
mod dead_letter_headers;
mod dead_letter_rate;
mod depth;
mod flight;
mod greeting;
mod header_room;
mod headers;
mod inspect;
mod intake;
mod ledger;
mod line;
mod link;
mod look;
mod memory;
mod origin;
mod originals;
mod outlet;
mod parking;
mod publishing_room;
mod queue_state;
mod rabbitmq;
mod refusal;
mod solo_channels;
mod tls;
pub mod topology;
mod watch;
mod wire;

#[cfg(doc)]
use std::fmt;
use std::future::Future;

pub(crate) use amqp_message::header_texts;
pub use connection::Broker;
pub use dead_letter_exchange::DeadLetterExchange;
pub(crate) use greeting::major_version;
pub(crate) use inspect::{inspect, tls_files};
pub use link::Link;
pub(crate) use look::{InLine, Look};
pub use memory::{MemoryQueue, MemorySession, MemorySettler};
pub(crate) use originals::too_many as too_many_headers;
pub(crate) use outlet::{NotTaken, Outlet, Sent};
pub(crate) use queue_state::Doubt;
pub use rabbitmq::{RabbitQueue, RabbitReceipt, RabbitSession, RabbitSettler};

use crate::event::Envelope;
use crate::settle::Settle;

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

    /// Asks the broker for no more, and returns what had come without being taken, in order. What of it is
    /// not settled goes back to the queue when the session closes.
    fn stop_taking(&mut self) -> impl Future<Output = Vec<Delivery<Self::Receipt>>>;

    /// Closes properly. What is not settled goes back to the queue.
    fn close(self) -> impl Future<Output = ()>;
}

/// Why there is no session, or no longer. [`fmt::Display`] says what happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The broker says that an exchange or a queue is not there.
    #[error("{0}")]
    NotFound(String),
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
    /// Nothing is wrong: a session that had nothing to do for long ends, in case that it is broken without a sign.
    #[error("nothing has come for long")]
    Renewal,
    /// More bytes came than the source may have in flight, and none could be settled: the next session asks for fewer
    /// deliveries.
    #[error("more bytes have come than may be in flight, and none of them could be settled")]
    TooMuch,
}

impl SourceError {
    /// Whether the broker said that an exchange or a queue is not there.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// The same, with more to say of it.
    #[must_use]
    pub(crate) fn reworded(self, words: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotFound(said) => Self::NotFound(words(said)),
            Self::Failed(said) => Self::Failed(words(said)),
            quiet @ (Self::Renewal | Self::TooMuch) => quiet,
        }
    }
}

/// One line of a report on what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) good: bool,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { good: true, text: text.into() }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { good: false, text: text.into() }
    }
}

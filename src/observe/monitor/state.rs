//! The states of a source, and its broker.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::outcome::{Circuit, SourceError};

/// Whether deliveries come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No session has been opened yet.
    Connecting,
    /// They do.
    Consuming,
    /// Another consumer of the queue is the single active one; they come when that one ends.
    Standby,
    /// No session could be opened, or it was lost: why, and what to do.
    Disconnected(SourceError),
    /// All were requeued, and there is no consumer until this circuit is open no more.
    Waiting(Circuit),
    /// An operator has paused the source, everything, or the topic that it would wait for: there is no consumer.
    Paused,
    /// No session is opened: no topic is set for anything that it carries.
    NoTopic,
}

impl State {
    /// The labels of all states.
    pub const LABELS: [&str; 7] =
        ["connecting", "consuming", "standby", "disconnected", "waiting", "paused", "no_topic"];

    /// Its label in metrics and in JSON.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        let place = match self {
            Self::Connecting => 0,
            Self::Consuming => 1,
            Self::Standby => 2,
            Self::Disconnected(_) => 3,
            Self::Waiting(_) => 4,
            Self::Paused => 5,
            Self::NoTopic => 6,
        };
        Self::LABELS[place]
    }

    /// Whether there is a consumer, active or not.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Consuming | Self::Standby)
    }
}

/// The broker that a source is connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenBroker {
    /// Product and version, as it says.
    pub name: String,
    /// Which promise is weaker on it, and what to do.
    pub caveats: Vec<String>,
}

/// A worker's share of a source's partitions, as it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionShare {
    /// Partitions from which it got events lately, or has some in flight.
    pub active: u16,
    /// All partitions, of which there may be fewer than are configured.
    pub of: u16,
    /// From so many it may have events, by the number of workers.
    pub bound: u16,
    /// Unacknowledged deliveries of each that it may hold.
    pub prefetch: u16,
}

/// What a worker does as the sorter of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sorting {
    /// It passes events on to their partitions.
    Works,
    /// It can't: why, and since when. Events wait in the source's queue.
    Fails(SourceError, Timestamp),
}

impl Sorting {
    /// The labels of both.
    pub const LABELS: [&str; 2] = ["sorting", "failing"];

    /// Its label in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Works => Self::LABELS[0],
            Self::Fails(..) => Self::LABELS[1],
        }
    }
}

/// The state of a source, and since when.
#[derive(Debug, Clone)]
pub struct SourceObservation {
    /// The source's name.
    pub source: String,
    /// Its state.
    pub state: State,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// The broker of its last session.
    pub broker: Option<Arc<SeenBroker>>,
    /// When the oldest of its deliveries in flight came, to the second.
    pub oldest: Option<Instant>,
    /// Its share of the partitions; `None`: it has none, or nothing is known yet.
    pub partitions: Option<PartitionShare>,
    /// What it does as the sorter; `None`: it is not, or has got nothing to sort yet.
    pub sorting: Option<Sorting>,
}

impl SourceObservation {
    /// From now on.
    #[must_use]
    pub fn now(source: &str, state: State) -> Self {
        Self {
            source: source.to_owned(),
            state,
            since: Timestamp::now(),
            broker: None,
            oldest: None,
            partitions: None,
            sorting: None,
        }
    }
}

//! Open circuits, and how long a source's deliveries wait for them. For users, the topic or the service is *held*.
//!
//! A delivery that waits is neither acknowledged nor refused. It uses a part of the source's prefetch, which the
//! source's other topics need, and the broker closes the channel after its acknowledgement timeout. So each source has a
//! [`WaitBudget`] that limits both.

mod budget;

use std::time::Duration;

use jiff::Timestamp;

pub use self::budget::{Deadline, WaitBudget};
use crate::outcome::{Circuit, Fault};

/// The state of an open circuit, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCircuit {
    /// What is held.
    pub circuit: Circuit,
    /// When it opened.
    pub since: Timestamp,
    /// How long it has been open.
    pub lasted: Duration,
    /// Events of this worker that wait for it, one that probes included; parked ones and those in the queue are
    /// not.
    pub waiting: usize,
    /// Until the next probe; zero while one is under way, or if nothing is there to probe with.
    pub next_probe: Duration,
    /// What the last probe met, or what opened it.
    pub fault: Fault,
    /// What to do about it.
    pub advice: &'static str,
}

/// A circuit, and a number for the time in which nothing gets through.
pub(crate) type Outage = (Circuit, u64);

/// What becomes of a delivery that has waited beyond its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It is parked.
    Park,
    /// It goes back to its queue, with all that its source has.
    Requeue,
}

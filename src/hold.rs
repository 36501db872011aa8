//! Waiting for what is held: what it is, who may wait, for how long, and where the others go.
//!
//! A held event is a delivery that is neither acknowledged nor refused. It takes up a place of the
//! source's prefetch, which the source's other topics need, and the broker takes it away when it stays for
//! too long. So each source has a [`Room`] that bounds both.

mod room;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

pub use self::room::{Room, Stay};
use crate::arn::TopicArn;
use crate::outcome::{Fault, Scope};

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Everything.
    Service,
    /// The events of one topic.
    Topic(TopicArn),
}

impl Held {
    /// How far the hold reaches.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Service => Scope::Service,
            Self::Topic(_) => Scope::Route,
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("service"),
            Self::Topic(topic) => f.write_str(topic.as_str()),
        }
    }
}

/// A hold at one moment, as an operator wants to know it. [`fmt::Display`] is one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What is held.
    pub held: Held,
    /// When it began.
    pub since: Timestamp,
    /// How long it has lasted.
    pub lasted: Duration,
    /// Events of this worker that wait for it, one that probes included; parked ones and those in the queue are
    /// not.
    pub waiting: usize,
    /// Until the next probe; zero while one is under way, or if nothing is there to probe with.
    pub next_probe: Duration,
    /// What the last probe met, or what began it.
    pub fault: Fault,
    /// What to do about it.
    pub advice: &'static str,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, since, waiting, fault, advice, .. } = self;
        let next_probe = self.next_probe.as_secs_f32();
        write!(
            f,
            "{held} is held since {since:.0} ({fault}): {waiting} events wait, next probe in \
             {next_probe:.1} s; {advice}"
        )
    }
}

/// An event that is not decided now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Its topic is held, and its source has no room for more who wait.
    Park,
    /// Its source hands back all it has and stops consuming.
    HandBack,
}

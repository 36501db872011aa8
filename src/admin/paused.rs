//! What operators have paused, as `/readyz` and the page show it.

use jiff::Timestamp;
use serde::Serialize;

use crate::fleet::pauses::{Operator, Pause, Target, Via};
use crate::publish::PauseGate;

/// A pause that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PausedNow {
    pub(super) scope: &'static str,
    /// A source, or a topic's ARN; empty for everything.
    pub(super) name: String,
    by: String,
    via: Via,
    reason: String,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// Events of this worker that wait for the topic; parked ones and those in the queue are not.
    pub(super) waiting: usize,
}

impl PausedNow {
    /// What a worker knows of.
    pub(super) fn all(gate: &PauseGate) -> Vec<Self> {
        gate.running().into_iter().map(|it| Self::new(gate, it)).collect()
    }

    fn new(gate: &PauseGate, pause: Pause) -> Self {
        let Pause { target, by, reason, since, until } = pause;
        let waiting = match &target {
            Target::Topic(arn) => gate.waiting(arn),
            Target::Everything | Target::Source(_) => 0,
        };
        let (scope, name) = (target.scope(), target.name().to_owned());
        Self { scope, name, by: by.name, via: by.via, reason, since, until, waiting }
    }

    /// Whether it is of this topic itself.
    pub(super) fn is_of_topic(&self, arn: &str) -> bool {
        self.scope == "topic" && self.name == arn
    }

    /// In words.
    pub(super) fn what(&self) -> String {
        let by = Operator { name: self.by.clone(), via: self.via };
        let target = Target::of(self.scope, &self.name).unwrap_or(Target::Everything);
        format!("{target} is paused by {by} until {}: {}", self.until, self.reason)
    }
}

//! What operators have paused, as `/readyz` and the page show it.

use serde::Serialize;

use crate::fleet::pauses::{Pause, Target};
use crate::publish::PauseGate;

/// A pause that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PausedNow {
    #[serde(flatten)]
    pub(super) pause: Pause,
    /// Events of this worker that wait for the topic; parked ones and those in the queue are not.
    pub(super) waiting: usize,
}

impl PausedNow {
    /// What a worker knows of.
    pub(super) fn all(gate: &PauseGate) -> Vec<Self> {
        let now = |pause: Pause| {
            let waiting = match &pause.target {
                Target::Topic(arn) => gate.waiting(arn),
                Target::Everything | Target::Source(_) => 0,
            };
            Self { pause, waiting }
        };
        gate.running().into_iter().map(now).collect()
    }

    /// Whether it is of this topic itself.
    pub(super) fn is_of_topic(&self, arn: &str) -> bool {
        matches!(&self.pause.target, Target::Topic(paused) if paused == arn)
    }

    /// In words.
    pub(super) fn what(&self) -> String {
        let Pause { target, by, reason, until, .. } = &self.pause;
        format!("{target} is paused by {by} until {until}: {reason}")
    }
}

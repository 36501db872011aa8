//! The outcome after which an event does not come again, as it is counted.

use crate::outcome::{Outcome, Reason, SkipReason};

/// An outcome after which the event does not come again.
#[derive(Debug, Clone, Copy)]
pub(super) enum FinalOutcome {
    Published,
    Skipped(SkipReason),
    DeadLettered(Reason),
}

impl FinalOutcome {
    /// `None` for what comes again.
    pub(super) fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Published(_) => Some(Self::Published),
            Outcome::Skipped(reason) => Some(Self::Skipped(*reason)),
            Outcome::DeadLettered(letter) => Some(Self::DeadLettered(letter.reason)),
            Outcome::Parked | Outcome::Requeued => None,
        }
    }

    pub(super) fn place(self) -> usize {
        match self {
            Self::Published => 0,
            Self::Skipped(reason) => 1 + reason as usize,
            Self::DeadLettered(reason) => 1 + SkipReason::ALL.len() + reason as usize,
        }
    }

    pub(super) fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Published => ("published", ""),
            Self::Skipped(reason) => ("skipped", reason.label()),
            Self::DeadLettered(reason) => ("dead_lettered", reason.label()),
        }
    }
}

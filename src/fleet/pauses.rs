//! What operators have paused: who, why and until when. The commands of the control stream, folded in their order.
//!
//! The state depends on the commands alone, and on no clock, so that all workers come to the same one.

mod command;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use self::command::{Command, Ignored, Operator, Order, Via, length_of_pause};
pub use self::target::Target;
use crate::limits::{LONGEST_PAUSE_OF_A_FLEET, MOST_COMMANDS_REMEMBERED, MOST_PAUSES};

/// How far the clock of who pauses something may be ahead, beyond the longest pause.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(1);

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// What is paused.
    #[serde(flatten)]
    pub target: Target,
    /// Who paused it.
    #[serde(flatten)]
    pub by: Operator,
    /// Why, in the operator's words.
    pub reason: String,
    /// Since when, by the operator's clock.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// What a command has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it asked for nothing, or what it ended was not paused.
    None,
    /// This is paused now, or otherwise than before.
    Paused(Pause),
    /// This pause is over.
    Resumed(Pause),
}

/// The pauses of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PausedTargets {
    pauses: BTreeMap<Target, Pause>,
    /// The ids of the last commands.
    seen: VecDeque<String>,
    /// What there were commands about.
    told: BTreeSet<Target>,
}

impl PausedTargets {
    /// Does what a command of this fleet says.
    ///
    /// # Errors
    ///
    /// Why it has no effect.
    pub fn apply(&mut self, command: &Command, fleet: &str) -> Result<Change, Ignored> {
        if command.fleet != fleet {
            return Err(Ignored::OtherFleet);
        }
        if self.seen.contains(&command.id) {
            return Err(Ignored::Repeated);
        }
        if let Order::Pause { target, .. } | Order::Resume(target) = &command.order
            && self.told.len() < MOST_COMMANDS_REMEMBERED
        {
            self.told.insert(target.clone());
        }
        let change = match &command.order {
            Order::Begin => Change::None,
            Order::Resume(target) => {
                self.pauses.remove(target).map_or(Change::None, Change::Resumed)
            }
            Order::Pause { target, until, reason } => {
                self.pause(command, target, *until, reason)?
            }
        };
        if self.seen.len() >= MOST_COMMANDS_REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(command.id.clone());
        Ok(change)
    }

    fn pause(
        &mut self,
        command: &Command,
        target: &Target,
        until: Timestamp,
        reason: &str,
    ) -> Result<Change, Ignored> {
        let lasts = until.duration_since(command.at);
        if !lasts.is_positive() || lasts > LONGEST_PAUSE_OF_A_FLEET {
            return Err(Ignored::WrongEnd);
        }
        if !self.pauses.contains_key(target) && self.pauses.len() >= MOST_PAUSES {
            // Only then, and by the clock of the command, which all workers see alike: one that is wrong must not end others'.
            self.pauses.retain(|_, pause| pause.until > command.at);
            if self.pauses.len() >= MOST_PAUSES {
                return Err(Ignored::TooMany);
            }
        }
        let pause = Pause {
            target: target.clone(),
            by: command.by.clone(),
            reason: reason.to_owned(),
            since: command.at,
            until,
        };
        self.pauses.insert(target.clone(), pause.clone());
        Ok(Change::Paused(pause))
    }

    /// The pauses that have not ended yet. One that would last for longer than any may, from now on, was begun by a clock that is wrong.
    #[must_use]
    pub fn running(&self, now: Timestamp) -> Vec<Pause> {
        let runs = |it: &&Pause| {
            it.until > now && it.until.duration_since(now) <= LONGEST_PAUSE_OF_A_FLEET + CLOCK_SLACK
        };
        self.pauses.values().filter(runs).cloned().collect()
    }

    /// Whether there was a command about this.
    #[must_use]
    pub fn tells_of(&self, target: &Target) -> bool {
        self.told.contains(target)
    }

    /// Keeps a pause that is known otherwise.
    pub fn keep(&mut self, pause: Pause) {
        self.pauses.entry(pause.target.clone()).or_insert(pause);
    }
}

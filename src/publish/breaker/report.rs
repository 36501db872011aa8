//! Logs that a circuit opens, and reminders while it is open.

use std::time::Duration;

use tokio::time::Instant;
use tracing::field::debug;

use crate::observe::incidents::QUIET;
use crate::outcome::Circuit;
use crate::publish::hold::OpenCircuit;

/// Until the first reminder; each further one takes twice as long, up to the longest.
const FIRST_REMINDER: Duration = Duration::from_secs(10);
const LONGEST_REMINDER: Duration = Duration::from_hours(1);

/// When the log says again that a circuit is open.
#[derive(Debug)]
pub(super) struct Reminder {
    at: Instant,
    pause: Duration,
}

impl Reminder {
    pub(super) fn new() -> Self {
        Self { at: Instant::now() + FIRST_REMINDER, pause: FIRST_REMINDER }
    }

    /// For an opening that is one of many, of which the log tells once in a while.
    pub(super) fn untold() -> Self {
        Self { at: Instant::now() + QUIET, pause: QUIET }
    }

    /// Whether it is time, which it is once.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.at;
        if due {
            self.pause = (self.pause * 2).min(LONGEST_REMINDER);
            self.at = now + self.pause;
        }
        due
    }
}

/// What a circuit stands before, for people.
pub(super) fn noun(circuit: &Circuit) -> &'static str {
    match circuit {
        Circuit::Service => "service",
        Circuit::Topic(_) => "topic",
    }
}

/// Logs that a circuit has opened, so many times since the last such line, or is open `still`.
pub(super) fn open(seen: &OpenCircuit, still: bool, openings: u64) {
    let OpenCircuit { circuit: held, since, waiting, next_probe, fault: error, advice, .. } = seen;
    let (scope, lasted) = (held.scope(), still.then(|| debug(seen.lasted)));
    let what = noun(held);
    if still {
        tracing::warn!(event = "still_held", %held, %scope, %error, %since, lasted, waiting, ?next_probe, advice, "{what} still held");
    } else {
        tracing::warn!(event = "held", %held, %scope, %error, %since, waiting, ?next_probe, advice, since_last_line = openings,
            "{what} held: its events wait unacknowledged until a probe gets through");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reminders_become_rarer_and_never_end() {
        let mut reminder = Reminder::new();
        let mut reminders = Vec::new();
        for minute in 0..24 * 60 {
            tokio::time::advance(Duration::from_mins(1)).await;
            if reminder.is_due() {
                reminders.push(minute);
            }
        }
        assert_eq!(reminders[..4], [0, 1, 2, 4], "{reminders:?}");
        assert!((28..33).contains(&reminders.len()), "{reminders:?}");
    }
}

//! Logs that a circuit opens, and reminders while it is open.

use std::time::Duration;

use tokio::time::Instant;
use tracing::field::debug;

use crate::observe::incidents::{IncidentKind, Incidents, QUIET};
use crate::outcome::{Circuit, Fault};
use crate::publish::hold::OpenCircuit;

/// Until the first reminder; each further one takes twice as long, up to the longest.
const FIRST_REMINDER: Duration = Duration::from_secs(10);
const LONGEST_REMINDER: Duration = Duration::from_hours(1);

/// When the log says again that a circuit is open.
#[derive(Debug)]
pub(super) struct Reminder {
    at: Instant,
    pause: Duration,
    /// The log has told of it, and so will tell of its end.
    is_told: bool,
}

impl Reminder {
    /// One opening of many in a minute is not told, unless it lasts.
    pub(super) fn new(is_told: bool) -> Self {
        let pause = if is_told { FIRST_REMINDER } else { QUIET };
        Self { at: Instant::now() + pause, pause, is_told }
    }

    /// Whether it is time, which it is once.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.at;
        if due {
            self.is_told = true;
            self.pause = (self.pause * 2).min(LONGEST_REMINDER);
            self.at = now + self.pause;
        }
        due
    }

    /// Logs that the circuit is open no more, if the log has told that it was.
    pub(super) fn over(&self, held: &Circuit, lasted: Duration) {
        if self.is_told {
            let what = noun(held);
            tracing::info!(event = "hold_over", %held, ?lasted, "{what} flows again, with few events at first: SNS answered a probe");
        }
    }
}

/// Counts an opening. Returns how many there were since the last line, if it is time for the next.
pub(super) fn count(incidents: &Incidents, circuit: &Circuit, fault: &Fault) -> Option<u64> {
    let (place, scope) = (circuit.to_string(), circuit.scope().to_string());
    incidents.count(Instant::now(), IncidentKind::Held, &place, &scope, fault).map(|it| it.count)
}

/// What a circuit stands before, for people.
fn noun(circuit: &Circuit) -> &'static str {
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
        let mut reminder = Reminder::new(true);
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

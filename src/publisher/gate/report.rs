//! What the log says of a hold: one line when it begins, one when it ends, and one from time to time between.

use std::time::Duration;

use tokio::time::Instant;

use crate::hold::{Held, Hold};

/// Until the first reminder of a hold; each further one takes twice as long, up to the longest.
const FIRST_REMINDER: Duration = Duration::from_secs(10);
const LONGEST_REMINDER: Duration = Duration::from_hours(1);

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Begins,
    Reminder,
}

/// When to say again that something is held.
#[derive(Debug)]
pub(super) struct Reminder {
    at: Instant,
    pause: Duration,
}

impl Reminder {
    pub(super) fn new() -> Self {
        Self { at: Instant::now() + FIRST_REMINDER, pause: FIRST_REMINDER }
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

pub(super) fn hold(hold: &Hold, word: Word) {
    let Hold { held, since, lasted, waiting, next_probe, fault, advice } = hold;
    let scope = held.scope();
    match word {
        Word::Begins => tracing::warn!(
            %held,
            %scope,
            error = %fault,
            %since,
            waiting,
            ?next_probe,
            advice,
            "holding: its events wait unacknowledged until a probe gets through"
        ),
        Word::Reminder => tracing::warn!(
            %held,
            %scope,
            error = %fault,
            %since,
            ?lasted,
            waiting,
            ?next_probe,
            advice,
            "held still"
        ),
    }
}

pub(super) fn end(held: &Held, lasted: Duration) {
    tracing::info!(%held, ?lasted, "an answer got through: going on, few events at first");
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

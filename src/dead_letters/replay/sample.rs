//! Asks for the outcome of some of the events that a replay sends, so that it notices a hold: one in a second, and the
//! last one, besides the canary. While such an event is held the replay waits, since what it sends would only wait, too.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::replay::{OutcomeReport, ReplayId};

/// Between two events whose outcome is asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A worker that holds an event says so every few seconds, and once a parked event is back. Beyond this the worker, or its
/// reports, are gone, and the next event is asked for.
const HELD_FOR: Duration = Duration::from_secs(90);

/// Reports can be lost, and an hour of them is enough to remember.
const MOST_OPEN: usize = 3600;

/// What a replay knows of the events that it asked for.
#[derive(Debug, Default)]
pub(super) struct Sample {
    asked: Option<Instant>,
    /// The numbers of events that were asked for and have no outcome yet, the latest of them, and when each was sent: of others
    /// nothing is believed.
    open: BTreeMap<u32, Instant>,
    /// The highest number of one that has an outcome.
    ended: Option<u32>,
    /// The number of the one that was asked for last.
    last: Option<u32>,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    number: u32,
    circuit: String,
    until: Instant,
}

impl Sample {
    /// Whether the outcome of the next event is to be asked for; it is asked for then.
    pub(super) fn asks(&mut self, is_last: bool) -> bool {
        let now = Instant::now();
        let is_due = self.asked.is_none_or(|asked| now >= asked + ASK_EVERY);
        if is_due {
            self.asked = Some(now);
        }
        is_due || is_last
    }

    /// The event is sent.
    pub(super) fn sent(&mut self, id: ReplayId) {
        if !id.asks {
            return;
        }
        if self.open.len() >= MOST_OPEN {
            self.open.pop_first();
        }
        self.open.insert(id.number, Instant::now());
        self.last = Some(id.number);
    }

    /// Takes in what a worker reports.
    pub(super) fn reported(&mut self, number: u32, report: OutcomeReport) {
        if !self.open.contains_key(&number) {
            return;
        }
        if !matches!(report, OutcomeReport::Held(_)) {
            self.open.remove(&number);
            self.ended = self.ended.max(Some(number));
        }
        match report {
            OutcomeReport::Held(circuit) => {
                self.held = Some(Held { number, circuit, until: Instant::now() + HELD_FOR });
            }
            // Of another event it tells nothing: that one may be for another topic.
            _ if self.held.as_ref().is_some_and(|held| held.number == number) => self.held = None,
            _ => {}
        }
    }

    /// What holds the events that were sent.
    pub(super) fn held(&self) -> Option<&str> {
        self.held.as_ref().map(|held| &*held.circuit)
    }

    /// Whether nothing is known of the event that was asked for last, nor of a hold.
    pub(super) fn is_last_unknown(&self) -> bool {
        self.held.is_none() && self.last.is_some_and(|last| self.open.contains_key(&last))
    }

    /// How long an event waits for its outcome, in the queue and in a worker: the first one that was sent after one with an outcome has
    /// waited for so long. `None`: no worker has reported an outcome.
    pub(super) fn wait(&self) -> Option<Duration> {
        let next = self.ended?.saturating_add(1);
        let (_, sent) = self.open.range(next..).next().unzip();
        Some(sent.map_or(Duration::ZERO, Instant::elapsed))
    }

    /// Waits until nobody has said for long that the event is held, and forgets it.
    pub(super) async fn expires(&mut self) {
        match &self.held {
            Some(held) => sleep_until(held.until).await,
            None => std::future::pending().await,
        }
        self.held = None;
    }
}

/// A replay's name that no producer can guess, so that it can't report in a worker's place.
pub(super) fn random_id() -> u64 {
    // The system seeds it, and a hash shows nothing of the seeds.
    RandomState::new().hash_one(fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_event_in_a_second_and_the_last_one_are_asked_for() {
        let mut sample = Sample::default();
        assert!(sample.asks(false));
        assert!(!sample.asks(false));
        assert!(sample.asks(true));
        tokio::time::advance(ASK_EVERY).await;
        assert!(sample.asks(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_lasts_until_its_event_has_an_outcome_or_nobody_says_more() {
        let mut sample = Sample::default();
        let held = || OutcomeReport::Held("topic".to_owned());
        sample.reported(1, held());
        assert_eq!(sample.held(), None, "nobody has asked for it");
        assert!(!sample.is_last_unknown());
        assert_eq!(sample.wait(), None);
        (1..=3).for_each(|number| sample.sent(ReplayId { replay: 0xab, number, asks: true }));
        sample.reported(1, held());
        sample.reported(2, OutcomeReport::Published);
        assert_eq!(sample.held(), Some("topic"));
        sample.reported(1, OutcomeReport::Published);
        assert_eq!(sample.held(), None);
        sample.reported(1, held());
        assert_eq!(sample.held(), None, "it has an outcome");
        assert!(sample.is_last_unknown());
        let second = Duration::from_secs(1);
        tokio::time::advance(second).await;
        assert_eq!(sample.wait(), Some(second), "the third one");
        sample.reported(3, held());
        assert!(!sample.is_last_unknown(), "it waits");
        sample.expires().await;
        assert_eq!(sample.held(), None);
    }
}

//! The rate of `--rate auto`: as many letters a second as leave live events young. It begins gently, rises while they are, and is
//! halved when they get old or SNS throttles. Pure: times and what the fleet says are given to it.

use std::time::Duration;

use tokio::time::Instant;

use crate::fleet::Load;

/// The rate that it begins with, in letters a second.
pub(super) const FIRST: f64 = 10.0;

/// Without reports of the fleet nobody knows how old live events are.
pub(super) const WITHOUT_REPORTS: f64 = 10.0;

/// Below this a replay would seem to stand still.
const SLOWEST: f64 = 1.0;

/// More than a fleet that has live events, too, is to be given.
const FASTEST: f64 = 5000.0;

/// Live events that have waited for less are young, in seconds.
const YOUNG: f64 = 2.0;

/// Waits that were longer before the replay began may be so much longer still: numbers flicker.
const SLACK: f64 = 1.25;

/// By which the rate rises each step while it is far from one that was too much: tenfold in 24 s.
const RISE: f64 = 1.1;

/// By which part of the rate that was too much it rises each step beyond half of that.
const RISE_NEARBY: f64 = 0.025;

/// A limit of which less than this part was used is no reason to raise it.
const USED: f64 = 0.5;

/// Until the rate is halved again, by what has halved it: how old events in flight are is known within a second, what a lower rate does to
/// queues within six, and throttling is a rate of ten seconds.
const AGAIN_FOR_AGE: Duration = Duration::from_secs(3);
const AGAIN_FOR_QUEUE: Duration = Duration::from_secs(6);
const AGAIN_FOR_THROTTLING: Duration = Duration::from_secs(10);

/// What has become of the wait by then, if halving was enough: it need not be halved once more.
const BETTER: f64 = 0.75;

/// What is seen in one second.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen {
    /// What the fleet says.
    pub(super) load: Load,
    /// How long a replayed event waits for its outcome, if a worker has told.
    pub(super) wait: Option<Duration>,
    /// Letters that were sent.
    pub(super) sent: f64,
}

/// A rate that follows the fleet's load.
#[derive(Debug)]
pub(super) struct AutoRate {
    rate: f64,
    /// How long live events may wait, in seconds.
    tolerated: Option<f64>,
    halved: Option<Halved>,
    /// The rate that was too much; what it was halved to may have been, too, until the wait was over.
    too_much: Option<f64>,
    /// It has risen since.
    has_risen: bool,
}

/// When the rate was halved, and how long live events waited then.
#[derive(Debug, Clone, Copy)]
struct Halved {
    at: Instant,
    /// `None`: it was halved for something that does not get better little by little.
    wait: Option<f64>,
}

/// Why the rate does not rise.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slowed {
    /// The oldest live event in flight, in seconds.
    Old(f64),
    /// The queue of a source, and the seconds until who comes last is taken out of it.
    Queued(String, f64),
    /// Replayed events themselves, in the queue and in a worker, in seconds.
    Waiting(f64),
    /// SNS throttles.
    Throttled,
    /// A topic's ARN, or `service`.
    Held(String),
}

impl AutoRate {
    pub(super) const fn new() -> Self {
        Self { rate: FIRST, tolerated: None, halved: None, too_much: None, has_risen: true }
    }

    /// Letters a second.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// Nobody knows how live events fare.
    pub(super) fn without_reports(&mut self) {
        self.rate = self.rate.min(WITHOUT_REPORTS);
    }

    /// Sets the rate of the next second by what is seen.
    pub(super) fn step(&mut self, now: Instant, seen: &Seen) -> Option<Slowed> {
        let (wait, why) = longest_wait(seen);
        // What was so before the replay is not its doing; but it need not stay so.
        let before = self.tolerated.unwrap_or(f64::INFINITY);
        self.tolerated = Some(before.min(wait * SLACK).max(YOUNG));
        let slowed = match why {
            why if wait > before.max(YOUNG) => Some(why),
            _ if seen.load.is_throttled => Some(Slowed::Throttled),
            _ => seen.load.held.clone().map(Slowed::Held),
        };
        match &slowed {
            Some(Slowed::Old(_)) => self.halve(now, None, AGAIN_FOR_AGE),
            Some(Slowed::Queued(..) | Slowed::Waiting(_)) => {
                self.halve(now, Some(wait), AGAIN_FOR_QUEUE);
            }
            Some(Slowed::Throttled) => self.halve(now, None, AGAIN_FOR_THROTTLING),
            Some(Slowed::Held(_)) => {}
            None if seen.sent < self.rate * USED => {}
            None => self.rise(),
        }
        slowed
    }

    fn halve(&mut self, now: Instant, wait: Option<f64>, again: Duration) {
        if let Some(halved) = &mut self.halved {
            if now < halved.at + again {
                return;
            }
            let waits = wait.zip(halved.wait);
            let is_better = waits.is_some_and(|(wait, before)| wait < before * BETTER);
            *halved = Halved { at: now, wait };
            if is_better && !self.has_risen {
                return;
            }
        }
        self.halved = Some(Halved { at: now, wait });
        if std::mem::replace(&mut self.has_risen, false) {
            self.too_much = Some(self.rate);
        }
        self.rate = (self.rate / 2.0).max(SLOWEST);
    }

    fn rise(&mut self) {
        self.has_risen = true;
        let risen = match self.too_much {
            Some(too_much) if self.rate >= too_much / 2.0 => self.rate + too_much * RISE_NEARBY,
            _ => self.rate * RISE,
        };
        self.rate = risen.min(FASTEST);
    }
}

/// How long a live event waits, in seconds, and where.
fn longest_wait(Seen { load, wait, .. }: &Seen) -> (f64, Slowed) {
    let queued = load.queues.iter().map(|(name, queue)| {
        // Where next to nothing flows, a few that wait for a moment are none that wait for long.
        let taken = queue.received_per_second.max(FIRST);
        #[allow(clippy::cast_precision_loss, reason = "it is bounded")]
        let wait = queue.ready as f64 / taken;
        (wait, Slowed::Queued(name.clone(), wait))
    });
    let own = wait.map(|it| (it.as_secs_f64(), Slowed::Waiting(it.as_secs_f64())));
    let oldest = (load.oldest_seconds, Slowed::Old(load.oldest_seconds));
    queued.chain(own).fold(oldest, |longest, it| if it.0 > longest.0 { it } else { longest })
}

impl std::fmt::Display for Slowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Old(seconds) => write!(f, "the oldest event in flight is {seconds:.0} s old"),
            Self::Queued(source, seconds) => {
                write!(f, "events of source `{source}` are queued for {seconds:.0} s")
            }
            Self::Waiting(seconds) => write!(f, "replayed events wait for {seconds:.0} s"),
            Self::Throttled => f.write_str("SNS throttles requests"),
            Self::Held(circuit) if circuit == "service" => f.write_str("the service is held"),
            Self::Held(topic) => write!(f, "topic `{topic}` is held"),
        }
    }
}

#[cfg(test)]
mod tests;

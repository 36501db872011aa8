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

/// By which the rate rises each step until it was halved first: tenfold in 24 s. Workers look at their queues' lengths every 5 s.
const RISE: f64 = 1.1;

/// By which part of the rate that was too much it rises each step afterwards.
const RISE_AFTERWARDS: f64 = 0.025;

/// A limit of which less than this part was used is no reason to raise it.
const USED: f64 = 0.5;

/// Until the rate is halved again, by what has halved it: how old events in flight are is known within a second, the lengths of queues
/// within six, and throttling is a rate of ten seconds.
const AGAIN_FOR_AGE: Duration = Duration::from_secs(3);
const AGAIN_FOR_QUEUE: Duration = Duration::from_secs(6);
const AGAIN_FOR_THROTTLING: Duration = Duration::from_secs(10);

/// A rate that follows the fleet's load.
#[derive(Debug)]
pub(super) struct AutoRate {
    rate: f64,
    /// How long live events may wait, in seconds.
    tolerated: Option<f64>,
    halved: Option<Instant>,
    /// The rate that was too much.
    too_much: Option<f64>,
}

/// Why the rate does not rise.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slowed {
    /// The oldest live event in flight, in seconds.
    Old(f64),
    /// The queue of a source, and the seconds until who comes last is taken out of it.
    Queued(String, f64),
    /// SNS throttles.
    Throttled,
    /// A topic's ARN, or `service`.
    Held(String),
}

impl AutoRate {
    pub(super) const fn new() -> Self {
        Self { rate: FIRST, tolerated: None, halved: None, too_much: None }
    }

    /// Letters a second.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// Nobody knows how live events fare.
    pub(super) fn without_reports(&mut self) {
        self.rate = self.rate.min(WITHOUT_REPORTS);
    }

    /// Sets the rate of the next second by what the fleet says. `sent`: letters of the last second.
    pub(super) fn step(&mut self, now: Instant, load: &Load, sent: f64) -> Option<Slowed> {
        let (wait, why) = self.longest_wait(load);
        // What was so before the replay is not its doing; but it need not stay so.
        let before = self.tolerated.unwrap_or(f64::INFINITY);
        let tolerated = before.min(wait * SLACK).max(YOUNG);
        let is_old = wait > before.max(YOUNG);
        self.tolerated = Some(tolerated);
        let slowed = match why {
            why if is_old => Some(why),
            _ if load.is_throttled => Some(Slowed::Throttled),
            _ => load.held.clone().map(Slowed::Held),
        };
        match &slowed {
            Some(Slowed::Old(_)) => self.halve(now, AGAIN_FOR_AGE),
            Some(Slowed::Queued(..)) => self.halve(now, AGAIN_FOR_QUEUE),
            Some(Slowed::Throttled) => self.halve(now, AGAIN_FOR_THROTTLING),
            Some(Slowed::Held(_)) => {}
            None if sent < self.rate * USED => {}
            None => self.rise(),
        }
        slowed
    }

    fn halve(&mut self, now: Instant, again: Duration) {
        if self.halved.is_some_and(|at| now < at + again) {
            return;
        }
        self.halved = Some(now);
        self.too_much = Some(self.rate);
        self.rate = (self.rate / 2.0).max(SLOWEST);
    }

    fn rise(&mut self) {
        let risen = match self.too_much {
            None => self.rate * RISE,
            Some(too_much) => self.rate + (too_much * RISE_AFTERWARDS).max(SLOWEST / 2.0),
        };
        self.rate = risen.min(FASTEST);
    }

    /// How long a live event waits, in seconds, and where.
    fn longest_wait(&self, load: &Load) -> (f64, Slowed) {
        let queued = load.queues.iter().map(|(name, queue)| {
            // What the replay sends is taken as well; the rate that was measured lags.
            let taken = queue.received_per_second.max(self.rate);
            #[allow(clippy::cast_precision_loss, reason = "it is bounded")]
            let wait = queue.ready as f64 / taken;
            (wait, Slowed::Queued(name.clone(), wait))
        });
        let oldest = (load.oldest_seconds, Slowed::Old(load.oldest_seconds));
        queued.fold(oldest, |longest, it| if it.0 > longest.0 { it } else { longest })
    }
}

impl std::fmt::Display for Slowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Old(seconds) => write!(f, "the oldest event in flight is {seconds:.0} s old"),
            Self::Queued(source, seconds) => {
                write!(f, "events of source `{source}` are queued for {seconds:.0} s")
            }
            Self::Throttled => f.write_str("SNS throttles requests"),
            Self::Held(circuit) if circuit == "service" => f.write_str("the service is held"),
            Self::Held(topic) => write!(f, "topic `{topic}` is held"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::QueueLoad;

    /// Steps once a second under a paused clock, with the whole rate used.
    async fn steps(rate: &mut AutoRate, load: &Load, seconds: usize) -> Option<Slowed> {
        let mut slowed = None;
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            slowed = rate.step(Instant::now(), load, rate.rate());
        }
        slowed
    }

    fn oldest(seconds: f64) -> Load {
        Load { oldest_seconds: seconds, ..Load::default() }
    }

    fn is(rate: &AutoRate, wanted: f64) {
        assert!((rate.rate() - wanted).abs() < 0.01, "{rate:?}, and not {wanted}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_begins_gently_rises_while_events_are_young_and_has_an_upper_bound() {
        let mut rate = AutoRate::new();
        is(&rate, 10.0);
        assert_eq!(steps(&mut rate, &oldest(1.9), 24).await, None);
        assert!((95.0..105.0).contains(&rate.rate()), "tenfold: {rate:?}");
        steps(&mut rate, &oldest(0.0), 600).await;
        is(&rate, FASTEST);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_halved_while_events_are_old_and_has_a_lower_bound() {
        let mut rate = AutoRate::new();
        steps(&mut rate, &oldest(0.1), 1).await;
        is(&rate, 11.0);
        assert_eq!(steps(&mut rate, &oldest(5.0), 1).await, Some(Slowed::Old(5.0)));
        is(&rate, 5.5);
        steps(&mut rate, &oldest(5.0), 2).await;
        is(&rate, 5.5);
        steps(&mut rate, &oldest(5.0), 1).await;
        is(&rate, 2.75);
        steps(&mut rate, &oldest(5.0), 60).await;
        is(&rate, SLOWEST);
        // And rises from there, less steeply than at first.
        assert_eq!(steps(&mut rate, &oldest(0.1), 10).await, None);
        is(&rate, 6.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_old_before_the_replay_may_stay_so_but_not_get_older_nor_old_again() {
        let mut rate = AutoRate::new();
        assert_eq!(steps(&mut rate, &oldest(60.0), 5).await, None);
        assert!(rate.rate() > FIRST);
        assert_eq!(steps(&mut rate, &oldest(80.0), 1).await, Some(Slowed::Old(80.0)));
        assert_eq!(steps(&mut rate, &oldest(10.0), 1).await, None);
        assert_eq!(
            steps(&mut rate, &oldest(30.0), 1).await,
            Some(Slowed::Old(30.0)),
            "it was better"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_grows_makes_live_events_wait_though_none_in_flight_is_old() {
        let mut rate = AutoRate::new();
        let queue = |ready, received_per_second| {
            let queue = QueueLoad { ready, received_per_second };
            Load { queues: [("events".to_owned(), queue)].into(), ..Load::default() }
        };
        // A few that wait for a moment are none that wait for long, also where next to nothing flows.
        assert_eq!(steps(&mut rate, &queue(15, 0.0), 1).await, None);
        assert_eq!(steps(&mut rate, &queue(190, 100.0), 1).await, None);
        let before = rate.rate();
        let slowed = steps(&mut rate, &queue(400, 100.0), 1).await;
        assert_eq!(slowed, Some(Slowed::Queued("events".to_owned(), 4.0)));
        is(&rate, before / 2.0);
        steps(&mut rate, &queue(400, 100.0), 5).await;
        is(&rate, before / 2.0);
        steps(&mut rate, &queue(400, 100.0), 1).await;
        is(&rate, before / 4.0);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_it_a_hold_keeps_it_and_what_is_not_used_does_not_rise() {
        let mut rate = AutoRate::new();
        let throttled = Load { is_throttled: true, ..Load::default() };
        assert_eq!(steps(&mut rate, &throttled, 10).await, Some(Slowed::Throttled));
        is(&rate, 5.0);
        let held = Load { held: Some("service".to_owned()), ..Load::default() };
        assert_eq!(steps(&mut rate, &held, 100).await, Some(Slowed::Held("service".to_owned())));
        is(&rate, 5.0);
        for _ in 0..100 {
            assert_eq!(rate.step(Instant::now(), &oldest(0.0), 2.0), None);
        }
        is(&rate, 5.0);
        steps(&mut rate, &oldest(0.0), 200).await;
        assert!(rate.rate() > WITHOUT_REPORTS);
        rate.without_reports();
        is(&rate, WITHOUT_REPORTS);
    }
}

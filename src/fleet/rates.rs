//! What a worker receives, publishes and dead-letters in a second.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::bounds::within;
use crate::observe::metrics::Reading;

/// Rates are those of so many readings, so that they neither flicker nor lag.
const WINDOW: usize = 10;

/// Events a second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// From the queue.
    pub received: f64,
    /// Accepted by SNS.
    pub published: f64,
    /// To the dead-letter queue.
    pub dead_lettered: f64,
}

impl Rates {
    /// As far as the numbers are believed.
    pub(super) fn bound(&mut self) {
        let Self { received, published, dead_lettered } = self;
        for rate in [received, published, dead_lettered] {
            *rate = within(*rate);
        }
    }

    /// Adds those of another source or worker.
    pub fn add(&mut self, other: Self) {
        self.received += other.received;
        self.published += other.published;
        self.dead_lettered += other.dead_lettered;
    }
}

/// What is counted of a source: received, published, dead-lettered.
type Counts = [u64; 3];

/// When, the counts of each source, and throttled requests.
type Counted = (Instant, BTreeMap<String, Counts>, u64);

/// The counts of the last seconds.
#[derive(Debug, Default)]
pub struct RateWindow {
    readings: VecDeque<Counted>,
}

impl RateWindow {
    /// Another reading, about a second after the one before.
    pub fn add(&mut self, now: Instant, reading: &Reading) {
        let counts = reading.sources.iter().map(|(name, it)| {
            (name.clone(), [it.received, it.ended("published"), it.ended("dead_lettered")])
        });
        let throttled = reading.topics.values().filter_map(|it| it.requests.get("throttled"));
        self.readings.push_back((now, counts.collect(), throttled.sum()));
        if self.readings.len() > WINDOW + 1 {
            self.readings.pop_front();
        }
    }

    /// Of a source.
    #[must_use]
    pub fn of(&self, source: &str) -> Rates {
        let count =
            |counts: &BTreeMap<String, Counts>| counts.get(source).copied().unwrap_or_default();
        let Some((before, now, seconds)) = self.ends() else { return Rates::default() };
        let (before, now) = (count(&before.1), count(&now.1));
        let [received, published, dead_lettered] =
            [0, 1, 2].map(|it| per_second(before[it], now[it], seconds));
        Rates { received, published, dead_lettered }
    }

    /// Requests that SNS throttled.
    #[must_use]
    pub fn throttled(&self) -> f64 {
        self.ends().map_or(0.0, |(before, now, seconds)| per_second(before.2, now.2, seconds))
    }

    fn ends(&self) -> Option<(&Counted, &Counted, f64)> {
        let (before, now) = (self.readings.front()?, self.readings.back()?);
        Some((before, now, now.0.saturating_duration_since(before.0).as_secs_f64()))
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn per_second(before: u64, now: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { now.saturating_sub(before) as f64 / seconds } else { 0.0 }
}

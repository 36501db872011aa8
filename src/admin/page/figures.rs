//! Calculates the page's numbers: rates and percentiles, from readings a few seconds apart.

mod delivery_totals;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use self::delivery_totals::DeliveryTotals;
use self::sums::{float, published, received, requests, retries, throttled};
use crate::observe::metrics::{Reading, SourceReading, Times, TopicReading};
use crate::outcome::Reason;

/// Between two readings.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Rates and percentiles are those of so many readings, so that they neither flicker nor lag.
const WINDOW: usize = 10;

/// What is unaccounted for in so many readings, and as much in each, is no accident of counting.
const LASTING: usize = 10;

/// Readings for each point of the chart, and points that are kept: ten minutes.
const PER_POINT: usize = 5;
const POINTS: usize = 120;

/// A point of the chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) received_per_second: f64,
    pub(super) published_per_second: f64,
    pub(super) latency: Latency,
}

/// Seconds from taking a delivery to its outcome; `None` where nothing ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

impl Latency {
    fn of(times: &Times) -> Self {
        Self { p50: times.quantile(0.5), p95: times.quantile(0.95), p99: times.quantile(0.99) }
    }
}

/// What goes to SNS.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Requests {
    entries: Option<f64>,
    per_event: Option<f64>,
    usd_per_million_events: Option<f64>,
    usd_spent: f64,
    sent: u64,
    per_second: f64,
    in_flight: i64,
    limit: f64,
    retries: u64,
    retries_per_second: f64,
    throttled: u64,
    pub(super) throttled_per_second: f64,
    /// Of the requests that ended in the last seconds; `None` where these are too few to tell.
    pub(super) failed_share: Option<f64>,
}

/// A topic's numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct TopicFigures {
    published: u64,
    published_per_second: f64,
    failed_requests: u64,
    retries: u64,
    p95: Option<f64>,
}

/// A source's numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct SourceFigures {
    received_per_second: f64,
    in_flight: i64,
    ready: Option<i64>,
    parked: Option<i64>,
    consumers: Option<i64>,
}

/// All of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    /// The time that rates and shares are of.
    #[serde(skip)]
    pub(super) window: Duration,
    pub(super) received_per_second: f64,
    pub(super) published_per_second: f64,
    in_flight: i64,
    ready: Option<i64>,
    latency: Latency,
    /// In JSON, `books` is part of the contract.
    #[serde(rename = "books")]
    totals: DeliveryTotals,
    /// As many deliveries have been unaccounted for in all the last readings: they were forgotten.
    pub(super) missing: u64,
    pub(super) requests: Requests,
    pub(super) dead_lettered_per_second: f64,
    /// By reason, the most frequent one first; none that is zero.
    #[serde(skip)]
    pub(super) dying: Vec<(Reason, f64)>,
    /// In the dead-letter queue, as the workers know it.
    #[serde(skip)]
    pub(super) dead_letters: Option<u64>,
    #[serde(skip)]
    pub(super) topics: BTreeMap<String, TopicFigures>,
    #[serde(skip)]
    pub(super) sources: BTreeMap<String, SourceFigures>,
}

/// The readings of the last seconds, and the chart of the last minutes.
#[derive(Debug, Default)]
pub(super) struct History {
    readings: VecDeque<(Instant, Reading)>,
    points: VecDeque<Point>,
    until_point: usize,
}

impl History {
    pub(super) fn add(&mut self, reading: Reading) {
        let now = Instant::now();
        self.readings.push_back((now, reading));
        if self.readings.len() > WINDOW + 1 {
            self.readings.pop_front();
        }
        self.until_point += 1;
        if self.until_point == PER_POINT {
            self.until_point = 0;
            let span = self.span(PER_POINT);
            let point = Point {
                at: Timestamp::now(),
                received_per_second: span.per_second(received),
                published_per_second: span.per_second(published),
                latency: Latency::of(&span.times()),
            };
            self.points.push_back(point);
            if self.points.len() > POINTS {
                self.points.pop_front();
            }
        }
    }

    pub(super) const fn points(&self) -> &VecDeque<Point> {
        &self.points
    }

    pub(super) fn figures(&self, usd_per_million: f64) -> Figures {
        let span = self.span(WINDOW);
        let now = span.now;
        let sources = now.sources.iter().map(|(name, it)| (name.clone(), span.source(name, it)));
        let topics = now.topics.iter().map(|(name, it)| (name.clone(), span.topic(name, it)));
        let ready = now.sources.values().map(|it| it.ready).collect::<Option<Vec<_>>>();
        let dying = sums::dying(span.before, now, span.seconds);
        Figures {
            window: span.began.map(|it| it.elapsed()).unwrap_or_default(),
            received_per_second: span.per_second(received),
            published_per_second: span.per_second(published),
            in_flight: now.sources.values().map(|it| it.in_flight).sum(),
            ready: ready.map(|it| it.iter().sum()),
            latency: Latency::of(&span.times()),
            totals: now.totals().into(),
            missing: self.missing(),
            requests: span.requests(usd_per_million),
            dead_lettered_per_second: dying.iter().map(|(_, rate)| rate).sum(),
            dying,
            dead_letters: now.dead_letters_queued.and_then(|it| it.try_into().ok()),
            topics: topics.collect(),
            sources: sources.collect(),
        }
    }

    fn missing(&self) -> u64 {
        let last = self.readings.iter().rev().take(LASTING);
        if last.len() < LASTING {
            return 0;
        }
        let mut unaccounted = last.map(|(_, reading)| reading.totals().unaccounted());
        let now = unaccounted.next().unwrap_or(0);
        if unaccounted.all(|it| it == now) { now.unsigned_abs() } else { 0 }
    }

    /// From so many readings ago to the last one.
    fn span(&self, readings: usize) -> Span<'_> {
        static NOTHING: Reading = Reading {
            sources: BTreeMap::new(),
            topics: BTreeMap::new(),
            entries: (0, 0),
            requests_in_flight: 0,
            request_limit: 0.0,
            dead_letters_queued: None,
        };
        let count = self.readings.len();
        let last = self.readings.back();
        let first = self.readings.get(count.saturating_sub(readings + 1));
        let seconds = match (first, last) {
            (Some((from, _)), Some((to, _))) => (*to - *from).as_secs_f64(),
            _ => 0.0,
        };
        let (before, now) = (first.map_or(&NOTHING, |it| &it.1), last.map_or(&NOTHING, |it| &it.1));
        Span { began: first.map(|it| it.0), before, now, seconds }
    }
}

/// Two readings, and the seconds between them.
struct Span<'a> {
    began: Option<Instant>,
    before: &'a Reading,
    now: &'a Reading,
    seconds: f64,
}

impl Span<'_> {
    fn per_second(&self, count: impl Fn(&Reading) -> u64) -> f64 {
        self.rate(count(self.before), count(self.now))
    }

    fn rate(&self, before: u64, now: u64) -> f64 {
        if self.seconds > 0.0 { float(now.saturating_sub(before)) / self.seconds } else { 0.0 }
    }

    fn times(&self) -> Times {
        let all = |it: &Reading| {
            it.sources.values().fold(Times::default(), |sum, it| sum.plus(&it.seconds))
        };
        all(self.now).since(&all(self.before))
    }

    fn source(&self, name: &str, now: &SourceReading) -> SourceFigures {
        let before = self.before.sources.get(name).map_or(0, |it| it.received);
        SourceFigures {
            received_per_second: self.rate(before, now.received),
            in_flight: now.in_flight,
            ready: now.ready,
            parked: now.parked,
            consumers: now.consumers,
        }
    }

    fn topic(&self, name: &str, now: &TopicReading) -> TopicFigures {
        let before = self.before.topics.get(name);
        let failed = now.requests.iter().filter(|(result, _)| *result != "accepted");
        let times = match before {
            Some(before) => now.seconds.clone().since(&before.seconds),
            None => now.seconds.clone(),
        };
        TopicFigures {
            published: now.published,
            published_per_second: self.rate(before.map_or(0, |it| it.published), now.published),
            failed_requests: failed.map(|(_, count)| count).sum(),
            retries: now.retries.values().sum(),
            p95: times.quantile(0.95),
        }
    }

    fn requests(&self, usd_per_million: f64) -> Requests {
        let all = requests(self.now);
        // Of the last seconds, or else of all the time.
        let since = |now: u64, before: u64| if now > before { now - before } else { now };
        let batches = since(self.now.entries.1, self.before.entries.1);
        let entries = since(self.now.entries.0, self.before.entries.0);
        let events = published(self.now);
        let per_event = (events > 0).then(|| float(all) / float(events));
        Requests {
            entries: (batches > 0).then(|| float(entries) / float(batches)),
            per_event,
            usd_per_million_events: per_event.map(|it| it * usd_per_million),
            usd_spent: float(all) * usd_per_million / 1e6,
            sent: all,
            per_second: self.per_second(requests),
            in_flight: self.now.requests_in_flight,
            limit: self.now.request_limit,
            retries: retries(self.now),
            retries_per_second: self.per_second(retries),
            throttled: throttled(self.now),
            throttled_per_second: self.per_second(throttled),
            failed_share: sums::failed_share(self.before, self.now),
        }
    }
}

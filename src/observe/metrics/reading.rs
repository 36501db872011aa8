//! A reading of all metrics for the operator's page. Any thread may take one.

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::proto::Metric;

use super::Metrics;
use super::totals::Totals;
use crate::outcome::{Reason, SkipReason};

/// The values of all counters and gauges.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// By source.
    pub sources: BTreeMap<String, SourceReading>,
    /// By the topic's name, which two topics of different accounts may share.
    pub topics: BTreeMap<String, TopicReading>,
    /// Messages in all requests, and the requests.
    pub entries: (u64, u64),
    /// Requests under way.
    pub requests_in_flight: i64,
    /// How many there may be.
    pub request_limit: f64,
    /// In the dead-letter queue; `None` where nobody knows.
    pub dead_letters_queued: Option<i64>,
}

/// A source's numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceReading {
    /// Deliveries taken.
    pub received: u64,
    /// Deliveries that ended, by outcome and reason.
    pub outcomes: BTreeMap<(String, String), u64>,
    /// Deliveries that went back.
    pub handed_back: u64,
    /// Deliveries without an end.
    pub in_flight: i64,
    /// Ready in the queue; `None` where nobody knows.
    pub ready: Option<i64>,
    /// Consumers of the queue.
    pub consumers: Option<i64>,
    /// Parked until their topic is no longer held; `None` where nobody knows.
    pub parked: Option<i64>,
    /// This worker's share of the events to be published.
    pub backlog: f64,
    /// From received to settled.
    pub seconds: Times,
}

/// A topic's numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicReading {
    /// Messages accepted.
    pub published: u64,
    /// Requests, by what became of them.
    pub requests: BTreeMap<String, u64>,
    /// Retries, by what the attempt before met.
    pub retries: BTreeMap<String, u64>,
    /// From sending a request to its answer.
    pub seconds: Times,
}

/// A histogram: how many took up to so many seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times {
    /// Upper bounds with the counts of all that are not above.
    pub up_to: Vec<(f64, u64)>,
    /// All.
    pub count: u64,
}

impl Reading {
    /// What became of all deliveries.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.into()
    }

    /// How many ended so, for this reason.
    pub(crate) fn ended(&self, outcome: &str, reason: &str) -> u64 {
        let key = (outcome.to_owned(), reason.to_owned());
        self.sources.values().filter_map(|source| source.outcomes.get(&key)).sum()
    }
}

impl SourceReading {
    /// How many ended so.
    #[must_use]
    pub fn ended(&self, outcome: &str) -> u64 {
        self.outcomes.iter().filter(|((it, _), _)| it == outcome).map(|(_, count)| count).sum()
    }
}

impl Times {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        if self.up_to.is_empty() {
            return other.clone();
        }
        for ((_, count), (_, more)) in self.up_to.iter_mut().zip(&other.up_to) {
            *count += more;
        }
        self.count += other.count;
        self
    }

    /// What has come since `before`.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        for ((_, count), (_, less)) in self.up_to.iter_mut().zip(&before.up_to) {
            *count = count.saturating_sub(*less);
        }
        self.count = self.count.saturating_sub(before.count);
        self
    }

    /// The seconds that this share, 0 to 1, did not exceed: within its bucket by proportion, as
    /// Prometheus does it. `None` if there were none; the last bound for what is above it.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share * self.count as f64;
        let mut lower = (0.0, 0);
        for &(bound, count) in self.up_to.iter().filter(|_| self.count > 0) {
            if count as f64 >= rank && count > lower.1 {
                let within = (rank - lower.1 as f64) / (count - lower.1) as f64;
                return Some((bound - lower.0).mul_add(within.max(0.0), lower.0));
            }
            lower = (bound, count);
        }
        (self.count > 0).then_some(lower.0)
    }
}

impl Metrics {
    /// The numbers now. Those that change meanwhile may not fit each other by a few.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let entries = self.batch_entries.get_sample_sum();
        let mut reading = Reading {
            entries: (whole(entries), self.batch_entries.get_sample_count()),
            requests_in_flight: self.requests_in_flight.get(),
            request_limit: self.request_limit.get(),
            ..Reading::default()
        };
        self.read_sources(&mut reading.sources);
        self.read_topics(&mut reading.topics);
        each(&self.dead_letters_queued, |it| reading.dead_letters_queued = Some(gauged(it)));
        reading
    }

    fn read_sources(&self, sources: &mut BTreeMap<String, SourceReading>) {
        let mut of = |metric: &Metric, set: &dyn Fn(&mut SourceReading)| {
            set(sources.entry(label(metric, "source")).or_default());
        };
        // Before what they become, so that none seems to be missing.
        each(&self.outcomes, |it| {
            let key = (label(it, "outcome"), label(it, "reason"));
            of(it, &|source| *source.outcomes.entry(key.clone()).or_default() += counted(it));
        });
        each(&self.handed_back, |it| of(it, &|source| source.handed_back = counted(it)));
        each(&self.in_flight, |it| of(it, &|source| source.in_flight = gauged(it)));
        each(&self.deliveries, |it| of(it, &|source| source.received = counted(it)));
        each(&self.queue_ready, |it| of(it, &|source| source.ready = Some(gauged(it))));
        each(&self.queue_consumers, |it| of(it, &|source| source.consumers = Some(gauged(it))));
        each(&self.queue_parked, |it| of(it, &|source| source.parked = Some(gauged(it))));
        each(&self.backlog, |it| of(it, &|source| source.backlog = it.get_gauge().get_value()));
        each(&self.delivery_seconds, |it| of(it, &|source| source.seconds = times(it)));
    }

    fn read_topics(&self, topics: &mut BTreeMap<String, TopicReading>) {
        let mut of = |metric: &Metric, set: &dyn Fn(&mut TopicReading)| {
            set(topics.entry(label(metric, "topic")).or_default());
        };
        each(&self.published, |it| of(it, &|topic| topic.published = counted(it)));
        each(&self.publish_requests, |it| {
            of(it, &|topic| *topic.requests.entry(label(it, "result")).or_default() += counted(it));
        });
        each(&self.retries, |it| {
            of(it, &|topic| *topic.retries.entry(label(it, "reason")).or_default() += counted(it));
        });
        each(&self.publish_seconds, |it| of(it, &|topic| topic.seconds = times(it)));
    }
}

fn each(collector: &impl Collector, mut read: impl FnMut(&Metric)) {
    for family in collector.collect() {
        family.get_metric().iter().for_each(&mut read);
    }
}

fn label(metric: &Metric, name: &str) -> String {
    let pair = metric.get_label().iter().find(|pair| pair.name() == name);
    pair.map(|pair| pair.value().to_owned()).unwrap_or_default()
}

impl From<&Reading> for Totals {
    fn from(reading: &Reading) -> Self {
        let mut totals = Self::default();
        for source in reading.sources.values() {
            totals.received += source.received;
            totals.handed_back += source.handed_back;
            totals.in_flight += source.in_flight;
            for ((outcome, reason), count) in &source.outcomes {
                match outcome.as_str() {
                    "skipped" => add(&mut totals.skipped, SkipReason::from_label(reason), *count),
                    "dead_lettered" => {
                        add(&mut totals.dead_lettered, Reason::from_label(reason), *count);
                    }
                    _ => totals.published += count,
                }
            }
        }
        totals
    }
}

fn add<R: Ord>(counts: &mut BTreeMap<R, u64>, reason: Option<R>, count: u64) {
    if let Some(reason) = reason.filter(|_| count > 0) {
        *counts.entry(reason).or_default() += count;
    }
}

fn counted(metric: &Metric) -> u64 {
    whole(metric.get_counter().get_value())
}

#[allow(clippy::cast_possible_truncation, reason = "they are whole")]
fn gauged(metric: &Metric) -> i64 {
    metric.get_gauge().get_value() as i64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they only grow")]
fn whole(number: f64) -> u64 {
    number as u64
}

fn times(metric: &Metric) -> Times {
    let histogram = metric.get_histogram();
    let bounds = histogram.get_bucket().iter();
    Times {
        up_to: bounds.map(|it| (it.upper_bound(), it.cumulative_count())).collect(),
        count: histogram.get_sample_count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_where_prometheus_finds_it() {
        let times = |up_to: &[(f64, u64)], count| Times { up_to: up_to.to_vec(), count };
        let some = times(&[(0.1, 50), (0.2, 100), (0.4, 100)], 100);
        assert_eq!(
            (some.quantile(0.5), some.quantile(0.75)),
            (Some(0.1), Some(0.150_000_000_000_000_02))
        );
        assert_eq!(some.quantile(1.0), Some(0.2));
        assert_eq!(times(&[(0.1, 0), (0.2, 0)], 0).quantile(0.5), None);
        assert_eq!(times(&[(0.1, 0), (0.2, 0)], 7).quantile(0.5), Some(0.2), "above all bounds");
        let later = times(&[(0.1, 50), (0.2, 140), (0.4, 140)], 140);
        assert_eq!(later.since(&some), times(&[(0.1, 0), (0.2, 40), (0.4, 40)], 40));
    }

    #[test]
    fn what_is_counted_is_read() {
        let metrics = Metrics::new();
        metrics.deliveries.with_label_values(&["events"]).inc_by(3);
        let ended = |kind| metrics.outcomes.with_label_values(&["events", kind, "published", ""]);
        ended("chat").inc();
        ended("presence").inc();
        metrics.delivery_seconds.with_label_values(&["events"]).observe(0.02);
        metrics.publish_requests.with_label_values(&["pm", "throttled"]).inc();
        metrics.batch_entries.observe(7.0);
        let reading = metrics.reading();
        let source = &reading.sources["events"];
        assert_eq!((source.received, source.ended("published"), source.ready), (3, 2, None));
        assert!(source.seconds.quantile(0.5).is_some_and(|it| (0.01..=0.025).contains(&it)));
        assert_eq!(reading.topics["pm"].requests["throttled"], 1);
        assert_eq!(reading.entries, (7, 1));
        assert_eq!(reading.dead_letters_queued, None, "nobody has asked");
        metrics.dead_letters_queued.with_label_values(&["dead"]).set(4);
        assert_eq!(metrics.reading().dead_letters_queued, Some(4));
    }
}

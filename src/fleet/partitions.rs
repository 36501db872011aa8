//! Partitions of sources: what a worker says of its share, and what all workers have together.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Members, Report, SourceReport, Worker};
use crate::config::Key;
use crate::observe::monitor::State;

/// The largest number of partitions, and the largest prefetch, that is believed.
const LARGEST: u64 = 65_535;

/// A shortage for so long is none that passes while partitions move from worker to worker.
const LASTING: Duration = Duration::from_secs(5);

/// A worker's share of a source's partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionsReport {
    /// Partitions from which it got events lately, or has some in flight.
    pub active: u64,
    /// All partitions of the source.
    pub of: u64,
    /// From so many it may have events, by the number of workers that it counts; `None`: it has not counted yet.
    pub bound: Option<u64>,
    /// Unacknowledged deliveries of each partition that it may hold.
    pub prefetch: u64,
}

impl PartitionsReport {
    /// With numbers that are believed.
    pub(super) fn bounded(self) -> Option<Self> {
        let Self { active, of, bound, prefetch } = self;
        let [active, of, prefetch] = [active, of, prefetch].map(|it| it.min(LARGEST));
        (of > 0).then_some(Self { active, of, bound: bound.map(|it| it.min(LARGEST)), prefetch })
    }

    /// Its bound, if it has more.
    #[must_use]
    pub fn exceeded(&self) -> Option<u64> {
        self.bound.filter(|bound| self.active > *bound)
    }

    /// `4 of 40`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { active, of, .. } = self;
        let bound = self.exceeded().map(|it| format!(" (its share is {it})")).unwrap_or_default();
        format!("{active} of {of}{bound}")
    }
}

/// What all workers that are heard have of a source's partitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourcePartitions {
    /// The source.
    pub source: String,
    /// Partitions from which workers get events.
    pub active: u64,
    /// All partitions, as most workers have it.
    pub of: u64,
    /// Workers that have more than their bound, which pass some on.
    pub beyond: Vec<String>,
    /// For so many seconds, some of them, events wait in the source's queues though not all partitions are taken.
    pub short_seconds: Option<f64>,
}

impl SourcePartitions {
    /// How many are taken, and what is amiss.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { source, active, of, beyond, short_seconds } = self;
        let mut words = format!("source {source}: events come from {active} of {of} partitions");
        if let Some(seconds) = short_seconds {
            let rest = of.saturating_sub(*active);
            let _ = write!(
                words,
                "; for {seconds:.0} s events wait all the same: nobody consumes the other {rest}, or too many events have one key"
            );
        }
        if !beyond.is_empty() {
            let have = if beyond.len() == 1 { "has" } else { "have" };
            let _ = write!(words, "; more than its share {have} {}", beyond.join(", "));
        }
        words
    }
}

/// What is added up of a source.
#[derive(Debug, Default)]
struct Tally<'a> {
    /// Workers and their partitions, by the number of partitions that they know.
    by_number: BTreeMap<u64, (usize, u64)>,
    beyond: Vec<&'a str>,
    ready: u64,
    is_consumed: bool,
    is_held_back: bool,
}

impl<'a> Tally<'a> {
    /// Of each source with partitions, out of the reports of workers that are heard, each with its name.
    fn all(reports: impl Iterator<Item = (&'a str, &'a Report)>) -> BTreeMap<&'a str, Self> {
        let mut all = BTreeMap::<_, Self>::new();
        for (worker, report) in reports {
            for source in &report.sources {
                let Some(partitions) = &source.partitions else { continue };
                let tally = all.entry(source.name.as_str()).or_default();
                tally.add(worker, source, partitions);
                tally.is_held_back |= !report.holds.is_empty();
            }
        }
        all
    }

    fn add(&mut self, worker: &'a str, source: &SourceReport, partitions: &PartitionsReport) {
        let (workers, active) = self.by_number.entry(partitions.of).or_default();
        *workers += 1;
        *active += partitions.active;
        if partitions.exceeded().is_some() {
            self.beyond.push(worker);
        }
        self.ready = self.ready.max(source.ready.unwrap_or(0));
        self.is_consumed |= source.state == State::Consuming.label();
        self.is_held_back |= source.state == State::Paused.label();
    }

    /// How many are active of how many. Workers that know another number than most get nothing.
    fn active(&self) -> (u64, u64) {
        let most = self.by_number.iter().max_by_key(|(_, (workers, _))| *workers);
        most.map_or((0, 0), |(of, (_, active))| (*active, *of))
    }

    /// Whether events wait, for nothing that is known, though not all partitions are taken.
    fn is_short(&self) -> bool {
        let (active, of) = self.active();
        active < of && self.ready > 0 && self.is_consumed && !self.is_held_back
    }
}

impl Members {
    /// Notes since when sources are short of partitions that are taken; to be called from time to time.
    pub fn note_shortages(&mut self, now: Instant) {
        let reports = self.heard(now).map(|it| (it.host.as_str(), it));
        let short = Tally::all(reports).into_iter().filter(|(_, it)| it.is_short());
        let since = |name: &str| self.short.get(name).copied().unwrap_or(now);
        self.short = short.map(|(name, _)| (name.to_owned(), since(name))).collect();
    }

    /// By source.
    pub(super) fn partitions(&self, workers: &[Worker], now: Instant) -> Vec<SourcePartitions> {
        let heard = workers.iter().filter(|it| !it.is_silent);
        let all = Tally::all(heard.map(|it| (it.name.as_str(), &*it.report)));
        let of_source = |(name, tally): (&str, Tally<'_>)| {
            let (active, of) = tally.active();
            let short = self.short.get(name).map(|since| now.saturating_duration_since(*since));
            SourcePartitions {
                source: name.to_owned(),
                active,
                of,
                beyond: tally.beyond.into_iter().map(str::to_owned).collect(),
                short_seconds: short.filter(|it| *it >= LASTING).map(|it| it.as_secs_f64()),
            }
        };
        all.into_iter().map(of_source).collect()
    }
}

/// The keys by which a worker has other partitions than another one, beside those that their configurations tell.
pub(super) fn differences(report: &Report, usual: &[SourceReport]) -> Vec<String> {
    let mut keys = Vec::new();
    for source in &report.sources {
        let other = usual.iter().find(|it| it.name == source.name);
        let both = (source.partitions, other.and_then(|it| it.partitions));
        let (Some(its), Some(usual)) = both else { continue };
        if its.of != usual.of {
            keys.push(Key::from(["amqp", "sources", &source.name, "partitions"]).to_string());
        } else if its.prefetch != usual.prefetch {
            keys.push("amqp.prefetch".to_owned());
        }
    }
    keys
}

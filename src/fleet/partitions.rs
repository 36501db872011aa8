//! What all workers have of a source's partitions together, out of their reports.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{PartitionsReport, Report, SourceReport};
use crate::config::Key;
use crate::observe::monitor::State;

/// Workers that are named in words; the table has all.
const NAMED: usize = 3;

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
            let named = beyond.get(..NAMED).unwrap_or(beyond).join(", ");
            let _ = write!(words, "; more than its share {have} {named}");
            if beyond.len() > NAMED {
                let _ = write!(words, ", {} more", beyond.len() - NAMED);
            }
        }
        words
    }
}

/// What is added up of a source.
#[derive(Debug, Default)]
pub(super) struct Tally<'a> {
    /// Workers and their partitions, by the number of partitions that they know.
    by_number: BTreeMap<u64, (usize, u64)>,
    pub(super) beyond: Vec<&'a str>,
    ready: u64,
    is_consumed: bool,
    is_held_back: bool,
}

impl<'a> Tally<'a> {
    /// Of each source with partitions, out of the reports of workers that are heard, each with its name.
    pub(super) fn all(
        reports: impl Iterator<Item = (&'a str, &'a Report)>,
    ) -> BTreeMap<&'a str, Self> {
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
    pub(super) fn active(&self) -> (u64, u64) {
        let most = self.by_number.iter().max_by_key(|(_, (workers, _))| *workers);
        most.map_or((0, 0), |(of, (_, active))| (*active, *of))
    }

    /// Whether events wait, for nothing that is known, though not all partitions are taken.
    pub(super) fn is_short(&self) -> bool {
        let (active, of) = self.active();
        active < of && self.ready > 0 && self.is_consumed && !self.is_held_back
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

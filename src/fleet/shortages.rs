//! The partitions of all workers: the sums, and for how long not all are taken though events wait.

use std::time::{Duration, Instant};

use super::members::Members;
use super::partitions::Tally;
use super::{SourcePartitions, Worker};
use crate::limits::MOST_FLEET_SOURCES;

/// A shortage for so long is none that passes while partitions move from worker to worker.
const LASTING: Duration = Duration::from_secs(5);

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
            // Both workers count a partition that has just moved.
            let (active, of) = tally.active();
            let active = active.min(of);
            let short = self.short.get(name).map(|since| now.saturating_duration_since(*since));
            SourcePartitions {
                source: name.to_owned(),
                active,
                of,
                beyond: tally.beyond.into_iter().map(str::to_owned).collect(),
                short_seconds: short.filter(|it| *it >= LASTING).map(|it| it.as_secs_f64()),
            }
        };
        all.into_iter().take(MOST_FLEET_SOURCES).map(of_source).collect()
    }
}

//! The merged picture of a fleet, as page and command show it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::members::{Heard, Link, Members};
use super::partitions;
use super::{Books, Fingerprint, Rates, Replaying, Report, SourcePartitions, SourceReport};

/// Seconds by which clocks may differ without being told: reports are not older than five.
const CLOCKS_DIFFER: i64 = 10;

/// Characters of an id that tell workers of one host apart.
const SHOWN_OF_ID: usize = 4;

/// All workers at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// The fleet's name.
    pub name: String,
    /// Whether others are heard.
    pub link: LinkShown,
    /// By host.
    pub workers: Vec<Worker>,
    /// Of all of them.
    pub sums: Sums,
    /// Replays of dead letters that are running, of workers' pages and of operators' commands.
    pub replays: Vec<Replaying>,
    /// Of each source that has some.
    pub partitions: Vec<SourcePartitions>,
    /// How many workers run which version.
    pub versions: BTreeMap<String, usize>,
    /// Reports that were not believed, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
}

/// Whether others are heard, since when, and why not.
#[derive(Debug, Clone, Serialize)]
pub struct LinkShown {
    /// `joining`, `joined`, `forbidden`, `lost` or `blocked`.
    pub state: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A worker, and how it differs from the others.
#[derive(Debug, Clone, Serialize)]
pub struct Worker {
    /// Its host, with the beginning of its id where others run there, too.
    pub name: String,
    /// The one that shows it.
    pub is_this: bool,
    /// It has not been heard for some seconds.
    pub is_silent: bool,
    /// Since it was heard.
    pub heard_seconds: f64,
    /// By how much its clock is ahead of this worker's, if that is more than a few seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_seconds: Option<i64>,
    /// It runs another version than most.
    pub other_version: bool,
    /// The keys, or groups of keys, in which its configuration differs from that of most.
    pub differs_in: Vec<String>,
    /// Of its configuration; empty: not known.
    pub configuration_hash: String,
    /// The oldest delivery in flight of its sources, in seconds.
    pub oldest_seconds: Option<f64>,
    /// What it said last.
    #[serde(flatten, serialize_with = "said")]
    pub report: Arc<Report>,
}

fn said<S: Serializer>(report: &Arc<Report>, serializer: S) -> Result<S::Ok, S::Error> {
    report.as_ref().serialize(serializer)
}

/// The sums over all workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Workers, silent ones included.
    pub workers: usize,
    /// Silent ones.
    pub silent: usize,
    /// A second.
    pub rates: Rates,
    /// What became of all deliveries.
    pub books: Books,
    /// Received, less all the rest; off by a few while events flow.
    pub unaccounted: i64,
    /// The shares of all.
    pub backlog: f64,
    /// The oldest delivery in flight, in seconds.
    pub oldest_seconds: Option<f64>,
}

/// A worker as it is looked at.
struct Seen<'a> {
    report: &'a Arc<Report>,
    configuration: &'a Fingerprint,
    heard: Option<&'a Heard>,
}

impl Members {
    /// How things are now.
    #[must_use]
    pub fn picture(&self, now: Instant) -> Picture {
        // Without a replay there is nothing to copy.
        let replaying = self.own.as_ref().filter(|_| self.replay.is_some()).map(|(report, _)| {
            Arc::new(Report { replay: self.replay.clone(), ..Report::clone(report) })
        });
        let own = self.own.iter().map(|(report, configuration)| {
            let report = replaying.as_ref().unwrap_or(report);
            Seen { report, configuration, heard: None }
        });
        let others = self.others.values().map(|it| Seen {
            report: &it.report,
            configuration: &it.configuration,
            heard: Some(it),
        });
        let mut seen: Vec<_> = own.chain(others).collect();
        seen.sort_by(|one, other| {
            (&one.report.host, &one.report.id).cmp(&(&other.report.host, &other.report.id))
        });
        let usual = Usual::of(&seen);
        let worker = |(at, it): (usize, &Seen<'_>)| {
            // By host they are neighbours.
            let neighbours = [at.wrapping_sub(1), at + 1].map(|of| seen.get(of));
            let is_alone = neighbours.iter().flatten().all(|of| of.report.host != it.report.host);
            self.worker(it, name(it.report, is_alone), &usual, now)
        };
        let workers: Vec<_> = seen.iter().enumerate().map(worker).collect();
        let mut versions = BTreeMap::new();
        for worker in &workers {
            *versions.entry(worker.report.version.clone()).or_default() += 1;
        }
        Picture {
            name: self.name.clone(),
            link: self.link_shown(),
            sums: Sums::of(&workers),
            replays: self.replays(&workers, now),
            partitions: self.partitions(&workers, now),
            workers,
            versions,
            ignored: self.ignored.iter().map(|(why, count)| (why.label(), *count)).collect(),
        }
    }

    fn worker(&self, seen: &Seen<'_>, name: String, usual: &Usual<'_>, now: Instant) -> Worker {
        let Seen { report, configuration, heard } = seen;
        let clock = heard.map_or(0, |it| it.clock_ahead);
        let heard_seconds =
            heard.map_or(0.0, |it| now.saturating_duration_since(it.at).as_secs_f64());
        let other_version = report.version != usual.version;
        let mut differs_in =
            usual.configuration.differences(configuration, report.version == usual.of);
        // Their keys would tell, and numbers that follow the broker differ while it is moved to others.
        if !configuration.tells("amqp.prefetch") || !usual.configuration.tells("amqp.prefetch") {
            differs_in.extend(partitions::differences(report, usual.sources));
        }
        differs_in.sort_unstable();
        differs_in.dedup();
        Worker {
            name,
            is_this: heard.is_none(),
            is_silent: heard.is_some_and(|it| self.is_silent(it, now)),
            heard_seconds,
            clock_ahead_seconds: Some(clock).filter(|it| it.abs() > CLOCKS_DIFFER),
            other_version,
            differs_in,
            configuration_hash: configuration.hash.clone(),
            oldest_seconds: report.oldest_seconds(),
            report: Arc::clone(report),
        }
    }

    fn link_shown(&self) -> LinkShown {
        let (state, error) = match &self.link {
            Link::Joining => ("joining", None),
            Link::Joined => ("joined", None),
            Link::Forbidden(error) => ("forbidden", Some(error.clone())),
            Link::Lost(error) => ("lost", Some(error.clone())),
            Link::Blocked(error) => ("blocked", Some((*error).to_owned())),
        };
        LinkShown { state, since: self.link_since, error }
    }
}

fn name(report: &Report, is_alone: bool) -> String {
    let id = report.id.get(..SHOWN_OF_ID).unwrap_or_default();
    if is_alone { report.host.clone() } else { format!("{} {id}", report.host) }
}

/// What most workers have.
struct Usual<'a> {
    version: &'a str,
    configuration: &'a Fingerprint,
    /// The version of a worker with that configuration, and its sources.
    of: &'a str,
    sources: &'a [SourceReport],
}

impl<'a> Usual<'a> {
    fn of(seen: &[Seen<'a>]) -> Self {
        static NONE: Fingerprint = Fingerprint { hash: String::new(), parts: BTreeMap::new() };
        let version = most(seen, |it| &it.report.version);
        let known: Vec<_> = seen.iter().filter(|it| !it.configuration.is_empty()).collect();
        let hash = most(known.iter().copied(), |it| &it.configuration.hash);
        let first = hash.and_then(|it| known.iter().find(|of| of.configuration.hash == *it));
        Self {
            version: version.map_or("", String::as_str),
            configuration: first.map_or(&NONE, |it| it.configuration),
            of: first.map_or("", |it| &it.report.version),
            sources: first.map_or(&[], |it| &it.report.sources),
        }
    }
}

/// The value that most have; of as many, that of the worker which has run for longest.
fn most<'a, 's>(
    seen: impl IntoIterator<Item = &'s Seen<'a>>,
    value: impl Fn(&Seen<'a>) -> &'a String,
) -> Option<&'a String>
where
    'a: 's,
{
    let mut counts: BTreeMap<&String, (usize, Timestamp)> = BTreeMap::new();
    for it in seen {
        let (count, oldest) = counts.entry(value(it)).or_insert((0, it.report.started));
        *count += 1;
        *oldest = (*oldest).min(it.report.started);
    }
    let most =
        counts.into_iter().max_by_key(|(_, (count, oldest))| (*count, -oldest.as_nanosecond()));
    most.map(|(value, _)| value)
}

impl Sums {
    fn of(workers: &[Worker]) -> Self {
        let mut sums = Self { workers: workers.len(), ..Self::default() };
        for worker in workers {
            sums.silent += usize::from(worker.is_silent);
            sums.books.add(worker.report.books);
            if !worker.is_silent {
                sums.rates.add(worker.report.rates);
            }
            sums.backlog += worker.report.sources.iter().map(|it| it.backlog).sum::<f64>();
            let oldest = [sums.oldest_seconds, worker.oldest_seconds].into_iter().flatten();
            sums.oldest_seconds = oldest.max_by(f64::total_cmp);
        }
        sums.unaccounted = sums.books.unaccounted();
        sums
    }
}

impl Picture {
    /// Workers whose configuration or version is another than that of most.
    pub fn differing(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|it| it.other_version || !it.differs_in.is_empty())
    }

    /// Workers that have not been heard for some seconds.
    pub fn silent(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|it| it.is_silent)
    }
}

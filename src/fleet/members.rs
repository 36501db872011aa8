//! The workers of a fleet as they were heard last: who is silent, who is gone, and which reports are not believed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::report::LEFT;
use super::{Fingerprint, Ignored, OperatorReport, ReplayReport, Report, Said};
use crate::limits::{LARGEST_CLOCK_DIFFERENCE, MOST_GONE_WORKERS, MOST_WORKERS};

/// A worker that has not been heard for so long is silent: some reports are missing, not one.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(5);

/// And for so long, gone.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(30);

/// The same in reports of a worker that reports more rarely.
const SILENT_AFTER_REPORTS: u32 = 4;
const GONE_AFTER_REPORTS: u32 = 10;

/// Between two reports of a worker whose state stays the same.
const EVERY: Duration = Duration::from_secs(1);

/// So many workers report each second; more of them report more rarely, since each hears all.
const REPORTS_PER_SECOND: usize = 50;

/// Whether this worker hears the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet.
    Joining,
    /// It does.
    Joined,
    /// The user may not: what RabbitMQ said.
    Forbidden(String),
    /// The connection is lost, or could not be made: why.
    Lost(String),
    /// It hears others, but they hear nothing of it: RabbitMQ has an alarm.
    Blocked(&'static str),
}

/// Another worker.
#[derive(Debug)]
pub(super) struct Heard {
    /// Without its configuration, which is beside it.
    pub(super) report: Arc<Report>,
    pub(super) configuration: Fingerprint,
    pub(super) at: Instant,
    /// Seconds by which its clock is before this worker's.
    pub(super) clock_ahead: i64,
}

/// A command of an operator that runs a replay.
#[derive(Debug)]
pub(super) struct HeardOperator {
    pub(super) report: OperatorReport,
    pub(super) at: Instant,
}

/// The workers of a fleet.
#[derive(Debug)]
pub struct Members {
    pub(super) name: String,
    pub(super) own: Option<(Arc<Report>, Fingerprint)>,
    /// By id.
    pub(super) others: BTreeMap<String, Heard>,
    /// Commands that run a replay, by id.
    pub(super) operators: BTreeMap<String, HeardOperator>,
    /// The replay that this process runs.
    pub(super) replay: Option<ReplayReport>,
    pub(super) link: Link,
    /// Since when the link is as it is.
    pub(super) link_since: Timestamp,
    /// Since when others are heard.
    pub(super) joined: Option<Instant>,
    pub(super) ignored: BTreeMap<Ignored, u64>,
    /// Sources of which events wait though not all partitions are taken, and since when.
    pub(super) short: BTreeMap<String, Instant>,
    /// Ids and last numbers of workers that are gone.
    gone: VecDeque<(String, u64)>,
}

impl Members {
    /// Nobody has been heard.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            own: None,
            others: BTreeMap::new(),
            operators: BTreeMap::new(),
            replay: None,
            link: Link::Joining,
            link_since: Timestamp::now(),
            joined: None,
            ignored: BTreeMap::new(),
            short: BTreeMap::new(),
            gone: VecDeque::new(),
        }
    }

    /// What this worker says of itself.
    pub fn set_own(&mut self, report: Report) {
        let mut report = report.bounded();
        let configuration = std::mem::take(&mut report.configuration);
        self.own = Some((Arc::new(report), configuration));
    }

    /// The same, to be sent; it lacks number and time.
    #[must_use]
    pub fn own(&self) -> Option<Report> {
        let (report, configuration) = self.own.as_ref()?;
        let (configuration, replay) = (configuration.clone(), self.replay.clone());
        Some(Report { configuration, replay, ..Report::clone(report) })
    }

    /// Whether this worker hears the others.
    pub fn set_link(&mut self, link: Link, now: Instant) {
        if self.link == link {
            return;
        }
        let hears = matches!(link, Link::Joined | Link::Blocked(_));
        self.joined = hears.then(|| self.joined.unwrap_or(now));
        (self.link, self.link_since) = (link, Timestamp::now());
    }

    /// A report has come. `clock` is the time by this worker's own clock; `is_signed`: the report bears the key's signature.
    ///
    /// # Errors
    ///
    /// It is not believed. It is counted.
    pub fn hear(
        &mut self,
        said: Result<(impl Into<Said>, bool), Ignored>,
        now: Instant,
        clock: Timestamp,
    ) -> Result<(), Ignored> {
        self.forget(now);
        let heard =
            said.and_then(|(said, is_signed)| self.believe(said.into(), is_signed, now, clock));
        if let Err(why) = heard {
            *self.ignored.entry(why).or_default() += 1;
        }
        heard
    }

    fn believe(
        &mut self,
        said: Said,
        is_signed: bool,
        now: Instant,
        clock: Timestamp,
    ) -> Result<(), Ignored> {
        let (id, sequence, at) = said.head();
        if self.own.as_ref().is_some_and(|(own, _)| own.id == id) {
            // Its own report comes back.
            return Ok(());
        }
        let clock_ahead = at.as_second().saturating_sub(clock.as_second());
        if is_signed && clock_ahead.abs() > LARGEST_CLOCK_DIFFERENCE {
            return Err(Ignored::Clock);
        }
        if self.last_of(id).is_some_and(|last| sequence <= last) {
            return Err(Ignored::Old);
        }
        match said {
            Said::Worker(report) => self.believe_worker(*report, now, clock_ahead),
            Said::Operator(report) => self.believe_operator(*report, now),
        }
    }

    /// The number of the last report of a worker or an operator, also if it is gone.
    fn last_of(&self, id: &str) -> Option<u64> {
        let worker = self.others.get(id).map(|it| it.report.sequence);
        let operator = || self.operators.get(id).map(|it| it.report.sequence);
        let gone = || self.gone.iter().find(|(gone, _)| gone == id).map(|(_, last)| *last);
        worker.or_else(operator).or_else(gone)
    }

    fn believe_worker(
        &mut self,
        mut report: Report,
        now: Instant,
        clock_ahead: i64,
    ) -> Result<(), Ignored> {
        if report.state == LEFT {
            self.others.remove(&report.id);
            self.remember(report.id, u64::MAX);
            return Ok(());
        }
        let room = MOST_WORKERS - usize::from(self.own.is_some());
        if !self.others.contains_key(&report.id) && self.others.len() >= room {
            return Err(Ignored::TooMany);
        }
        let configuration = std::mem::take(&mut report.configuration);
        let (id, report) = (report.id.clone(), Arc::new(report));
        self.others.insert(id, Heard { report, configuration, at: now, clock_ahead });
        Ok(())
    }

    /// Leaves out those that have been silent for long. While this worker hears nobody, nobody is.
    pub fn forget(&mut self, now: Instant) {
        let gone: Vec<_> = self
            .others
            .iter()
            .filter(|(_, it)| {
                self.silence(it.at, now).is_some_and(|silence| silence > it.gone_after())
            })
            .map(|(id, it)| (id.clone(), it.report.sequence))
            .collect();
        let is_gone = |it: &HeardOperator| {
            self.silence(it.at, now).is_some_and(|silence| silence > GONE_AFTER)
        };
        let operators = self.operators.iter().filter(|(_, it)| is_gone(it));
        let operators: Vec<_> =
            operators.map(|(id, it)| (id.clone(), it.report.sequence)).collect();
        for (id, last) in gone.into_iter().chain(operators) {
            self.others.remove(&id);
            self.operators.remove(&id);
            self.remember(id, last);
        }
    }

    pub(super) fn remember(&mut self, id: String, last: u64) {
        self.gone.retain(|(it, _)| *it != id);
        if self.gone.len() >= MOST_GONE_WORKERS {
            self.gone.pop_front();
        }
        self.gone.push_back((id, last));
    }

    /// For how long whoever was heard then could have been heard and was not. `None`: this worker hears nobody.
    pub(super) fn silence(&self, heard: Instant, now: Instant) -> Option<Duration> {
        let since = heard.max(self.joined?);
        Some(now.saturating_duration_since(since))
    }

    /// Whether a worker is silent.
    pub(super) fn is_silent(&self, heard: &Heard, now: Instant) -> bool {
        self.silence(heard.at, now).is_some_and(|silence| silence > heard.silent_after())
    }

    /// Workers that are heard, this one included; 0 while this one hears nobody.
    #[must_use]
    pub fn count_heard(&self, now: Instant) -> usize {
        if self.joined.is_none() {
            return 0;
        }
        self.heard(now).count()
    }

    /// What this worker, and those that are not silent, have said last.
    pub(super) fn heard(&self, now: Instant) -> impl Iterator<Item = &Report> {
        let others = self.others.values().filter(move |it| !self.is_silent(it, now));
        let own = self.own.iter().map(|(report, _)| &**report);
        own.chain(others.map(|it| &*it.report))
    }

    /// Whether this worker hears the others, or why not.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Whether anybody has been heard.
    #[must_use]
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// How often this worker is to report.
    #[must_use]
    pub fn every(&self) -> Duration {
        let workers = self.others.len() + 1;
        let times = workers.div_ceil(REPORTS_PER_SECOND);
        EVERY * u32::try_from(times).unwrap_or(1)
    }

    /// The longest pause between two reports of a worker that was heard.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        self.others.values().map(Heard::every).max().unwrap_or(EVERY)
    }
}

impl Heard {
    fn every(&self) -> Duration {
        Duration::from_millis(self.report.every_ms)
    }

    fn silent_after(&self) -> Duration {
        SILENT_AFTER.max(self.every() * SILENT_AFTER_REPORTS)
    }

    fn gone_after(&self) -> Duration {
        GONE_AFTER.max(self.every() * GONE_AFTER_REPORTS)
    }
}

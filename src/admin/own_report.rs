//! What this worker says of itself to its fleet, from its status and its counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::Status;
use super::health::{HeldNow, SourceStatus};
use super::status_publisher::STATUS_EVERY;
use crate::config::{Amqp, Config, Source};
use crate::fleet::{
    Books, Fingerprint, Hold, PartitionsReport, RateWindow, Rates, Report, Requests, SharedMembers,
    SourceReport,
};
use crate::observe::metrics::{Metrics, Reading, SourceReading, Totals, sum};

/// Between two readings of the counters. States are looked at more often.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Makes this worker's reports.
#[derive(Debug)]
pub(crate) struct OwnReports {
    id: String,
    host: String,
    started: Timestamp,
    configuration: Fingerprint,
    /// How many partitions a source has, and the prefetch of each, by the source's name.
    partitions: BTreeMap<String, (u16, u16)>,
    status: watch::Receiver<Status>,
    metrics: Arc<Metrics>,
    window: RateWindow,
    last: Option<(Instant, Report)>,
}

impl OwnReports {
    pub(crate) fn new(
        config: &Config,
        host: String,
        status: watch::Receiver<Status>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            id: format!("{:016x}", fastrand::u64(..)),
            host,
            started: Timestamp::now(),
            configuration: Fingerprint::of(&config.effective),
            partitions: partitions(&config.amqp),
            status,
            metrics,
            window: RateWindow::default(),
            last: None,
        }
    }

    /// Keeps this worker's own report up to date, and the number of workers that are heard, for as long as it is polled.
    pub(crate) async fn keep(mut self, members: &SharedMembers) {
        loop {
            let now = Instant::now();
            let news = self.news(now);
            {
                let mut members = members.lock();
                if let Some(report) = news {
                    members.set_own(report);
                }
                members.forget(now);
                members.note_shortages(now);
                let heard = i64::try_from(members.count_heard(now)).unwrap_or(i64::MAX);
                self.metrics.fleet_workers.set(heard);
            }
            tokio::time::sleep(STATUS_EVERY).await;
        }
    }

    /// A report, if the last one is a second old or a state has changed.
    fn news(&mut self, now: Instant) -> Option<Report> {
        let status = self.status.borrow().clone();
        let due = |(at, _): &(Instant, Report)| now.duration_since(*at) >= READ_EVERY;
        let is_due = self.last.as_ref().is_none_or(due);
        if !is_due {
            let (_, last) = self.last.as_ref()?;
            let report = self.with_states(&status, last.clone());
            if report.essence() == last.essence() {
                return None;
            }
            self.last.as_mut()?.1 = report.clone();
            return Some(report);
        }
        let reading = self.metrics.reading();
        self.window.add(now, &reading);
        let report = self.with_states(&status, self.counts(&reading));
        self.last = Some((now, report.clone()));
        Some(report)
    }

    /// The numbers.
    fn counts(&self, reading: &Reading) -> Report {
        let mut rates = Rates::default();
        reading.sources.keys().for_each(|name| rates.add(self.window.of(name)));
        let source = |(name, it): (&String, &SourceReading)| SourceReport {
            name: name.clone(),
            rates: self.window.of(name),
            in_flight: it.in_flight.try_into().unwrap_or(0),
            backlog: it.backlog,
            ready: it.ready.and_then(|it| it.try_into().ok()),
            ..SourceReport::default()
        };
        Report {
            id: self.id.clone(),
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            configuration: self.configuration.clone(),
            sources: reading.sources.iter().map(source).collect(),
            books: books(&reading.totals()),
            rates,
            requests: Requests {
                in_flight: reading.requests_in_flight.try_into().unwrap_or(0),
                limit: reading.request_limit,
                throttled_per_second: self.window.throttled(),
            },
            ..Report::default()
        }
    }

    /// The states of now, with the numbers of a report.
    fn with_states(&self, status: &Status, report: Report) -> Report {
        let ready = status.ready();
        let state = ready.problems.first().map_or("ready", |it| it.reason);
        let seen = |name: &str| status.sources.iter().find(|it| it.source == name);
        let oldest =
            |name: &str| seen(name).and_then(|it| it.oldest).map(|it| it.elapsed().as_secs_f64());
        let partitions = |name: &str| {
            let (of, prefetch) = *self.partitions.get(name)?;
            let share = seen(name).and_then(|it| it.partitions);
            Some(PartitionsReport {
                active: share.map_or(0, |it| it.active.into()),
                // As many as there are, or, until that is known, as are configured.
                of: share.map_or(of, |it| it.of).into(),
                bound: share.map(|it| it.bound.into()),
                prefetch: share.map_or(prefetch, |it| it.prefetch).into(),
                sorts: seen(name).is_some_and(|it| it.sorting.is_some()),
            })
        };
        let source = |it: &SourceStatus| {
            let known = report.sources.iter().find(|of| of.name == it.name);
            SourceReport {
                name: it.name.clone(),
                state: it.state.to_owned(),
                since: Some(it.since),
                oldest_seconds: oldest(&it.name),
                partitions: partitions(&it.name),
                ..known.cloned().unwrap_or_default()
            }
        };
        let hold = |it: &HeldNow| Hold {
            topic: it.topic.clone(),
            since: it.since,
            waiting: it.waiting as u64,
            error: it.error.clone(),
        };
        Report {
            state: state.to_owned(),
            sources: ready.sources.iter().map(source).collect(),
            holds: ready.held.iter().map(hold).collect(),
            ..report
        }
    }
}

fn partitions(amqp: &Amqp) -> BTreeMap<String, (u16, u16)> {
    let of_source = |source: &Source| {
        let partitioning = source.partitioning()?;
        Some((source.name.clone(), (partitioning.count, amqp.prefetch_of_each(partitioning.count))))
    };
    amqp.sources.iter().filter_map(of_source).collect()
}

fn books(totals: &Totals) -> Books {
    Books {
        received: totals.received,
        published: totals.published,
        skipped: sum(&totals.skipped),
        dead_lettered: sum(&totals.dead_lettered),
        handed_back: totals.handed_back,
        in_flight: totals.in_flight.try_into().unwrap_or(0),
    }
}

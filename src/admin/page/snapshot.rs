//! A snapshot of the worker for the page, as JSON.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::Page;
use super::dead_letter_jobs::Job;
use super::figures::{self, Figures};
use super::fleet::points_of_fleet;
use super::headline::{Headline, Signs, headline};
use super::incident::{Dying, Failing, latest};
use crate::admin::health::{HeldNow, Readiness};
use crate::admin::paused::PausedNow;
use crate::config::{Config, Effective};
use crate::fleet::Picture;
use crate::observe::recent::RecentError;

/// What does not change while the worker runs.
#[derive(Debug, Serialize)]
pub(super) struct About {
    name: String,
    version: &'static str,
    started: Timestamp,
    dead_letter_queue: String,
    pub(super) usd_per_million_requests: f64,
    entries_per_request: u8,
    /// Whether operators can pause something, by the configuration.
    can_be_paused: bool,
    configuration: Vec<Setting>,
    #[serde(skip)]
    topics: Vec<(String, String)>,
    #[serde(skip)]
    queues: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: String,
    origin: String,
}

impl From<&Effective> for Setting {
    fn from(it: &Effective) -> Self {
        let (key, origin) = (it.key.to_string(), it.origin.to_string());
        Self { key, value: it.value.clone(), origin }
    }
}

impl About {
    pub(super) fn new(config: &Config, name: &str) -> Self {
        let topics = config.topics().map(|(_, arn)| (arn.name().to_owned(), arn.to_string()));
        let sources = config.amqp.sources.iter();
        Self {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            started: Timestamp::now(),
            dead_letter_queue: config.amqp.dead_letter_queue.clone(),
            usd_per_million_requests: config.admin.price_per_million_requests,
            entries_per_request: config.sns.batch_max_entries,
            can_be_paused: config.fleet.pause,
            configuration: config.effective.iter().map(Setting::from).collect(),
            topics: topics.collect(),
            queues: sources.map(|it| (it.name.clone(), it.queue.clone())).collect(),
        }
    }
}

#[derive(Serialize)]
struct Snapshot<'a> {
    at: Timestamp,
    headline: Headline,
    /// Where the runbook says more of the headline.
    runbook: &'static str,
    /// Lines of the log that there have been: with another number, `/api/log` has news.
    log_lines: u64,
    figures: &'a Figures,
    topics: Vec<TopicSnapshot<'a>>,
    sources: Vec<SourceSnapshot<'a>>,
    /// Each broker that a source is connected to, and what is weaker there; of a cluster, nodes may have several versions.
    brokers: BTreeSet<&'a str>,
    caveats: BTreeSet<&'a str>,
    held: &'a [HeldNow],
    /// The workers of the fleet, this one among them; `null` with `fleet.view = false`.
    fleet: Option<&'a Picture>,
    paused: &'a [PausedNow],
    errors: &'a [RecentError],
    dead_letters: Option<u64>,
    /// Whether a look of this page waits for another one to end.
    waits_in_line: bool,
    replay: Option<&'a Job>,
    point: Option<&'a figures::Point>,
}

/// A topic, as the page shows it.
#[derive(Serialize)]
struct TopicSnapshot<'a> {
    name: &'a str,
    arn: &'a str,
    state: &'static str,
    #[serde(flatten)]
    figures: figures::TopicFigures,
}

/// A source, as the page shows it.
#[derive(Serialize)]
struct SourceSnapshot<'a> {
    name: &'a str,
    queue: &'a str,
    state: &'static str,
    since: Option<Timestamp>,
    #[serde(flatten)]
    figures: figures::SourceFigures,
}

/// An update, as who has not logged in gets it, and as who has.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshots {
    anonymous: Arc<str>,
    trusted: Arc<str>,
}

impl Snapshots {
    pub(super) fn of(&self, trusted: bool) -> &str {
        if trusted { &self.trusted } else { &self.anonymous }
    }
}

impl Page {
    /// How things are now.
    pub(super) fn snapshots(&self) -> Snapshots {
        let status = self.status.borrow().clone();
        let ready = status.ready();
        let history = self.history();
        let figures = history.figures(self.about.usd_per_million_requests);
        let job = self.jobs.job();
        let errors = latest(&status.errors, figures.window);
        // While a page is open, its own count is the newer one.
        let dead_letters = self.jobs.dead_letters().or(figures.dead_letters);
        let fleet = self.fleet.as_ref().map(|it| it.lock().picture(Instant::now()));
        let signs = Signs {
            per_second: figures.received_per_second,
            throttled_per_second: figures.requests.throttled_per_second,
            dead_letters,
            missing: figures.missing,
            replay_waits: job.as_ref().is_some_and(Job::is_blocked),
            dying: Dying::all(&figures.dying, errors),
            failing: Failing::of(figures.requests.failed_share, errors),
            fleet: fleet.as_ref().map(points_of_fleet).unwrap_or_default(),
        };
        let headline = headline(&ready, &signs);
        let mut snapshot = Snapshot {
            at: Timestamp::now(),
            runbook: headline.section().anchor(),
            headline,
            log_lines: self.log.ever(),
            topics: self.about.topics(&ready, &figures),
            sources: self.about.sources(&ready, &figures),
            figures: &figures,
            brokers: ready.sources.iter().filter_map(|it| it.broker.as_deref()).collect(),
            caveats: ready.sources.iter().flat_map(|it| &it.caveats).map(String::as_str).collect(),
            held: &ready.held,
            fleet: fleet.as_ref(),
            paused: &ready.paused,
            errors: &status.errors,
            dead_letters,
            waits_in_line: self.jobs.waits_in_line(),
            replay: job.as_ref(),
            point: history.points().back(),
        };
        // Numbers and texts always are JSON.
        let json = |snapshot: &Snapshot<'_>| serde_json::to_string(snapshot).unwrap_or_default();
        let trusted: Arc<str> = json(&snapshot).into();
        // Without a replay there is nothing to keep from anyone.
        let Some(for_anyone) = job.as_ref().map(Job::for_anyone) else {
            return Snapshots { anonymous: Arc::clone(&trusted), trusted };
        };
        snapshot.replay = Some(&for_anyone);
        Snapshots { anonymous: json(&snapshot).into(), trusted }
    }

    /// The chart so far.
    pub(super) fn points(&self) -> String {
        serde_json::to_string(self.history().points()).unwrap_or_default()
    }
}

impl About {
    fn topics<'a>(&'a self, ready: &Readiness, figures: &Figures) -> Vec<TopicSnapshot<'a>> {
        let topic = |(name, arn): &'a (String, String)| {
            let is_held = ready.held.iter().any(|it| it.topic.as_ref() == Some(arn));
            let all_are = ready.held.iter().any(|it| it.topic.is_none());
            let is_paused = ready.paused.iter().any(|it| it.is_of_topic(arn));
            let state = match (is_paused, is_held || all_are) {
                (true, _) => "paused",
                (_, true) => "held",
                _ => "open",
            };
            TopicSnapshot {
                name,
                arn,
                state,
                figures: figures.topics.get(name).cloned().unwrap_or_default(),
            }
        };
        self.topics.iter().map(topic).collect()
    }

    fn sources<'a>(&'a self, ready: &Readiness, figures: &Figures) -> Vec<SourceSnapshot<'a>> {
        let source = |(name, queue): &'a (String, String)| {
            let seen = ready.sources.iter().find(|it| it.name == *name);
            SourceSnapshot {
                name,
                queue,
                state: seen.map_or("starting", |it| it.state),
                since: seen.map(|it| it.since),
                figures: figures.sources.get(name).cloned().unwrap_or_default(),
            }
        };
        self.queues.iter().map(source).collect()
    }
}

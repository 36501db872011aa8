//! What a worker says of itself, as JSON. Fields that are not known are ignored, and those that are missing have defaults, so
//! that workers of several versions understand each other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bounds::{shorten, within};
use super::{Fingerprint, Ignored, PartitionsReport, Rates, ReplayReport};
use crate::limits::{
    LONGEST_FLEET_REPORT, LONGEST_OF_FLEET, MOST_COMPARED, MOST_FLEET_HOLDS, MOST_FLEET_SOURCES,
};
use crate::untrusted::one_line;

/// The state of a worker that has ended in order, in its last report.
pub const LEFT: &str = "left";

/// The largest number that is believed: sums of it stay exact in JSON.
const LARGEST: u64 = 1 << 46;

/// Characters of a worker's id.
const ID: usize = 16;

/// What one worker says of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The worker: another one with each start.
    pub id: String,
    /// Grows with each report of the worker.
    pub sequence: u64,
    /// By the worker's clock.
    pub at: Timestamp,
    /// Milliseconds until the next report, at the latest.
    pub every_ms: u64,
    /// Its machine, or its pod.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// `ready`, `left`, or a reason of `/readyz`.
    pub state: String,
    /// Empty where it is shown: [`Picture`](super::Picture) has what follows from it.
    #[serde(skip_serializing_if = "Fingerprint::is_empty")]
    pub configuration: Fingerprint,
    /// Each source.
    pub sources: Vec<SourceReport>,
    /// What is held.
    pub holds: Vec<Hold>,
    /// What became of all deliveries since it started.
    pub books: Books,
    /// All sources together.
    pub rates: Rates,
    /// What goes to SNS.
    pub requests: Requests,
    /// The replay that its page runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayReport>,
}

/// State, states of sources, held topics, and whether a replay runs.
type Essence = (String, Vec<(String, String)>, Vec<Option<String>>, bool);

/// A source of a worker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceReport {
    /// By the configuration.
    pub name: String,
    /// As in `/readyz`.
    pub state: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// A second.
    pub rates: Rates,
    /// Deliveries without an end.
    pub in_flight: u64,
    /// The worker's share of the events to be published.
    pub backlog: f64,
    /// Events in its queue that no worker has been given yet, if RabbitMQ tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<u64>,
    /// Seconds since the oldest delivery in flight came.
    pub oldest_seconds: Option<f64>,
    /// Its share of the partitions, if the source has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionsReport>,
}

/// A topic, or the service, that is held.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hold {
    /// `None`: the service.
    pub topic: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Events in flight that wait for it.
    pub waiting: u64,
    /// Why.
    pub error: String,
}

/// What became of all deliveries: received is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Books {
    /// Deliveries taken.
    pub received: u64,
    /// Accepted by SNS.
    pub published: u64,
    /// Not to be published.
    pub skipped: u64,
    /// In the dead-letter queue.
    pub dead_lettered: u64,
    /// To be delivered again.
    pub handed_back: u64,
    /// Without an end.
    pub in_flight: u64,
}

/// What goes to SNS.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Under way.
    pub in_flight: u64,
    /// How many there may be.
    pub limit: f64,
    /// Requests that SNS throttled, a second.
    pub throttled_per_second: f64,
}

impl Report {
    /// As it is sent; what has no room is left out.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Numbers and texts always are JSON.
        let json = |report: &Self| serde_json::to_vec(report).unwrap_or_default();
        let whole = json(self);
        if whole.len() <= LONGEST_FLEET_REPORT {
            return whole;
        }
        let mut less = self.clone();
        less.configuration.parts.clear();
        less.sources.truncate(MOST_FLEET_SOURCES / 2);
        less.holds.truncate(MOST_FLEET_HOLDS / 4);
        json(&less)
    }

    /// Reads what came, which may be anybody's, with bounds on everything.
    ///
    /// # Errors
    ///
    /// It is too large, or no report.
    pub fn read(body: &[u8]) -> Result<Self, Ignored> {
        if body.len() > LONGEST_FLEET_REPORT {
            return Err(Ignored::TooLarge);
        }
        let report: Self = serde_json::from_slice(body).map_err(|_| Ignored::Malformed)?;
        let is_id = report.id.len() == ID && report.id.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_id || report.sequence == 0 {
            return Err(Ignored::Malformed);
        }
        Ok(report.bounded())
    }

    /// With no more of anything than is said and shown.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [&mut self.host, &mut self.version, &mut self.state] {
            shorten(text);
        }
        self.every_ms = self.every_ms.clamp(100, 60_000);
        self.configuration.bound();
        self.sources.truncate(MOST_FLEET_SOURCES);
        for source in &mut self.sources {
            shorten(&mut source.name);
            shorten(&mut source.state);
            source.rates.bound();
            source.in_flight = source.in_flight.min(LARGEST);
            source.backlog = within(source.backlog);
            source.ready = source.ready.map(|it| it.min(LARGEST));
            source.oldest_seconds = source.oldest_seconds.map(within);
            source.partitions = source.partitions.and_then(PartitionsReport::bounded);
        }
        self.holds.truncate(MOST_FLEET_HOLDS);
        for hold in &mut self.holds {
            hold.topic.iter_mut().for_each(shorten);
            shorten(&mut hold.error);
            hold.waiting = hold.waiting.min(LARGEST);
        }
        self.books.bound();
        self.rates.bound();
        self.requests.in_flight = self.requests.in_flight.min(LARGEST);
        self.requests.limit = within(self.requests.limit);
        self.requests.throttled_per_second = within(self.requests.throttled_per_second);
        self.replay.iter_mut().for_each(ReplayReport::bound);
        self
    }

    /// What other workers are to hear at once when it changes: states, what is held, and that a replay begins or ends.
    #[must_use]
    pub fn essence(&self) -> Essence {
        let sources = self.sources.iter().map(|it| (it.name.clone(), it.state.clone()));
        let holds = self.holds.iter().map(|it| it.topic.clone());
        (self.state.clone(), sources.collect(), holds.collect(), self.replay.is_some())
    }

    /// Seconds since the oldest delivery in flight came, of any source.
    #[must_use]
    pub fn oldest_seconds(&self) -> Option<f64> {
        self.sources.iter().filter_map(|it| it.oldest_seconds).max_by(f64::total_cmp)
    }
}

impl Books {
    /// All numbers, received first.
    fn each(&mut self) -> [&mut u64; 6] {
        let Self { received, published, skipped, dead_lettered, handed_back, in_flight } = self;
        [received, published, skipped, dead_lettered, handed_back, in_flight]
    }

    fn bound(&mut self) {
        self.each().into_iter().for_each(|it| *it = (*it).min(LARGEST));
    }

    /// Adds those of another worker.
    pub fn add(&mut self, mut other: Self) {
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum = sum.saturating_add(*more);
        }
    }

    /// Received, less all the rest. Numbers that are read while they change may differ by a few.
    #[must_use]
    #[allow(clippy::cast_possible_wrap, reason = "all are bounded")]
    pub fn unaccounted(&self) -> i64 {
        let Self { received, published, skipped, dead_lettered, handed_back, in_flight } = *self;
        let rest = published + skipped + dead_lettered + handed_back + in_flight;
        received as i64 - rest as i64
    }
}

impl Fingerprint {
    fn bound(&mut self) {
        shorten(&mut self.hash);
        while self.parts.len() > MOST_COMPARED {
            self.parts.pop_last();
        }
        let is_long =
            |it: &str| it.len() > LONGEST_OF_FLEET || one_line(it, LONGEST_OF_FLEET) != *it;
        self.parts.retain(|name, hash| !is_long(name) && !is_long(hash));
    }
}

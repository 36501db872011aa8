//! What a replay has done so far, and how it ended.

use std::collections::BTreeMap;
use std::time::Duration;

/// Why a replay ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReplayEnd {
    /// All that could be sent was sent.
    #[default]
    Done,
    /// It was told to.
    Stopped,
    /// A letter of the canary came back.
    CanaryFailed,
    /// Nobody can tell what became of the canary, and why.
    CanaryUnknown(String),
    /// Events of the canary wait for this: `service`, or the topic's ARN.
    CanaryHeld(String),
    /// All was sent, and events of it are known to wait for this.
    Held(String),
    /// As many failed as `max_failures` says.
    TooManyFailures,
    /// The broker's side failed.
    Broken(String),
}

/// What a replay has done so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Letters that there were.
    pub letters: u64,
    /// Of those that there were, the ones that could not be seen; as [`BrowseCounts::unseen`](crate::dead_letters::BrowseCounts::unseen).
    pub unseen: u64,
    /// Those that are meant.
    pub matching: u64,
    /// Those that are safe in another queue, and no longer among the dead letters.
    pub replayed: u64,
    /// Of the replayed, those that came back.
    pub came_back: u64,
    /// What those say, with numbers.
    pub came_back_as: BTreeMap<String, u64>,
    /// Why letters could not be sent, with numbers; they are where they were.
    pub refused: BTreeMap<String, u64>,
    /// What is asked for and has no effect.
    pub remarks: Vec<String>,
    /// What goes, or in a dry run would go, where.
    pub plan: BTreeMap<String, u64>,
    /// Waiting to see what becomes of what was sent.
    pub watching: bool,
    /// What the broker has to be rid of before it takes anything more.
    pub blocked: Option<&'static str>,
    /// What holds the events that were sent, `service` or a topic's ARN: the replay waits for it.
    pub held: Option<String>,
    /// Letters that were on their way when it was stopped: some may yet arrive, and are there twice then.
    pub unconfirmed: u64,
    /// The most letters a second now; `None`: as many as RabbitMQ takes.
    pub rate: Option<f64>,
    /// Why an automatic rate does not rise.
    pub slowed: Option<String>,
    /// Why it is over.
    pub ended: ReplayEnd,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Letters that are meant and still there.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.matching.saturating_sub(self.replayed)
    }

    /// Whether all that was meant was replayed, nothing of it has come back, and nothing is known to be held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.ended == ReplayEnd::Done && self.left() == 0 && self.came_back == 0
    }

    /// Letters that could not be sent.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// Counts texts, of which there may be very many different ones.
pub(super) fn count(texts: &mut BTreeMap<String, u64>, text: &str) {
    const MOST: usize = 20;
    let text = if texts.contains_key(text) || texts.len() < MOST { text } else { "others" };
    *texts.entry(text.to_owned()).or_default() += 1;
}

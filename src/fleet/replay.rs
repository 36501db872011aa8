//! What is told of a running replay: by a worker, in its report, and by an operator's command in a message of its own, so that the
//! command is never taken for a worker. A version that does not know the message counts it as malformed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ignored;
use super::bounds::{shorten, within};
use crate::limits::LONGEST_FLEET_REPORT;
use crate::text::counted;

/// The largest number of letters that is believed.
const LARGEST: u64 = 1 << 46;

/// Characters of an id.
const ID: usize = 16;

/// A replay that is running.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayReport {
    /// The dead-letter queue that it reads.
    pub queue: String,
    /// Which letters it sends, in words that quote no letter and name no user.
    pub filter: String,
    /// Since when.
    pub began: Timestamp,
    /// What it does: `reading`, `canary`, `sending`, `watching`, `held` or `blocked`.
    pub state: String,
    /// Letters that are meant; `None`: they are not counted yet.
    pub total: Option<u64>,
    /// Letters that are safe in another queue.
    pub done: u64,
    /// Letters that were dead-lettered again.
    pub came_back: u64,
    /// Letters a second, of the last seconds.
    pub rate: f64,
    /// The most letters a second; `None`: as many as RabbitMQ takes.
    pub limit: Option<f64>,
    /// The limit follows the fleet (`--rate auto`).
    pub is_auto: bool,
    /// Why that limit does not rise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowed: Option<String>,
}

/// What a command of an operator says of the replay that it runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OperatorReport {
    /// The command: another one with each start.
    pub id: String,
    /// Grows with each report of the command.
    pub sequence: u64,
    /// By the operator's clock.
    pub at: Timestamp,
    /// User and host, as the command line says itself.
    pub by: String,
    /// The replay is over, and this is the last report.
    pub ended: bool,
    /// The replay.
    pub replay: ReplayReport,
}

/// The message around it: its only name tells it from a worker's report.
#[derive(Serialize, Deserialize)]
struct Message<T> {
    operator: T,
}

impl ReplayReport {
    /// With no more of anything than is said and shown.
    pub(super) fn bound(&mut self) {
        for text in [&mut self.queue, &mut self.filter, &mut self.state] {
            shorten(text);
        }
        self.total = self.total.map(|it| it.min(LARGEST));
        self.done = self.done.min(LARGEST);
        self.came_back = self.came_back.min(LARGEST);
        self.rate = within(self.rate);
        self.limit = self.limit.map(within);
        self.slowed.iter_mut().for_each(shorten);
    }
}

impl OperatorReport {
    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut bounded = self.clone();
        bounded.bound();
        // Numbers and texts always are JSON.
        serde_json::to_vec(&Message { operator: bounded }).unwrap_or_default()
    }

    /// Reads what came, which may be anybody's, with bounds on everything.
    ///
    /// # Errors
    ///
    /// It is too large, or no operator's report.
    pub fn read(body: &[u8]) -> Result<Self, Ignored> {
        if body.len() > LONGEST_FLEET_REPORT {
            return Err(Ignored::TooLarge);
        }
        let message = serde_json::from_slice::<Message<Self>>(body);
        let mut report = message.map_err(|_| Ignored::Malformed)?.operator;
        let is_id = report.id.len() == ID && report.id.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_id || report.sequence == 0 {
            return Err(Ignored::Malformed);
        }
        report.bound();
        Ok(report)
    }

    fn bound(&mut self) {
        shorten(&mut self.by);
        self.replay.bound();
    }
}

/// A replay, and who runs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replaying {
    /// The worker whose page runs it, or the operator's user and host.
    pub by: String,
    /// Whether a worker runs it, and not a command.
    pub is_worker: bool,
    /// The worker that shows it runs it.
    pub is_this: bool,
    /// Nothing was heard of it for some seconds.
    pub is_silent: bool,
    /// Since it was heard.
    pub heard_seconds: f64,
    /// What is told of it.
    #[serde(flatten)]
    pub replay: ReplayReport,
}

impl Replaying {
    /// Who runs it, since when, and how far it is.
    #[must_use]
    pub fn words(&self) -> String {
        let who = if self.is_worker { "the page of worker" } else { "the command of" };
        let ReplayReport { began, total, done, filter, .. } = &self.replay;
        let far = match total {
            Some(total) => {
                format!("{done} of {} so far", counted(*total, "dead letter", "dead letters"))
            }
            None => "it still reads the dead letters".to_owned(),
        };
        let pace = self.pace();
        format!("{who} {} replays since {began:.0}: {far}{pace}; {filter}", self.by)
    }

    /// How fast it is, and what bounds that; begins with a comma.
    #[must_use]
    pub fn pace(&self) -> String {
        let ReplayReport { rate, limit, is_auto, slowed, state, .. } = &self.replay;
        let auto = if *is_auto { "auto, now " } else { "" };
        let why = slowed.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let limit = limit.map(|it| format!(" (limit {auto}{it:.0}/s{why})")).unwrap_or_default();
        match state.as_str() {
            "reading" => String::new(),
            "held" | "blocked" | "watching" | "canary" => format!(", {rate:.1}/s{limit}, {state}"),
            _ => format!(", {rate:.1}/s{limit}"),
        }
    }
}

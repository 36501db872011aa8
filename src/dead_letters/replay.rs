//! Replays dead letters: sends them back to the queues that they came from.
//!
//! A letter is acknowledged only when the broker has confirmed its copy, so a kill at any
//! moment loses nothing; unacknowledged letters may then exist twice. The set is fixed at the
//! start: letters that arrive later, or were sent by this replay, are not sent again.

mod canary;
mod revive;
mod round;
mod sample;
mod sender;
mod target;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use self::canary::Canary;
pub(super) use self::revive::revived_headers;
use self::sample::{Sample, random_id};
pub use self::target::{Address, Target};
use super::filter::Filter;
use super::letter::{Letter, LetterId};
use super::{DeadLetters, DeadLettersError, Stop};
use crate::config::Config;

/// What can't be published comes back within milliseconds, if a worker is there.
const WATCH_THE_END: Duration = Duration::from_secs(2);

/// How dead letters are to be replayed.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Where to.
    pub target: Target,
    /// Replay so many first, and the rest only if none of them comes back.
    pub canary: Option<u64>,
    /// How long to watch for what comes back.
    pub watching: Watching,
    /// Letters per second.
    pub rate: Option<f64>,
    /// The priority that they are sent with; `None`: each has its own.
    pub priority: Option<u8>,
    /// Stop when so many were sent and refused, or came back. What has nowhere to go is not sent, and does not count.
    pub max_failures: Option<u64>,
    /// Only count what would be sent where.
    pub dry_run: bool,
    /// The longest that letters are held at a stretch, well below the broker's acknowledgement
    /// timeout. A longer replay puts back what is left, and goes on with it.
    pub hold: Duration,
}

impl Replay {
    /// All of them straight to the queues that they came from, without a canary; watched as long as
    /// a worker of this configuration tries.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            target: Target::SourceQueue,
            canary: None,
            watching: Watching { canary: config.sns.longest_publish(), end: WATCH_THE_END },
            rate: None,
            priority: None,
            max_failures: None,
            dry_run: false,
            hold: config.outage.hand_back_after,
        }
    }
}

/// How long a replay watches the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    /// After the canary was taken from its queue.
    pub canary: Duration,
    /// At the end.
    pub end: Duration,
}

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
    /// Of those that there were, the ones that could not be seen; as [`super::BrowseCounts::unseen`].
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

impl DeadLetters {
    /// Replays the letters that the filter means. `show` gets the report as it grows.
    ///
    /// # Errors
    ///
    /// It could not begin. Once it has, the report says what went wrong.
    pub async fn replay(
        &self,
        filter: &Filter,
        replay: &Replay,
        stop: &Stop,
        show: impl FnMut(&Report),
    ) -> Result<Report, DeadLettersError> {
        let began = Instant::now();
        let mut run = Run {
            dead_letters: self,
            filter,
            replay,
            stop: stop.clone(),
            id: random_id(),
            sent: 0,
            back: HashSet::new(),
            failed: HashSet::new(),
            failures: 0,
            canary: Canary::new(replay.canary, replay.watching.canary, &replay.target),
            sample: Sample::default(),
            judged: HashSet::new(),
            report: Report::default(),
            show,
        };
        let mut frozen = None;
        loop {
            match run.round(frozen).await {
                Ok(Some(left)) => frozen = Some(left),
                Ok(None) => break,
                // What was done before is to be reported.
                Err(error) if frozen.is_some() => {
                    run.report.ended = match error {
                        DeadLettersError::Stopped => ReplayEnd::Stopped,
                        error => ReplayEnd::Broken(error.to_string()),
                    };
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        run.report.took = began.elapsed();
        Ok(run.report)
    }
}

/// A replay that is under way.
struct Run<'a, S> {
    dead_letters: &'a DeadLetters,
    filter: &'a Filter,
    replay: &'a Replay,
    stop: Stop,
    /// What its messages are marked with, so that those that come back are known, and reports.
    id: u64,
    /// How many were sent, which numbers them.
    sent: u32,
    /// The numbers of those that came back.
    back: HashSet<u32>,
    /// Those that could not be sent, which are not tried again.
    failed: HashSet<LetterId>,
    /// How many of those were sent.
    failures: u64,
    canary: Canary,
    sample: Sample,
    /// The queues of which it is known what a priority does there; `None`: those behind an exchange.
    judged: HashSet<Option<String>>,
    report: Report,
    show: S,
}

impl<S: FnMut(&Report)> Run<'_, S> {
    /// Counts a letter, once, that was sent by this replay and so has come back.
    fn note(&mut self, letter: &Letter) {
        if let Some(id) = letter.replay
            && id.replay == self.id
            && self.back.insert(id.number)
        {
            self.report.came_back += 1;
            let error = letter.error.as_deref().unwrap_or_default();
            let says = format!("{}: {error}", letter.cause());
            count(&mut self.report.came_back_as, &says);
            self.shown();
        }
    }

    /// What was sent and not taken is a failure of this replay.
    fn refuse(&mut self, letter: LetterId, why: &str) {
        self.failures += 1;
        self.exclude(letter, why);
    }

    /// What has nowhere to go is none: it is known before anything is sent.
    fn exclude(&mut self, letter: LetterId, why: &str) {
        self.failed.insert(letter);
        count(&mut self.report.refused, why);
        self.shown();
    }

    fn shown(&mut self) {
        (self.show)(&self.report);
    }

    fn has_failed_too_often(&self) -> bool {
        self.replay.max_failures.is_some_and(|most| self.report.came_back + self.failures >= most)
    }
}

/// Counts texts, of which there may be very many different ones.
fn count(texts: &mut BTreeMap<String, u64>, text: &str) {
    const MOST: usize = 20;
    let text = if texts.contains_key(text) || texts.len() < MOST { text } else { "others" };
    *texts.entry(text.to_owned()).or_default() += 1;
}

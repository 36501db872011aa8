//! Replays dead letters: sends them back to the queues that they came from.
//!
//! A letter is acknowledged only when the broker has confirmed its copy, so a kill at any
//! moment loses nothing; unacknowledged letters may then exist twice. The set is fixed at the
//! start: letters that arrive later, or were sent by this replay, are not sent again.

mod announcer;
mod auto_rate;
mod canary;
mod pace;
mod report;
mod revive;
mod round;
mod sample;
mod sender;
mod target;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use self::announcer::{Announcer, READING};
use self::canary::Canary;
pub use self::pace::Rate;
use self::pace::{Pace, blind};
pub use self::report::{ReplayEnd, Report};
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
    pub rate: Rate,
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
            rate: Rate::Unlimited,
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
            announcer: Announcer::new(
                self.fleet.clone().filter(|_| !replay.dry_run),
                self.queue(),
                filter.words(),
                replay.rate == Rate::Auto,
            ),
            pace: Pace::new(replay.rate),
            is_read: false,
            is_blind: false,
            report: Report { rate: Pace::new(replay.rate).limit(), ..Report::default() },
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
        (run.report.took, run.report.slowed) = (began.elapsed(), None);
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
    announcer: Announcer,
    pace: Pace,
    /// All letters have been looked at.
    is_read: bool,
    /// It was said that the automatic rate follows nobody.
    is_blind: bool,
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
            report::count(&mut self.report.came_back_as, &says);
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
        report::count(&mut self.report.refused, why);
        self.shown();
    }

    fn shown(&mut self) {
        self.announce();
        (self.show)(&self.report);
    }

    /// Adapts the rate to what the fleet says, and tells it how far this is.
    fn tick(&mut self) {
        let now = self.pace.tick(self.sent, self.sample.wait(), self.dead_letters.fleet.as_ref());
        let is_news = self.report.slowed != now.slowed;
        self.report.rate = now.limit;
        self.report.slowed = now.slowed;
        if now.is_blind && !self.is_blind {
            self.is_blind = true;
            let why = self.report.slowed.as_deref().unwrap_or_default();
            self.report.remarks.push(blind(why));
        }
        if is_news { self.shown() } else { self.announce() }
    }

    /// Tells the fleet how far it is.
    fn announce(&mut self) {
        let report = &self.report;
        let state = match () {
            () if !self.is_read => READING,
            () if report.blocked.is_some() => "blocked",
            () if report.held.is_some() => "held",
            () if !self.canary.is_over() => "canary",
            () if report.watching => "watching",
            () => "sending",
        };
        self.announcer.tell(state, report);
    }

    fn has_failed_too_often(&self) -> bool {
        self.replay.max_failures.is_some_and(|most| self.report.came_back + self.failures >= most)
    }
}

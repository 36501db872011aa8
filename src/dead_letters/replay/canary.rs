//! The canary: a few letters that are replayed first.
//!
//! Workers report what becomes of them. The canary has passed when each of them is known to be published or skipped. It has
//! failed if one is dead-lettered again; and if one is held, or nobody can tell, within the time in which a worker
//! gives up, the others are not sent, either.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Target;
use crate::outcome::SourceError;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::replay::OutcomeReport;
use crate::text::counted;

/// Between two looks at the queues.
const ASK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Canary {
    state: State,
    is_sent: bool,
    watch: Duration,
    queues: BTreeSet<String>,
    /// The numbers of those of which no outcome is known.
    open: BTreeSet<u32>,
    /// It goes to an exchange, which may lead to several queues: a worker of one tells nothing of the others.
    is_spread: bool,
    /// What has held some of it, where it is spread.
    was_held: Option<String>,
    /// Why no report can arrive.
    no_reports: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// So many are to be sent yet.
    Sending(u64),
    /// The queues are to hand them out.
    Draining {
        ask: Instant,
        until: Instant,
    },
    /// Their outcomes are to be known by then.
    Watching {
        until: Instant,
    },
    Over,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    /// The rest may go.
    Well,
    /// Some wait for this circuit.
    Held(String),
    /// Nobody can tell, and why.
    Unknown(String),
}

impl Canary {
    /// `None`: there is none.
    pub(super) fn new(size: Option<u64>, watch: Duration, target: &Target) -> Self {
        let state = size.map_or(State::Over, State::Sending);
        let is_spread = matches!(target, Target::SourceExchange | Target::Exchange(_));
        let (is_sent, queues, open, was_held, no_reports) = Default::default();
        Self { state, is_sent, watch, queues, open, is_spread, was_held, no_reports }
    }

    pub(super) fn lets_send(&self) -> bool {
        matches!(self.state, State::Over | State::Sending(1..))
    }

    /// One was sent under this number, for this queue in the end, if that is known.
    pub(super) fn sent(&mut self, number: u32, queue: Option<&str>) {
        if let State::Sending(left) = &mut self.state {
            *left -= 1;
            self.is_sent = true;
            self.queues.extend(queue.map(str::to_owned));
            self.open.insert(number);
        }
    }

    /// Takes in a worker's report. That one is dead-lettered again the browser will see, with the reason.
    pub(super) fn reported(&mut self, number: u32, report: &OutcomeReport) {
        match report {
            OutcomeReport::Published | OutcomeReport::Skipped => _ = self.open.remove(&number),
            OutcomeReport::Held(circuit) if self.is_spread => self.was_held = Some(circuit.clone()),
            OutcomeReport::Held(_) | OutcomeReport::DeadLettered => {}
        }
    }

    /// All of it is known to be published or skipped, and by nobody else held.
    fn has_passed(&self) -> bool {
        self.open.is_empty() && self.was_held.is_none()
    }

    /// No worker can report to this replay.
    pub(super) fn without_reports(&mut self, why: &SourceError) {
        if !self.is_over() {
            self.no_reports = Some(format!(
                "workers can't report what becomes of it: {why}. Give the user the configure and read permissions on that queue"
            ));
        }
    }

    /// Why it can't be sent.
    pub(super) fn refused(&self) -> Option<String> {
        self.no_reports.clone()
    }

    /// Whether any of the canary was sent, and is not watched yet.
    pub(super) const fn is_sent(&self) -> bool {
        self.is_sent && matches!(self.state, State::Sending(_))
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub(super) const fn is_watched(&self) -> bool {
        matches!(self.state, State::Draining { .. } | State::Watching { .. })
    }

    /// All are safe in their queues.
    pub(super) fn watch(&mut self) {
        let now = Instant::now();
        self.state = State::Draining { ask: now, until: now + self.watch };
    }

    /// Waits until there is something to ask. May be dropped while it waits.
    pub(super) async fn due(&self) {
        match self.state {
            State::Draining { .. } | State::Watching { .. } if self.is_decided() => {}
            State::Draining { ask, .. } => sleep_until(ask).await,
            State::Watching { until } => sleep_until(until).await,
            State::Sending(_) | State::Over => std::future::pending().await,
        }
    }

    /// Asks; `held` is what holds some of it.
    pub(super) async fn ask(
        &mut self,
        publisher: &ConfirmedPublisher,
        held: Option<&str>,
    ) -> Verdict {
        let now = Instant::now();
        match self.state {
            State::Draining { .. } | State::Watching { .. } if self.is_decided() => self.pass(),
            State::Watching { until } if now >= until && self.has_passed() => self.pass(),
            State::Watching { until } if now >= until => self.unpublished(held),
            State::Draining { until, .. } => match self.undrained(publisher).await {
                None => {
                    self.state = State::Watching { until: now + self.watch };
                    Verdict::Wait
                }
                Some((why, final_)) if final_ || now >= until => unknown_or_held(why, held),
                Some(_) => {
                    self.state = State::Draining { ask: now + ASK_AGAIN, until };
                    Verdict::Wait
                }
            },
            _ => Verdict::Wait,
        }
    }

    /// Nothing that may come yet changes the result.
    fn is_decided(&self) -> bool {
        self.has_passed() && !self.is_spread
    }

    fn pass(&mut self) -> Verdict {
        self.state = State::Over;
        Verdict::Well
    }

    /// The time is over.
    fn unpublished(&self, held: Option<&str>) -> Verdict {
        let events = counted(self.open.len(), "event", "events");
        let why = format!(
            "no worker has reported in {:?} what became of {events}; run all workers in this version, with the same \
             amqp.dead_letter_queue and signing key, and with the write permission on amq.default; or wait longer with --canary-watch",
            self.watch
        );
        unknown_or_held(why, self.was_held.as_deref().or(held))
    }

    /// A queue that has the canary yet, perhaps, and whether waiting is of no use.
    async fn undrained(&self, publisher: &ConfirmedPublisher) -> Option<(String, bool)> {
        for queue in &self.queues {
            match publisher.queue_state(queue).await {
                Ok(state) if state.consumers == 0 => {
                    let why = format!(
                        "no worker consumes from queue `{queue}`; start one, or resume the source if it is paused (`event-pusher-sns fleet pauses`)"
                    );
                    return Some((why, !state.is_doubtful()));
                }
                Ok(state) if state.ready > 0 => {
                    let why = format!(
                        "queue `{queue}` still has {} events queued, perhaps with the canary among them; wait longer \
                         with --canary-watch",
                        state.ready
                    );
                    return Some((why, false));
                }
                // Who may not ask watches from now on.
                Ok(_) | Err(SourceError::AccessRefused(_)) => {}
                Err(error) => return Some((error.to_string(), true)),
            }
        }
        None
    }
}

/// What is held is known, whatever else is not.
fn unknown_or_held(why: String, held: Option<&str>) -> Verdict {
    held.map_or(Verdict::Unknown(why), |circuit| Verdict::Held(circuit.to_owned()))
}

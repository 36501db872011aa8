//! The canary: a few letters that are replayed first.
//!
//! A replay can't see that a worker has published an event. So the canary has passed if its queue is
//! empty, and none of its letters is dead-lettered again within the time in which a worker gives up.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;

/// Between two looks at the queues.
const ASK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Canary {
    state: State,
    is_sent: bool,
    watch: Duration,
    queues: BTreeSet<String>,
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
    /// They may come back until then.
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
    /// Nobody can tell, and why.
    Unknown(String),
}

impl Canary {
    /// `None`: there is none.
    pub(super) fn new(size: Option<u64>, watch: Duration) -> Self {
        let state = size.map_or(State::Over, State::Sending);
        Self { state, is_sent: false, watch, queues: BTreeSet::new() }
    }

    pub(super) fn lets_send(&self) -> bool {
        matches!(self.state, State::Over | State::Sending(1..))
    }

    /// One was sent, for this queue in the end, if that is known.
    pub(super) fn sent(&mut self, queue: Option<&str>) {
        if let State::Sending(left) = &mut self.state {
            *left -= 1;
            self.is_sent = true;
            self.queues.extend(queue.map(str::to_owned));
        }
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
            State::Draining { ask, .. } => sleep_until(ask).await,
            State::Watching { until } => sleep_until(until).await,
            State::Sending(_) | State::Over => std::future::pending().await,
        }
    }

    /// Asks.
    pub(super) async fn ask(&mut self, publisher: &ConfirmedPublisher) -> Verdict {
        let now = Instant::now();
        match self.state {
            State::Watching { until } if now >= until => {
                self.state = State::Over;
                Verdict::Well
            }
            State::Draining { until, .. } => match self.undrained(publisher).await {
                None => {
                    self.state = State::Watching { until: now + self.watch };
                    Verdict::Wait
                }
                Some((why, final_)) if final_ || now >= until => Verdict::Unknown(why),
                Some(_) => {
                    self.state = State::Draining { ask: now + ASK_AGAIN, until };
                    Verdict::Wait
                }
            },
            _ => Verdict::Wait,
        }
    }

    /// A queue that has the canary yet, perhaps, and whether waiting is of no use.
    async fn undrained(&self, publisher: &ConfirmedPublisher) -> Option<(String, bool)> {
        for queue in &self.queues {
            match publisher.queue_state(queue).await {
                Ok(state) if state.consumers == 0 => {
                    let why = format!("no worker consumes from queue `{queue}`; start one");
                    return Some((why, !state.is_doubtful()));
                }
                Ok(state) if state.ready > 0 => {
                    let why = format!(
                        "queue `{queue}` still has {} events queued, perhaps with the canary among them; wait longer \
                         with --watch",
                        state.ready
                    );
                    return Some((why, false));
                }
                Ok(_) => {}
                Err(error) => return Some((error.to_string(), true)),
            }
        }
        None
    }
}

//! A source with partitions: this worker's claim to each, on one connection, and what decides which worker has which.
//!
//! Each partition is a lane: a queue with a single active consumer, consumed by every worker on a channel of its own, and of the
//! workers RabbitMQ lets one be active. The first lane has the connection: it declares, counts workers, and balances. Another lane
//! takes what is in the source's own queue.

mod balance;
mod first;
pub(super) mod former;
mod lane;
mod ledger;
mod sharing;
mod suspect;
mod trial;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::time::Instant;

pub(super) use self::first::{FirstLane, keep_diverting};
pub(super) use self::lane::{Lane, LaneQueue, Look, Tried, is_on};
pub(super) use self::sharing::balance;
use super::claim::Claim;
use crate::config::{Partitioning, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::partitions::Names;

/// Between two removals of bindings that lead events past the partitions.
const DIVERT_AGAIN: Duration = Duration::from_secs(1);

/// Between two lines in the log on events that come past the partitions.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// Events of which workers may be dying that are tried at once: each is blamed if the worker dies.
const TRIALS: usize = 4;

/// Tells whether a topic or the service is held.
#[derive(Clone, Default)]
pub struct Holds(Option<Rc<dyn Fn() -> bool>>);

impl Holds {
    /// As `any` says.
    pub fn new(any: impl Fn() -> bool + 'static) -> Self {
        Self(Some(Rc::new(any)))
    }

    fn any(&self) -> bool {
        self.0.as_ref().is_some_and(|any| any())
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holds").field(&self.any()).finish()
    }
}

/// What the lanes of a source share.
#[derive(Debug)]
pub(super) struct Partitions {
    broker: Rc<Broker>,
    /// Of as many as there may be.
    claims: Vec<Rc<Claim>>,
    /// Where the lanes consume.
    pub(super) opened: watch::Sender<Option<Opened>>,
    /// Lanes that have a session.
    sessions: watch::Sender<usize>,
    failure: RefCell<Option<SourceError>>,
    failed: Notify,
    told_of_bypass: Cell<Option<Instant>>,
    diverted: Cell<Option<Instant>>,
    told_of_suspects: Cell<bool>,
    told_of_sorter: Cell<Option<Instant>>,
    /// Of events of which workers may be dying.
    trials: Semaphore,
    /// Whose turn it is to write that a partition is over.
    records: Mutex<()>,
    holds: Holds,
}

/// The partitions that there are, until there is another number of them.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) count: u16,
    pub(super) names: Names,
    /// Of each lane, the same for all workers: where a successor had a smaller one and died, too, RabbitMQ would return what it held
    /// behind the rest of what came back before.
    pub(super) prefetch: u16,
}

/// A connection on which lanes may consume.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) connection: Rc<BrokerConnection>,
    pub(super) generation: Rc<Generation>,
    /// What was in the source's queue before it had partitions has been published.
    pub(super) is_marked: bool,
}

impl Partitions {
    pub(super) fn new(
        broker: &Rc<Broker>,
        Partitioning { count: most, .. }: Partitioning<'_>,
        holds: Holds,
    ) -> Self {
        let claims = (0..most).map(|_| Rc::default()).collect();
        let (failure, failed) = Default::default();
        let (opened, sessions) = (watch::Sender::new(None), watch::Sender::new(0));
        let broker = Rc::clone(broker);
        let (told_of_bypass, diverted) = Default::default();
        let told_of_sorter = Cell::default();
        let (told_of_suspects, trials) = (Cell::default(), Semaphore::new(TRIALS));
        Self {
            broker,
            claims,
            opened,
            sessions,
            failure,
            failed,
            told_of_bypass,
            diverted,
            told_of_suspects,
            told_of_sorter,
            trials,
            records: Mutex::default(),
            holds,
        }
    }

    /// There are so many of them.
    pub(super) fn generation(&self, source: &Source, count: u16) -> Generation {
        let prefetch = self.broker.config().prefetch_of_each(count);
        Generation { count, names: Names::of(&source.queue, count), prefetch }
    }

    /// All lanes but the first: the source's own queue, if it `has_own`, and as many partitions as there may be.
    pub(super) fn lanes(&self, has_own: bool) -> Vec<LaneQueue> {
        let partition = |(number, claim): (usize, &Rc<Claim>)| LaneQueue::Partition {
            number,
            claim: Rc::clone(claim),
        };
        let partitions = self.claims.iter().enumerate().map(partition);
        has_own.then_some(LaneQueue::Own).into_iter().chain(partitions).collect()
    }

    /// The claims to those that there are.
    fn claims_of(&self, generation: &Generation) -> &[Rc<Claim>] {
        &self.claims[..self.claims.len().min(generation.count.into())]
    }

    /// A lane can't go on: the first one ends, and with it all, and begins anew.
    pub(super) fn fail(&self, error: SourceError) {
        self.failure.borrow_mut().get_or_insert(error);
        self.failed.notify_one();
    }

    /// Whether bindings are to be taken away again: what came by those that are gone still comes out of the queue.
    fn may_divert(&self) -> bool {
        is_due(&self.diverted, DIVERT_AGAIN)
    }

    /// Whether it is time for a line in the log on events that come past the partitions.
    fn may_tell_of_bypass(&self) -> bool {
        is_due(&self.told_of_bypass, TELL_AGAIN)
    }

    /// Whether it is time for a line in the log on sorted events that can't be passed on.
    pub(super) fn may_tell_of_sorter(&self) -> bool {
        is_due(&self.told_of_sorter, TELL_AGAIN)
    }

    /// Nobody knows what speaks against an event. Said once.
    fn suspects_unknown(&self, source: &str, error: &SourceError) {
        if !self.told_of_suspects.replace(true) {
            tracing::warn!(
                event = "suspects_unknown",
                source,
                %error,
                "cannot keep account of events of which workers may die: one is a dead letter only when it came a hundred times more \
                 often than amqp.delivery_limit; give the user the rights for this queue that docs/partitions.md names"
            );
        }
    }

    /// Waits for a connection on which a lane may begin; that of the source's own queue begins before the others.
    pub(super) async fn connection(&self, lane: &LaneQueue) -> Opened {
        let mut opened = self.opened.subscribe();
        loop {
            let may_begin = |it: &&Opened| match lane {
                LaneQueue::Own => true,
                LaneQueue::Partition { number, .. } => {
                    it.is_marked && *number < it.generation.count.into()
                }
            };
            if let Some(opened) = opened.borrow_and_update().as_ref().filter(may_begin) {
                return opened.clone();
            }
            if opened.changed().await.is_err() {
                // Whoever could open one is gone.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until a lane has failed.
    async fn failed(&self) -> SourceError {
        loop {
            if let Some(error) = self.failure.borrow_mut().take() {
                return error;
            }
            self.failed.notified().await;
        }
    }

    /// Waits until no lane has a session.
    async fn sessions_ended(&self) {
        let _ = self.sessions.subscribe().wait_for(|it| *it == 0).await;
    }
}

/// Whether it was longer ago than that, or never. Then it is now.
fn is_due(last: &Cell<Option<Instant>>, every: Duration) -> bool {
    let is_due = last.get().is_none_or(|it| it.elapsed() > every);
    if is_due {
        last.set(Some(Instant::now()));
    }
    is_due
}

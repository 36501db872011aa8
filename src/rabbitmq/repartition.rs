//! Moves a source to another number of partitions, while events come.
//!
//! ```text
//! declare   the new partitions, and `Q.moving`, which tells workers that a move is under way
//! divert    bind the new partitions, then delete the exchange of the former ones: what comes waits in the new ones
//! drain     put a last message into each former partition; the worker that has it writes into `Q.moving` that all before it is settled
//! switch    replace the marker, by which the workers begin with the new partitions
//! clean up  delete the former partitions and `Q.moving`
//! ```
//!
//! Each step can be done again, so that who comes after one that was killed goes on where it was.

mod drain;
mod leftovers;
pub(in crate::rabbitmq) mod message;
mod watch;

use std::time::Duration;

use tokio::time::timeout;

use self::drain::Drain;
pub(crate) use self::watch::{Progress, Step};
use crate::config::{Partitioning, Source};
use crate::limits::MOST_PARTITIONS;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{Broker, on_channel};
use crate::rabbitmq::topology::partitions::marker::{self, Marked, marker_of};
use crate::rabbitmq::topology::partitions::moving::{self, Move};
use crate::rabbitmq::topology::partitions::{
    Names, declare_queues, divert, missing, undivert, waiting,
};
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::rabbitmq::topology::queues::delete_queue;
use crate::rabbitmq::topology::{declare_exchange, exclusive_queue};

/// How the connections show on RabbitMQ's side.
const PURPOSE: &str = "moves partitions";

/// For one who moved before to be gone.
const LOCKED_WITHIN: Duration = Duration::from_secs(5);

/// What there is, and what would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) from: u16,
    /// Whether the move has begun.
    pub(crate) under_way: bool,
    pub(crate) workers: u32,
    /// Events in the former partitions that no worker has taken.
    pub(crate) waiting: u64,
}

/// How a move ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// There are so many partitions already.
    Already,
    /// From so many; and so many events came late, and were put behind those of the new partitions.
    From(u16, u64),
}

/// Moves the partitions of a source.
pub(crate) struct Repartition<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) source: &'a Source,
    pub(crate) to: Partitioning<'a>,
    /// Events that wait in the new partitions before the move has begun are published after it.
    pub(crate) with_waiting: bool,
}

/// Where a move is.
enum Stage {
    /// It is the number.
    Done,
    /// Not begun.
    Before(Move),
    /// With the marker of the former number.
    Draining(Move),
    /// Without a marker.
    Switching(Move),
    /// With the marker of the new number.
    CleaningUp(Move),
}

impl Repartition<'_> {
    /// Says what there is. Changes nothing.
    ///
    /// # Errors
    ///
    /// Why the number can't be changed.
    pub(crate) async fn plan(&self) -> Result<Plan, SourceError> {
        let connection = self.broker.connect(PURPOSE).await?;
        let plan = async {
            let (from, under_way) = match self.stage(&connection).await? {
                Stage::Done => (self.to.count, false),
                Stage::Before(it) => (it.from, false),
                Stage::Draining(it) | Stage::Switching(it) | Stage::CleaningUp(it) => {
                    (it.from, true)
                }
            };
            let marker = marker_of(&self.source.queue);
            let workers = match QueueState::on(&connection, &marker).await {
                Ok(state) => state.consumers,
                Err(SourceError::NotFound(_)) => 0,
                Err(error) => return Err(error),
            };
            let names = Names::of(&self.source.queue, from);
            let waiting = waiting(&connection, &names.queues).await?;
            let waiting = waiting.iter().map(|(_, ready)| u64::from(*ready)).sum();
            Ok(Plan { from, under_way, workers, waiting })
        };
        let plan = plan.await;
        connection.close().await;
        plan
    }

    /// Moves, or goes on with a move that was begun; `report` is told how far it is. May be dropped at any time, and be done again.
    ///
    /// # Errors
    ///
    /// What the broker refuses, or why there can be no move.
    pub(crate) async fn run(&self, report: &mut dyn FnMut(Progress)) -> Result<Moved, SourceError> {
        let connection = self.broker.connect(PURPOSE).await?;
        let moved = async {
            self.lock(&connection).await?;
            self.run_on(&connection, report).await
        };
        let moved = moved.await;
        connection.close().await;
        moved
    }

    /// One moves at a time. The lock goes with the connection, which may take a moment where the one before was killed.
    async fn lock(&self, connection: &BrokerConnection) -> Result<(), SourceError> {
        let lock = moving::lock_of(&self.source.queue);
        match timeout(LOCKED_WITHIN, exclusive_queue::lock(connection, &lock)).await {
            Ok(locked) => locked,
            Err(_) => Err(SourceError::ResourceLocked(format!(
                "another `partitions move` of `{}` is running, and has queue `{lock}` for itself: wait until it has ended; if its \
                 machine is gone, until RabbitMQ misses its heartbeats",
                self.source.queue
            ))),
        }
    }

    async fn run_on(
        &self,
        connection: &BrokerConnection,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Moved, SourceError> {
        let (broker, source) = (self.broker, self.source);
        let amqp = broker.config();
        report(Progress::at(Step::Declare));
        let (under_way, is_drained) = match self.stage(connection).await? {
            Stage::Done => return Ok(Moved::Already),
            Stage::Before(it) => {
                self.are_empty(connection).await?;
                declare_queues(connection, amqp, source, self.to).await?;
                // What a slow worker has left.
                moving::end(connection, source).await?;
                moving::begin(connection, amqp, source, it).await?;
                (it, false)
            }
            Stage::Draining(it) => (it, false),
            Stage::Switching(it) => {
                // With the last record the workers are done; else somebody has taken the marker away.
                let drain = Drain::begin(connection, broker, source, it).await?;
                let is_over = drain.is_over().await?;
                if !is_over {
                    let former = Partitioning { count: it.from, ..self.to };
                    marker::mark(connection, amqp, source, former).await?;
                }
                (it, is_over)
            }
            Stage::CleaningUp(it) => return self.clean_up(connection, it, report).await,
        };
        let former = Names::of(&source.queue, under_way.from);
        on_channel(connection, async |channel| declare_exchange(channel, source).await).await?;
        let gone = self.declare_again(connection).await?;
        report(Progress { gone, ..Progress::at(Step::Divert) });
        self.divert(connection, &former.hash_exchange).await?;
        if !is_drained {
            let drain = Drain::begin(connection, broker, source, under_way).await?;
            drain.run(self, report).await?;
        }
        report(Progress::at(Step::Switch));
        delete_queue(connection, &marker_of(&source.queue)).await?;
        marker::mark(connection, amqp, source, self.to).await?;
        self.clean_up(connection, under_way, report).await
    }

    /// Declares the new partitions where somebody has deleted some of them, or what divides events. Returns those.
    async fn declare_again(
        &self,
        connection: &BrokerConnection,
    ) -> Result<Vec<String>, SourceError> {
        let new = Names::of(&self.source.queue, self.to.count);
        let gone = missing(connection, &new.queues).await.into_iter().cloned().collect();
        declare_queues(connection, self.broker.config(), self.source, self.to).await?;
        Ok(gone)
    }

    /// What comes goes to the new partitions from now on. They are known here: what workers go by, the queue that tells of the move, may have
    /// been deleted.
    async fn divert(&self, connection: &BrokerConnection, former: &str) -> Result<(), SourceError> {
        let new = Names::of(&self.source.queue, self.to.count).hash_exchange;
        on_channel(connection, async |channel| divert(channel, self.source, &new).await).await?;
        undivert(connection, self.source, former).await
    }

    /// The new partitions have nothing yet. What is in them otherwise came in a move whose queue was deleted, or in a time when there were as
    /// many.
    async fn are_empty(&self, connection: &BrokerConnection) -> Result<(), SourceError> {
        if self.with_waiting {
            return Ok(());
        }
        let Source { name, queue: of, .. } = self.source;
        let names = Names::of(of, self.to.count);
        let Some((queue, ready)) = waiting(connection, &names.queues).await?.first().copied()
        else {
            return Ok(());
        };
        Err(SourceError::Failed(format!(
            "queue `{queue}` is to be a new partition, but has {ready} events already: if they came in a move whose queue `{}` was \
             deleted, nobody has published them. Have them published, after what is in the partitions that there are: \
             `event-pusher-sns partitions move --source {name} --to {} --with-waiting`; or, if they are from a time when there were as many, \
             delete the queues `{of}.{}.…`",
            moving::name_of(of),
            self.to.count,
            self.to.count
        )))
    }

    async fn stage(&self, connection: &BrokerConnection) -> Result<Stage, SourceError> {
        let (amqp, source, to) = (self.broker.config(), self.source, self.to.count);
        let any = Partitioning { count: MOST_PARTITIONS, ..self.to };
        let under_way = moving::find(connection, amqp, source).await?;
        let marked = marker::read(connection, amqp, source, any).await?;
        let Source { name, queue, .. } = source;
        let under_way = match under_way {
            // A worker that was slow has left it.
            Some(it) if it.from == 0 && marked != Marked::No => None,
            Some(it) if it.from == 0 => {
                return Err(SourceError::Failed(format!(
                    "`{queue}` is being divided into {} partitions for the first time: move it when a worker says `consuming`",
                    it.to
                )));
            }
            Some(it) if it.to != to => {
                return Err(SourceError::Failed(format!(
                    "a move of `{queue}` from {it} partitions is under way: finish it first, by `event-pusher-sns partitions move --source \
                     {name} --to {}`",
                    it.to
                )));
            }
            it => it,
        };
        match (marked, under_way) {
            (Marked::Hidden, _) => Err(SourceError::AccessRefused(format!(
                "the number of partitions of `{queue}` can't be read: give the user the configure permission on queue `{}`",
                marker_of(queue)
            ))),
            (Marked::No, None) => Err(SourceError::NotFound(format!(
                "`{queue}` has no partitions yet: start a worker with partitions = {to}, and it begins with as many"
            ))),
            (Marked::Yes(count), None) if count == to => Ok(Stage::Done),
            (Marked::Yes(from), None) => Ok(Stage::Before(Move::new(from, to))),
            (Marked::No, Some(it)) => Ok(Stage::Switching(it)),
            (Marked::Yes(count), Some(it)) if count == it.to => Ok(Stage::CleaningUp(it)),
            (Marked::Yes(count), Some(it)) if count == it.from => Ok(Stage::Draining(it)),
            (Marked::Yes(count), Some(it)) => Err(SourceError::PreconditionFailed(format!(
                "`{queue}` has {count} partitions, and queue `{}` says that they are moved from {it}: delete the one that is wrong",
                moving::name_of(queue)
            ))),
        }
    }

    /// The former partitions go, when nothing is left in them.
    async fn clean_up(
        &self,
        connection: &BrokerConnection,
        under_way: Move,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Moved, SourceError> {
        report(Progress::at(Step::CleanUp));
        let source = self.source;
        let former = Names::of(&source.queue, under_way.from);
        undivert(connection, source, &former.hash_exchange).await?;
        // Sorted ones come by the exchange for these, to which only the new partitions are bound by now.
        let new = source
            .sorted_exchange()
            .unwrap_or_else(|| Names::of(&source.queue, under_way.to).hash_exchange);
        let (on, to) = ((self.broker, connection), (&*new, &*under_way.id()));
        let late = leftovers::put_behind(on, &former.queues, to, report).await?;
        for queue in &former.queues {
            delete_queue(connection, queue).await?;
        }
        moving::end(connection, source).await?;
        Ok(Moved::From(under_way.from, late))
    }
}

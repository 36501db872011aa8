//! Waits until all that was in the former partitions is settled.
//!
//! Nobody can ask whether what a queue has delivered is settled. So when nothing is ready in a partition a last message is put into it:
//! the single active consumer that gets it has settled all before it, or will, and writes that down.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicGetOptions;
use tokio::time::{Instant, sleep};

use super::message::{About, ended, put_end};
use super::watch::{Progress, Step};
use super::{PURPOSE, Repartition};
use crate::config::Source;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{Broker, bounded};
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::partitions::Names;
use crate::rabbitmq::topology::partitions::marker::marker_of;
use crate::rabbitmq::topology::partitions::moving::{self, Move};
use crate::rabbitmq::topology::queue_state::QueueState;

/// For messages that were routed to the former partitions before, by whichever node.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Between two last messages in one partition: the worker that had one may have ended, or have found more behind it. Twice that each
/// further time, up to eight times: workers that don't believe it make a dead letter of each.
const PUT_AGAIN: Duration = Duration::from_secs(5);
const MOST_DOUBLED: u32 = 3;

/// So many last messages in one partition are told of.
const UNHEEDED: u32 = 3;

/// Between two looks at all partitions.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A worker that knew nothing of the move when its session began may have declared the former exchange again.
const UNBIND_EVERY: Duration = Duration::from_secs(5);

/// Records that are read at most: anybody may have written some.
const MOST_RECORDS: usize = 10_000;

/// Partitions that are named.
const MOST_NAMED: usize = 3;

/// The draining of the former partitions.
pub(super) struct Drain<'a> {
    connection: &'a BrokerConnection,
    broker: &'a Broker,
    source: &'a Source,
    former: Names,
    under_way: Move,
    moving: String,
    /// Records are not acknowledged, and go back when it is closed.
    records: Channel,
    looks: Channel,
    over: BTreeSet<String>,
    records_read: usize,
}

impl<'a> Drain<'a> {
    /// Reads what is known.
    pub(super) async fn begin(
        connection: &'a BrokerConnection,
        broker: &'a Broker,
        source: &'a Source,
        under_way: Move,
    ) -> Result<Self, SourceError> {
        let former = Names::of(&source.queue, under_way.from);
        let (records, looks) = (connection.channel().await?, connection.channel().await?);
        let (moving, over) = (moving::name_of(&source.queue), BTreeSet::new());
        let mut drain = Self {
            connection,
            broker,
            source,
            former,
            under_way,
            moving,
            records,
            looks,
            over,
            records_read: 0,
        };
        drain.read_records().await?;
        Ok(drain)
    }

    /// Whether every partition is over, and nothing came behind.
    pub(super) async fn is_over(&self) -> Result<bool, SourceError> {
        if self.former.queues.iter().any(|it| !self.over.contains(it)) {
            return Ok(false);
        }
        for queue in &self.former.queues {
            if QueueState::confirmed(&self.looks, queue).await?.ready > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until it is so.
    pub(super) async fn run(
        mut self,
        of: &Repartition<'_>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<(), SourceError> {
        let publisher = ConfirmedPublisher::open(self.broker, PURPOSE).await?;
        // When the last one was put into each partition, and how many were before.
        let mut put: Vec<Option<(Instant, u32)>> = vec![None; self.former.queues.len()];
        sleep(ON_ITS_WAY).await;
        let (mut unbound, id) = (Instant::now(), self.under_way.id());
        loop {
            let mut progress = Progress::at(Step::Drain);
            if unbound.elapsed() > UNBIND_EVERY {
                progress.gone = of.declare_again(self.connection).await?;
                of.divert(self.connection, &self.former.hash_exchange).await?;
                unbound = Instant::now();
            }
            self.read_records().await?;
            for (queue, put) in self.former.queues.iter().zip(&mut put) {
                let ready = QueueState::of(&self.looks, queue).await?.ready;
                progress.waiting += u64::from(ready);
                if self.over.contains(queue) {
                    progress.over += 1;
                    continue;
                }
                if progress.open.len() < MOST_NAMED {
                    progress.open.push(queue.clone());
                }
                let (at, times) = put.unzip();
                let times = times.unwrap_or(0);
                let again = PUT_AGAIN * 2_u32.pow(times.min(MOST_DOUBLED));
                progress.is_unheeded |= times >= UNHEEDED && ready == 0;
                if ready == 0 && at.is_none_or(|it: Instant| it.elapsed() > again) {
                    let about = About { partition: queue, id: &id };
                    put_end(&publisher, self.broker, about, None).await?;
                    *put = Some((Instant::now(), times + 1));
                }
            }
            progress.of = self.former.queues.len();
            let marker = marker_of(&self.source.queue);
            progress.workers = QueueState::of(&self.looks, &marker).await?.consumers;
            let may_be_over = progress.over == progress.of && progress.waiting == 0;
            report(progress);
            if may_be_over && self.is_over().await? {
                publisher.close().await;
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Reads the records that have come. Somebody may have deleted the queue, without which workers would let events go to the former
    /// partitions again.
    async fn read_records(&mut self) -> Result<(), SourceError> {
        match self.read_those_there().await {
            Err(SourceError::NotFound(_)) => {
                let amqp = self.broker.config();
                moving::begin(self.connection, amqp, self.source, self.under_way).await?;
                self.records = self.connection.channel().await?;
                Ok(())
            }
            read => read,
        }
    }

    async fn read_those_there(&mut self) -> Result<(), SourceError> {
        let id = self.under_way.id();
        while self.records_read < MOST_RECORDS {
            let options = BasicGetOptions { no_ack: false };
            let get = self.records.basic_get(self.moving.as_str().into(), options);
            let got = bounded(&format!("reading queue `{}`", self.moving), get).await;
            let record = match got {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.records_read += 1;
            let amqp = self.broker.config();
            let of = (&*self.moving, &*id);
            if let Some(queue) = ended(amqp, of, &record.properties, &record.data) {
                // Only those that there are.
                if self.former.queues.iter().any(|it| it == queue) {
                    self.over.insert(queue.to_owned());
                }
            }
        }
        Err(SourceError::Failed(format!(
            "queue `{}` has more than {MOST_RECORDS} messages, and no more than one for each partition is needed: see who writes into it, \
             and purge it",
            self.moving
        )))
    }
}

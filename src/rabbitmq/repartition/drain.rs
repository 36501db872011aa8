//! Waits until all that was in the former partitions is settled.
//!
//! Nobody can ask whether what a queue has delivered is settled. So when nothing is ready in a partition a last message is put into it:
//! the single active consumer that gets it has settled all before it, or will, and writes that down.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicGetOptions;
use tokio::time::{Instant, sleep};

use super::PURPOSE;
use super::message::{ended, put_end};
use super::watch::{Progress, Step};
use crate::config::{Partitioning, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{Broker, bounded};
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::partitions::marker::marker_of;
use crate::rabbitmq::topology::partitions::moving::{self, Move};
use crate::rabbitmq::topology::partitions::{Names, declare_queues, divert_now, undivert};
use crate::rabbitmq::topology::queue_state::QueueState;

/// For messages that were routed to the former partitions before, by whichever node.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Between two last messages in one partition: the worker that had one may have ended, or have found more behind it.
const PUT_AGAIN: Duration = Duration::from_secs(5);

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
        to: Partitioning<'_>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<(), SourceError> {
        let publisher = ConfirmedPublisher::open(self.broker, PURPOSE).await?;
        let mut put: Vec<Option<Instant>> = vec![None; self.former.queues.len()];
        sleep(ON_ITS_WAY).await;
        let mut unbound = Instant::now();
        loop {
            if unbound.elapsed() > UNBIND_EVERY {
                let (amqp, former) = (self.broker.config(), self.former.queues.len());
                let former = u16::try_from(former).unwrap_or(u16::MAX);
                // Somebody may have deleted what divides events.
                declare_queues(self.connection, amqp, self.source, to).await?;
                divert_now(self.connection, amqp, self.source, former).await?;
                undivert(self.connection, self.source, &self.former.hash_exchange).await?;
                unbound = Instant::now();
            }
            self.read_records().await?;
            let mut progress = Progress::at(Step::Drain);
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
                if ready == 0 && put.is_none_or(|it| it.elapsed() > PUT_AGAIN) {
                    put_end(&publisher, self.broker, queue, None).await?;
                    *put = Some(Instant::now());
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

    /// Reads the records that have come.
    async fn read_records(&mut self) -> Result<(), SourceError> {
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
            if let Some(queue) = ended(amqp, &self.moving, &record.properties, &record.data) {
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

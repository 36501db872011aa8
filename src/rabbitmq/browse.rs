//! Browses a queue without removing messages: every message is delivered, only those that are to be removed are
//! acknowledged, and all others are requeued in their order when the channel closes, however
//! it closes.
//!
//! Classic queues requeue messages in their old positions. Quorum queues append them to a list
//! of requeued messages, which they deliver first; so the order is kept if, and only if, a
//! browser receives **all** messages, and they are requeued in the order of delivery. Hence:
//!
//! - Consumers have a prefetch larger than the queue. A quorum queue then delivers everything at once, in
//!   one step of its own, however long the messages take to arrive here.
//! - Only one browser runs at a time. Two at once would share the messages, and requeue them as two lists. Others wait;
//!   see `lock.rs`.
//! - There are few consumers. Of up to 32, a quorum queue requeues the messages in the
//!   order of the consumers' tags; of more, in any order.
//!
//! Measured on RabbitMQ 3.10.8 and 4.0.5; `tests/promises/operator/look.rs` tests it on any other version.

mod completion;
mod consumers;
pub(in crate::rabbitmq) mod limit;
mod lock;
mod measure;
mod probe;
mod progress;
pub(crate) mod reports;

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use self::completion::CompletionCheck;
use self::consumers::{Arrival, Consumers, MOST};
use self::lock::BrowseLock;
pub(crate) use self::lock::WaitOptions;
use self::probe::Probe;
use self::progress::Extent;
use super::connection::{Broker, bounded};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Server;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::consume::PATIENCE_BEFORE_CLOSE;
use crate::rabbitmq::message::Message;
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// For a goodbye. A channel that is not closed by then is gone with its connection.
const GOODBYE: Duration = Duration::from_secs(5);

/// Browses a queue. `T` is what is made of each message where it is received.
#[derive(Debug)]
pub(crate) struct QueueBrowser<T> {
    broker: Broker,
    connection: BrokerConnection,
    /// Until the connection is closed.
    lock: Option<BrowseLock>,
    channel: Channel,
    queue: String,
    consumers: Consumers<T>,
    _completion: CompletionCheck,
    arrivals: UnboundedReceiver<Arrival<T>>,
    /// Those that came before their turn: several consumers' streams are not in step.
    /// Probes are nothing.
    early: BTreeMap<DeliveryTag, Option<T>>,
    next: DeliveryTag,
    arrived: u64,
    /// How many there were said to be; 0 if nobody knows.
    expected: u64,
    beyond: u32,
    extent: Extent,
    acknowledged: bool,
    /// The probe that came last, and those of looks that were killed.
    probe: Option<Probe>,
    stale: Vec<DeliveryTag>,
    is_measured: bool,
    /// Somebody else has consumed meanwhile.
    is_disturbed: bool,
}

impl<T: Send + 'static> QueueBrowser<T> {
    /// Begins to look at what is in the queue now.
    ///
    /// # Errors
    ///
    /// There is no such queue, it may not be read, looking at it counts, or somebody else reads it.
    pub(crate) async fn open(
        broker: &Broker,
        queue: &str,
        wait_options: &WaitOptions,
        read: impl Fn(Message) -> T + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let connection = broker.connect("looks at dead letters").await?;
        let deadline = Instant::now() + wait_options.patience;
        let waits = |waits| (wait_options.waits)(waits);
        let lock = BrowseLock::take(&connection, queue, deadline, waits).await?;
        let channel = connection.channel().await?;
        // A look of a former version has no turn, nor has a program that takes from the queue.
        let ready = QueueState::wait_for_no_consumer(&channel, queue, deadline, waits)
            .await?
            .ready
            .min(MOST);
        let timeout = limit::refuse_if_looking_counts(broker, &connection, queue).await?;
        let wire = (broker, channel.clone(), connection.notes().clone());
        let (mut consumers, arrivals) = Consumers::new(wire, timeout, read);
        if let Err(error) = consumers.add(queue, ready).await {
            let queues = [(Purpose::DeadLetters, queue)];
            return Err(stream::cause_of(error, &connection, queues).await);
        }
        if ready == 0 {
            // It was empty, or said nothing.
            let state = QueueState::answered(&channel, queue).await?;
            if state.ready > 0 {
                consumers.add(queue, state.ready).await?;
            }
        }
        let completion = CompletionCheck::begin(&channel, queue, &consumers);
        Ok(Self {
            broker: broker.clone(),
            connection,
            lock,
            channel,
            queue: queue.to_owned(),
            consumers,
            _completion: completion,
            arrivals,
            early: BTreeMap::new(),
            next: 1,
            arrived: 0,
            expected: ready.into(),
            beyond: 0,
            extent: Extent::Open,
            acknowledged: false,
            probe: None,
            stale: Vec::new(),
            is_measured: false,
            is_disturbed: false,
        })
    }

    /// Who the broker says it is.
    pub(crate) const fn server(&self) -> &Server {
        self.connection.server()
    }

    /// The next of those that were there when it began; `None` after the last one. May be dropped while
    /// it waits.
    ///
    /// # Errors
    ///
    /// The look has ended, and all that was not acknowledged is back; there is another one; or each look
    /// brings the letters nearer to being dropped.
    pub(crate) async fn next_there(&mut self) -> Result<Option<(DeliveryTag, T)>, SourceError> {
        loop {
            self.skip_probes();
            if matches!(self.extent, Extent::All(last) if self.next > last) {
                self.measure().await?;
                return Ok(None);
            }
            if let Some(next) = self.take_next() {
                return Ok(Some(next));
            }
            self.arrive_in_time().await?;
        }
    }

    /// Makes sure that all that was there has come, and that no other look has begun in the same
    /// moment. To be asked before anything is done with what was seen; [`Self::next_there`] asks
    /// at its end.
    ///
    /// # Errors
    ///
    /// As [`Self::next_there`].
    pub(crate) async fn confirm(&mut self) -> Result<(), SourceError> {
        while !matches!(self.extent, Extent::All(_)) {
            self.arrive_in_time().await?;
        }
        self.measure().await
    }

    /// Messages that were there when it began, and that it has not seen: they have expired meanwhile
    /// or were removed; or there are more than it has room for. Known after the last one.
    pub(crate) fn unseen(&self) -> u64 {
        self.expected.saturating_sub(self.arrived).saturating_add(self.beyond.into())
    }

    /// The next message of all, in the queue's order: first those that were there, then what arrives
    /// while it lasts. May be dropped while it waits.
    ///
    /// # Errors
    ///
    /// As [`Self::next_there`].
    pub(crate) async fn next(&mut self) -> Result<(DeliveryTag, T), SourceError> {
        loop {
            self.skip_probes();
            if let Some(next) = self.take_next() {
                return Ok(next);
            }
            let arrival = self.arrivals.recv().await;
            self.note(arrival)?;
        }
    }

    /// Takes a message out of the queue for good.
    ///
    /// # Errors
    ///
    /// The look has ended; the message is back in the queue.
    pub(crate) async fn acknowledge(&mut self, tag: DeliveryTag) -> Result<(), SourceError> {
        self.acknowledged = true;
        let ack = self.channel.basic_ack(tag, BasicAckOptions::default());
        bounded("acknowledging", ack).await
    }

    /// Puts everything back.
    pub(crate) async fn close(mut self) {
        self.remove_probes().await;
        let Self { connection, channel, consumers, arrivals, acknowledged, .. } = self;
        // First, since a reader may wait until what it has read is taken.
        drop(arrivals);
        if acknowledged {
            sleep(PATIENCE_BEFORE_CLOSE).await;
        }
        // It may be gone already, and with it all that was held.
        let _ = timeout(GOODBYE, async {
            let _ = channel.close(200, "bye".into()).await;
            connection.close().await;
        })
        .await;
        drop(consumers);
    }
}

//! A RabbitMQ queue as a [`Source`].

pub(crate) mod ack_tracker;
pub(in crate::rabbitmq) mod cancelled;
mod claim;
pub(crate) mod consumer;
pub(crate) mod dead_letter_rate;
pub(crate) mod depth;
mod lanes;
mod own_queues;
mod partitions;
mod seen_brokers;
mod session;
mod settler;
mod sorter;
pub(crate) mod watchdog;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::consumer::{ConsumeOptions, SourceConsumer};
use self::dead_letter_rate::DeadLetterRate;
use self::lanes::{open_first, open_lane};
use self::own_queues::{OwnQueues, Place, UsedAsIs};
pub use self::partitions::Holds;
use self::partitions::{LaneQueue, Partitions};
use self::seen_brokers::SeenBrokers;
use self::session::AbortOnDrop;
pub use self::session::RabbitSession;
use self::settler::Settling;
pub use self::settler::{RabbitReceipt, RabbitSettler};
use self::watchdog::{Past, Watchdog};
use super::connection::{Broker, HEARTBEAT};
use super::topology;
use crate::config;
use crate::observe::monitor::Monitor;
use crate::outcome::SourceError;
use crate::pipeline::ports::{Lanes, Source};
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::bytes::Sizes;
use crate::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;
use crate::rabbitmq::topology::consumer_timeout;
use crate::rabbitmq::topology::order_arguments::OrderArguments;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// Quorum queues can lose acknowledgements that were sent just before their channel
/// closes, even after close-ok; measured on RabbitMQ 3.10, half a second left none behind.
pub(in crate::rabbitmq) const PATIENCE_BEFORE_CLOSE: Duration = Duration::from_millis(500);

/// Seconds between heartbeats; where they are off, as if they were not.
fn heartbeat(negotiated: u16) -> Duration {
    Duration::from_secs(if negotiated == 0 { HEARTBEAT } else { negotiated }.into())
}

/// One configured source.
#[derive(Debug)]
pub struct RabbitQueue {
    broker: Rc<Broker>,
    source: config::Source,
    dead_letters: Rc<DeadLetterPublisher>,
    /// See [`Watchdog`].
    past: Rc<Past>,
    sizes: Rc<Sizes>,
    rate: Rc<DeadLetterRate>,
    monitor: Option<Rc<Monitor>>,
    /// What is known of queues that are used as they are.
    own_queues: Rc<OwnQueues>,
    /// The arguments for order that the queue had when it was declared last.
    order: Cell<Option<OrderArguments>>,
    seen_brokers: SeenBrokers,
    /// The number of partitions of which the log was told.
    told_number: Cell<Option<u16>>,
    role: Role,
}

/// What this consumes of a source.
#[derive(Debug)]
enum Role {
    /// One queue.
    Whole,
    /// The first lane of one with partitions, and the lane of the source's own queue where a worker sorts what is in it.
    First(Rc<Partitions>, Option<Rc<RabbitQueue>>),
    Lane(Rc<Partitions>, LaneQueue),
}

impl RabbitQueue {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(
        broker: Rc<Broker>,
        source: config::Source,
        dead_letters: Rc<DeadLetterPublisher>,
    ) -> Self {
        let (past, sizes, own_queues, order, seen_brokers) = Default::default();
        let told_number = Cell::new(None);
        let rate = Rc::new(DeadLetterRate::new(broker.config().dead_letters_per_second));
        Self {
            broker,
            source,
            dead_letters,
            past,
            sizes,
            rate,
            monitor: None,
            own_queues,
            order,
            seen_brokers,
            told_number,
            role: Role::Whole,
        }
    }

    /// The lanes by which the source is consumed: this one, unless it has partitions. `holds` tells whether something is held.
    #[must_use]
    pub fn into_lanes(self, holds: Holds) -> Lanes<Self> {
        let Some(partitioning) = self.source.partitioning() else { return Lanes::from(self) };
        let partitions = Rc::new(Partitions::new(&self.broker, partitioning, holds));
        let lane = |queue: LaneQueue| {
            let (broker, dead_letters) = (Rc::clone(&self.broker), Rc::clone(&self.dead_letters));
            let (sizes, rate) = (Rc::clone(&self.sizes), Rc::clone(&self.rate));
            let role = Role::Lane(Rc::clone(&partitions), queue);
            let monitor = self.monitor.clone();
            Self {
                sizes,
                rate,
                monitor,
                role,
                ..Self::new(broker, self.source.clone(), dead_letters)
            }
        };
        let sorter = self.source.is_sorted().then(|| Rc::new(lane(LaneQueue::Own)));
        let others = partitions.lanes(sorter.is_none()).into_iter().map(&lane);
        // With fewer partitions each has more.
        let least = self.broker.config().prefetch_of_each(partitioning.count);
        let others = others.map(|lane| (lane, least)).collect();
        Lanes { first: Self { role: Role::First(partitions, sorter), ..self }, others }
    }

    /// Says what is wrong with the dead-letter queue, too, which all sources have.
    #[must_use]
    pub fn judging_dead_letters(self) -> Self {
        Self { own_queues: Rc::new(OwnQueues::with_dead_letters()), ..self }
    }

    /// There is another number of partitions than is configured. Said once for each.
    fn tells_number(&self, count: u16) {
        if self.told_number.replace(Some(count)) != Some(count) {
            let config::Source { name, queue, partitions, .. } = &self.source;
            tracing::warn!(
                event = "partitions_differ",
                source = name,
                queue,
                there = count,
                configured = partitions,
                "source is consumed with the partitions that there are: `event-pusher-sns partitions move` changes their number"
            );
        }
    }

    /// Tells how much is in the queue, too.
    #[must_use]
    pub fn monitored(self, monitor: Rc<Monitor>) -> Self {
        Self { monitor: Some(monitor), ..self }
    }

    /// Declares what the source needs, or checks it. Queues that are used as they are may be streams; the source's own refuses the
    /// consumer then, and others are asked.
    async fn ensure(&self, connection: &BrokerConnection) -> Result<Ensured, SourceError> {
        let amqp = self.broker.config();
        if amqp.declare {
            let order = self.declare(connection).await?;
            let timeout = consumer_timeout::of(connection, amqp.queue_type.into_str(), amqp);
            return Ok(Ensured::declared(order.is_single_active(), timeout));
        }
        let may_look = topology::find(connection, amqp, &self.source).await?;
        let place = Place { broker: &self.broker, connection, source: &self.source };
        let used = self.own_queues.look(place).await?;
        Ok(Ensured::found(used, may_look, self.source.single_active))
    }

    /// Looks at queues that are used as they are, as long as the session lasts.
    fn keep_looking(&self, connection: &Rc<BrokerConnection>) -> Option<AbortOnDrop> {
        if self.broker.config().declare {
            return None;
        }
        let (queues, broker) = (Rc::clone(&self.own_queues), Rc::clone(&self.broker));
        let (connection, source) = (Rc::clone(connection), self.source.clone());
        Some(AbortOnDrop(tokio::task::spawn_local(async move {
            let place = Place { broker: &broker, connection: &connection, source: &source };
            queues.keep_looking(place).await;
        })))
    }

    async fn declare(&self, connection: &BrokerConnection) -> Result<OrderArguments, SourceError> {
        let (amqp, source, known) = (self.broker.config(), &self.source, self.order.get());
        let order = topology::declare(connection, amqp, source, known).await?;
        self.order.set(Some(order));
        let deviation = order.deviation(OrderArguments::of(amqp, source));
        if let Some(deviation) = &deviation
            && source.single_active
            && source.stops_without_order()
        {
            return Err(SourceError::PreconditionFailed(format!(
                "queue `{}` does not keep order, and on_order_lost is \"stop\": {deviation}",
                source.queue
            )));
        }
        if let Some(deviation) = deviation.filter(|_| known != Some(order)) {
            own_queues::log_deviation(source, &deviation);
        }
        Ok(order)
    }
}

/// What is known of a source's queue before it is consumed.
struct Ensured {
    /// Whether only one consumer of the queue gets messages, where that is sure for as long as the session lasts.
    single_active: Option<bool>,
    /// The same as far as is known; of a queue that is used as it is, when this session began: somebody may create it anew.
    is_single: bool,
    may_look: bool,
    /// Only one consumer of the queue gets messages, or that is not known and order is to be kept.
    keeps_consumer: bool,
    /// How long a delivery may be held, where the broker goes by that.
    timeout: Option<Duration>,
}

impl Ensured {
    /// What is declared was compared with what is there.
    const fn declared(is_single: bool, timeout: Option<Duration>) -> Self {
        let single_active = Some(is_single);
        Self { single_active, is_single, may_look: true, keeps_consumer: is_single, timeout }
    }

    fn found(used: UsedAsIs, may_look: bool, keeps_order: bool) -> Self {
        let UsedAsIs { is_single_active, timeout } = used;
        let is_single = is_single_active.unwrap_or(false);
        let keeps_consumer = is_single_active.unwrap_or(keeps_order);
        Self { single_active: None, is_single, may_look, keeps_consumer, timeout }
    }
}

impl Source for RabbitQueue {
    type Session = RabbitSession;

    async fn open(&self) -> Result<RabbitSession, SourceError> {
        match &self.role {
            Role::Whole => self.open_whole().await,
            Role::First(partitions, sorter) => open_first(self, partitions, sorter.as_ref()).await,
            Role::Lane(partitions, lane) => Ok(open_lane(self, partitions, lane).await),
        }
    }
}

impl RabbitQueue {
    async fn open_whole(&self) -> Result<RabbitSession, SourceError> {
        let amqp = self.broker.config();
        let connection = Rc::new(self.broker.connect(&self.source.name).await?);
        let monitor = self.monitor.as_deref();
        if self.seen_brokers.note(&connection, amqp, &self.source.name, monitor) {
            // What a queue's arguments mean depends on the version.
            self.own_queues.doubt();
        }
        let channel = connection.channel().await?;
        let ensured = match self.ensure(&connection).await {
            Ok(ensured) => ensured,
            Err(error) => {
                let events = std::iter::once((Purpose::Events, &*self.source.queue));
                let queues = events.chain(stream::targets(amqp, &self.source));
                return Err(stream::cause_of(error, &connection, queues).await);
            }
        };
        let bytes = Arc::clone(connection.bytes());
        bytes.limit_to(amqp.in_flight_bytes_of_a_source());
        connection.notes().limit_to_events();
        let heartbeat = heartbeat(connection.configuration().heartbeat());
        let options = ConsumeOptions {
            broker: Rc::clone(&self.broker),
            monitor: self.monitor.clone(),
            single_active: ensured.single_active,
            may_look: ensured.may_look,
            keeps_consumer: ensured.keeps_consumer,
            is_lane: false,
            timeout: ensured.timeout,
            channel: channel.clone(),
            queue: self.source.queue.clone(),
            name: self.broker.name().to_owned(),
            prefetch: amqp.prefetch,
            bytes: Arc::clone(&bytes),
            sizes: Rc::clone(&self.sizes),
            heartbeat,
        };
        if let Some(monitor) = &self.monitor {
            monitor.begin_session(ensured.is_single);
        }
        // The queue is looked at as often as a silent network would be noticed.
        let watch = Watchdog::new(2 * heartbeat, Rc::clone(&self.past));
        let watch = watch.of_single_active(ensured.is_single);
        // Before anything is delivered: where the first deliveries are too many bytes, no answer behind them is read until
        // some are settled, which they are only once this is done.
        let measuring = match &self.monitor {
            Some(monitor) => {
                let queues = vec![self.source.queue.clone()];
                let asking =
                    depth::watch(&connection, amqp, &self.source, queues, Rc::clone(monitor));
                Some(AbortOnDrop(tokio::task::spawn_local(asking.await?)))
            }
            None => None,
        };
        let consumer = match SourceConsumer::start(options, watch).await {
            Ok(consumer) => consumer,
            Err(error) => {
                // The queue may be another one by now, of which more is to be known.
                self.own_queues.doubt();
                let queues = [(Purpose::Events, &*self.source.queue)];
                return Err(stream::cause_of(error, &connection, queues).await);
            }
        };
        let (dead_letters, rate) = (Rc::clone(&self.dead_letters), Rc::clone(&self.rate));
        let settling = Settling::new(channel, dead_letters, rate, &self.source, amqp, bytes);
        let tasks = measuring.into_iter().chain(self.keep_looking(&connection)).collect();
        Ok(RabbitSession::begin(connection, consumer, settling, tasks))
    }
}

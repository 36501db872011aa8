//! Opens the sessions of the lanes of a source with partitions.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::claim::Claim;
use super::consumer::{ConsumeOptions, SourceConsumer};
use super::partitions::{
    FirstLane, Lane, LaneQueue, Opened, Partitions, balance, former, is_on, keep_diverting,
};
use super::session::{AbortOnDrop, RabbitSession};
use super::settler::Settling;
use super::sorter::{self, Sorter};
use super::watchdog::Watchdog;
use super::{RabbitQueue, depth, heartbeat};
use crate::config::Partitioning;
use crate::observe::monitor::State;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::consumer_timeout;
use crate::rabbitmq::topology::partitions::Declared;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// The queue that counts workers stays empty, and that nothing comes from it is no sign of anything. A session that is renewed for it
/// would take the connection of all lanes along.
const PREFETCH: u16 = 1;
const STAYS_EMPTY: Duration = Duration::from_hours(24 * 365);

/// Connects, and makes sure of the topology. What was in the source's queue before it had partitions is published first: meanwhile
/// only the lane of that queue consumes.
pub(super) async fn open_first(
    queue: &RabbitQueue,
    partitions: &Rc<Partitions>,
    sorter: Option<&Rc<RabbitQueue>>,
) -> Result<RabbitSession, SourceError> {
    let (broker, source) = (&queue.broker, &queue.source);
    let amqp = broker.config();
    let connection = Rc::new(broker.connect(&source.name).await?);
    let monitor = queue.monitor.as_deref();
    queue.seen_brokers.note(&connection, amqp, &source.name, monitor);
    let Declared { count, is_marked, .. } = match ensure(queue, &connection).await {
        Ok(declared) => declared,
        Err(error) => {
            let queues = [(Purpose::Events, &*source.queue)];
            return Err(stream::cause_of(error, &connection, queues).await);
        }
    };
    let heartbeat = heartbeat(connection.configuration().heartbeat());
    let bytes = Arc::clone(connection.bytes());
    bytes.share();
    bytes.limit_to(amqp.in_flight_bytes_of_a_source());
    connection.notes().limit_to_events();
    connection.lease().lapses_after(heartbeat);
    let generation = Rc::new(partitions.generation(source, count));
    if Some(count) != source.partitioning().map(|it| it.count) {
        queue.tells_number(count);
    }
    let opened = Opened {
        connection: Rc::clone(&connection),
        generation: Rc::clone(&generation),
        is_marked,
    };
    let first = FirstLane::publish(partitions, opened.clone());
    let mut tasks = Vec::new();
    if amqp.declare {
        let diverting = keep_diverting(Rc::clone(partitions), opened.clone(), source.clone());
        tasks.push(AbortOnDrop(tokio::task::spawn_local(diverting)));
    }
    let names = &generation.names;
    if !is_marked {
        let of_events = std::iter::once(&source.queue).chain(&names.queues);
        let _asking = ask_depth(queue, &connection, of_events).await?;
        tracing::info!(
            event = "partitions_begin",
            source = source.name,
            queue = source.queue,
            partitions = count,
            "what is in the source's queue is published first; the partitions follow"
        );
        if let Some(monitor) = monitor {
            monitor.is(State::Consuming);
        }
        tokio::select! {
            begun = former::begin(broker, &connection, source) => begun?,
            error = first.failed() => return Err(error),
        }
        // Whoever has marked them may have another number, or divide by another key.
        if let Some(wanted) = source.partitioning() {
            let these = Partitioning { count, ..wanted };
            topology::partitions::confirm(&connection, amqp, source, these).await?;
        }
        partitions.opened.send_modify(|it| {
            if let Some(opened) = it {
                opened.is_marked = true;
            }
        });
    }
    let (claim, patience) = (None, STAYS_EMPTY);
    let what = Consumed { queue: &names.marker, prefetch: PREFETCH, claim, patience };
    let (consumer, settling) = consume(queue, &connection, what).await?;
    if let Some(monitor) = monitor {
        monitor.begin_session(false);
    }
    if let Some((lane, exchange)) = sorter.zip(source.sorted_exchange()) {
        let sorting = sort(Rc::clone(lane), exchange, Rc::clone(partitions), opened.clone());
        tasks.push(AbortOnDrop(tokio::task::spawn_local(sorting)));
    }
    let balancing = balance(Rc::clone(partitions), opened, queue.monitor.clone());
    tasks.push(AbortOnDrop(tokio::task::spawn_local(balancing)));
    // The queue whose consumers are the workers comes first.
    let all = [&names.marker, &source.queue].into_iter().chain(&names.queues);
    tasks.extend(ask_depth(queue, &connection, all).await?);
    Ok(RabbitSession::begin(connection, consumer, settling, tasks).first(first))
}

/// Sorts what is in the source's queue into its partitions.
async fn sort(lane: Rc<RabbitQueue>, exchange: String, partitions: Rc<Partitions>, opened: Opened) {
    let sorter = Sorter {
        broker: Rc::clone(&lane.broker),
        source: lane.source.clone(),
        exchange,
        monitor: lane.monitor.clone(),
        partitions: Rc::clone(&partitions),
        opened: opened.clone(),
    };
    sorter.run(async || begin(&lane, &partitions, &LaneQueue::Own, &opened).await).await;
}

/// Tells the monitor how much is in these queues together, until it is dropped; the consumers are those of the first one.
async fn ask_depth(
    source: &RabbitQueue,
    connection: &Rc<BrokerConnection>,
    queues: impl Iterator<Item = &String>,
) -> Result<Option<AbortOnDrop>, SourceError> {
    let Some(monitor) = &source.monitor else { return Ok(None) };
    let (amqp, queues) = (source.broker.config(), queues.cloned().collect());
    let asking = depth::watch(connection, amqp, &source.source, queues, Rc::clone(monitor));
    Ok(Some(AbortOnDrop(tokio::task::spawn_local(asking.await?))))
}

/// Sees to it that there are partitions. Returns how many, and whether they may begin.
async fn ensure(
    queue: &RabbitQueue,
    connection: &BrokerConnection,
) -> Result<Declared, SourceError> {
    let (amqp, source) = (queue.broker.config(), &queue.source);
    let Some(wanted) = source.partitioning() else {
        return Ok(Declared::all(0, true));
    };
    if amqp.declare {
        return topology::partitions::declare(connection, amqp, source, wanted).await;
    }
    topology::find(connection, amqp, source).await?;
    topology::partitions::find(connection, source, wanted.count).await?;
    Ok(Declared::all(wanted.count, true))
}

/// Opens a session as soon as there is a connection, and the lane may begin. What keeps it from consuming is the first lane's to tell.
pub(super) async fn open_lane(
    queue: &RabbitQueue,
    partitions: &Rc<Partitions>,
    lane: &LaneQueue,
) -> RabbitSession {
    loop {
        let opened = partitions.connection(lane).await;
        if let Some(claim) = lane.claim() {
            claim.begins().await;
        }
        let error = match begin(queue, partitions, lane, &opened).await {
            Ok(session) => return session,
            Err(error) => error,
        };
        if is_on(partitions.opened.borrow().as_ref(), &opened.connection) {
            partitions.fail(error);
        }
        let is_gone = |it: &Option<Opened>| !is_on(it.as_ref(), &opened.connection);
        let _ = partitions.opened.subscribe().wait_for(is_gone).await;
    }
}

async fn begin(
    queue: &RabbitQueue,
    partitions: &Rc<Partitions>,
    lane: &LaneQueue,
    Opened { connection, generation, .. }: &Opened,
) -> Result<RabbitSession, SourceError> {
    let name = lane.name(&queue.source, generation);
    let lane_of_session = Lane::begin(partitions, lane, name, generation);
    let claim = lane.claim();
    let prefetch = match lane {
        // The same in all workers, too.
        LaneQueue::Own if queue.source.is_sorted() => {
            queue.broker.config().prefetch.min(sorter::PREFETCH)
        }
        LaneQueue::Own | LaneQueue::Partition { .. } => generation.prefetch,
    };
    let patience = 2 * heartbeat(connection.configuration().heartbeat());
    let what = Consumed { queue: name, prefetch, claim, patience };
    let (consumer, settling) = consume(queue, connection, what).await?;
    let session = RabbitSession::begin(Rc::clone(connection), consumer, settling, Vec::new());
    Ok(session.of_lane(lane_of_session))
}

/// What a lane consumes.
struct Consumed<'a> {
    queue: &'a str,
    prefetch: u16,
    claim: Option<&'a Rc<Claim>>,
    /// Between two looks at a queue from which nothing comes.
    patience: Duration,
}

/// Begins to consume a queue of the source, on a channel of its own.
async fn consume(
    source: &RabbitQueue,
    connection: &Rc<BrokerConnection>,
    Consumed { queue, prefetch, claim, patience }: Consumed<'_>,
) -> Result<(SourceConsumer, Settling), SourceError> {
    let amqp = source.broker.config();
    let channel = connection.channel().await?;
    let bytes = Arc::clone(connection.bytes());
    let heartbeat = heartbeat(connection.configuration().heartbeat());
    let options = ConsumeOptions {
        broker: Rc::clone(&source.broker),
        monitor: None,
        // Not to be asked: a lane that gets nothing begins anew, whatever the reason.
        single_active: Some(true),
        may_look: amqp.declare,
        keeps_consumer: true,
        is_lane: true,
        timeout: consumer_timeout::of(connection, amqp.queue_type.into_str(), amqp),
        channel: channel.clone(),
        queue: queue.to_owned(),
        name: source.broker.name().to_owned(),
        prefetch,
        bytes: Arc::clone(&bytes),
        sizes: Rc::clone(&source.sizes),
        heartbeat,
    };
    let watch = Watchdog::new(patience, Rc::clone(&source.past));
    let consumer = SourceConsumer::start(options, watch).await?;
    let (dead_letters, rate) = (Rc::clone(&source.dead_letters), Rc::clone(&source.rate));
    let settling = Settling::new(channel, dead_letters, rate, &source.source, amqp, bytes);
    Ok((consumer, settling.of_lane(prefetch, claim.cloned())))
}

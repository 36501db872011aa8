//! A RabbitMQ queue as a [`Source`].

pub(crate) mod ack_tracker;
pub(crate) mod consumer;
pub(crate) mod dead_letter_rate;
pub(crate) mod depth;
pub(crate) mod watchdog;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use lapin::{BasicProperties, Channel};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::ack_tracker::{AckTracker, Acknowledgements};
use self::consumer::{Arrived, ConsumeOptions, SourceConsumer};
use self::dead_letter_rate::DeadLetterRate;
use self::watchdog::Watchdog;
use super::connection::{Broker, HEARTBEAT, bounded};
use super::{headers, topology};
use crate::config;
use crate::event::Envelope;
use crate::observe::monitor::Monitor;
use crate::outcome::{DeadLetter, SourceError};
use crate::pipeline::ports::{Delivery, Session, Source};
use crate::pipeline::ports::{NotParked, Settle, StaleReceipt};
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::bytes::{InFlightBytes, Sizes};
use crate::rabbitmq::connection::wire::Note;
use crate::rabbitmq::headers::origin::{origin, take_forged};
use crate::rabbitmq::headers::originals;
use crate::rabbitmq::headers::parked::unparked_properties;
use crate::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;
use crate::signature::SigningKey;

/// Quorum queues can lose acknowledgements that were sent just before their channel
/// closes, even after close-ok; measured on RabbitMQ 3.10, half a second left none behind.
pub(in crate::rabbitmq) const PATIENCE_BEFORE_CLOSE: Duration = Duration::from_millis(500);

/// How long settled deliveries wait to be told to the broker together.
const GATHER: Duration = Duration::from_millis(2);

/// How long a settled delivery waits for older ones that are still open, before it is told by itself.
const LONGEST_GATHER: Duration = Duration::from_secs(1);

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
    silences: Rc<Cell<u32>>,
    sizes: Rc<Sizes>,
    rate: Rc<DeadLetterRate>,
    monitor: Option<Rc<Monitor>>,
}

impl RabbitQueue {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(
        broker: Rc<Broker>,
        source: config::Source,
        dead_letters: Rc<DeadLetterPublisher>,
    ) -> Self {
        let (silences, sizes) = Default::default();
        let rate = Rc::new(DeadLetterRate::new(broker.config().dead_letters_per_second));
        Self { broker, source, dead_letters, silences, sizes, rate, monitor: None }
    }

    /// Tells how much is in the queue, too.
    #[must_use]
    pub fn monitored(self, monitor: Rc<Monitor>) -> Self {
        Self { monitor: Some(monitor), ..self }
    }
}

impl Source for RabbitQueue {
    type Session = RabbitSession;

    async fn open(&self) -> Result<RabbitSession, SourceError> {
        let amqp = self.broker.config();
        let connection = self.broker.connect(&self.source.name).await?;
        let channel = connection.channel().await?;
        topology::ensure(&channel, amqp, &self.source).await?;
        let bytes = Arc::clone(connection.bytes());
        bytes.limit_to(amqp.in_flight_bytes_of_a_source());
        connection.notes().limit_to_events();
        let heartbeat = heartbeat(connection.configuration().heartbeat());
        let options = ConsumeOptions {
            channel: channel.clone(),
            queue: self.source.queue.clone(),
            name: self.broker.name().to_owned(),
            prefetch: amqp.prefetch,
            bytes: Arc::clone(&bytes),
            sizes: Rc::clone(&self.sizes),
            heartbeat,
        };
        // The queue is looked at as often as a silent network would be noticed.
        let watch = Watchdog::new(2 * heartbeat, Rc::clone(&self.silences));
        // Before anything is delivered: where the first deliveries are too many bytes, no answer behind them is read until
        // some are settled, which they are only once this is done.
        let measuring = match &self.monitor {
            Some(monitor) => {
                let asking = depth::watch(&connection, amqp, &self.source, Rc::clone(monitor));
                Some(AbortOnDrop(tokio::task::spawn_local(asking.await?)))
            }
            None => None,
        };
        let consumer = SourceConsumer::start(options, watch).await?;
        let settler = RabbitSettler(Rc::new(Settling {
            channel,
            dead_letters: Rc::clone(&self.dead_letters),
            rate: Rc::clone(&self.rate),
            ending: watch::Sender::new(false),
            source: self.source.clone(),
            key: amqp.signing_key.clone(),
            tracker: RefCell::default(),
            bytes,
            most_untold: usize::from(amqp.prefetch / 2),
            settled: Notify::new(),
            telling: Mutex::default(),
            broken: Cell::new(false),
        }));
        let telling = tokio::task::spawn_local(tell(Rc::clone(&settler.0)));
        let telling = AbortOnDrop(telling);
        Ok(RabbitSession { connection, consumer, settler, telling, _measuring: measuring })
    }
}

/// A consumer on a connection and a channel of its own.
#[derive(Debug)]
pub struct RabbitSession {
    connection: BrokerConnection,
    consumer: SourceConsumer,
    settler: RabbitSettler,
    telling: AbortOnDrop,
    _measuring: Option<AbortOnDrop>,
}

/// A task that ends with its owner.
#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RabbitSession {
    fn taken(&self, (delivery, charge): Arrived) -> Delivery<RabbitReceipt> {
        let Settling { tracker, source, key, .. } = &*self.settler.0;
        tracker.borrow_mut().open(delivery.delivery_tag);
        let channel = self.settler.0.channel.id();
        let note = self.connection.notes().take(channel, delivery.delivery_tag);
        unpack(delivery, charge, note, &source.queue, key.as_ref())
    }
}

impl Session for RabbitSession {
    type Receipt = RabbitReceipt;
    type Settler = RabbitSettler;

    async fn next(&mut self) -> Result<Delivery<RabbitReceipt>, SourceError> {
        let arrived = self.consumer.next(&self.settler.0.tracker).await?;
        Ok(self.taken(arrived))
    }

    fn settler(&self) -> RabbitSettler {
        self.settler.clone()
    }

    async fn stop_taking(&mut self) -> Vec<Delivery<RabbitReceipt>> {
        self.settler.0.ending.send_replace(true);
        let come = self.consumer.stop().await;
        come.into_iter().map(|arrived| self.taken(arrived)).collect()
    }

    async fn close(self) {
        let settling = &*self.settler.0;
        // Before the task that tells is aborted: what it has in hand must be told to the end.
        settling.tell(AckTracker::take_all).await;
        drop(self.telling);
        tokio::time::sleep(PATIENCE_BEFORE_CLOSE).await;
        // Either may be gone already; the broker requeues what is unsettled in any case.
        let _ = bounded("closing the channel", settling.channel.close(200, "bye".into())).await;
        self.connection.close().await;
    }
}

/// The right to settle one delivery of one channel.
#[derive(Debug)]
#[must_use = "a delivery that is not settled comes back only when its channel closes"]
pub struct RabbitReceipt {
    tag: DeliveryTag,
    /// What it counts for in bytes.
    charge: u64,
    /// As they came, so that a dead letter keeps all of them.
    /// Boxed, since deliveries in flight are many and mostly need none of it.
    properties: Box<BasicProperties>,
}

/// What a producer wrote under our names is taken off, so that it is in no dead letter and in no parked copy.
fn unpack(
    delivery: lapin::message::Delivery,
    charge: u64,
    note: Option<Note>,
    queue: &str,
    key: Option<&SigningKey>,
) -> Delivery<RabbitReceipt> {
    let mut properties = Box::new(delivery.properties);
    let delivered = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let origin = origin(delivered.0, delivered.1, &properties, queue)
        .map(|(exchange, routing_key)| (exchange.to_owned(), routing_key.to_owned()));
    let believed = take_forged(&mut properties, origin.is_some(), key);
    let (exchange, routing_key) = if let Some(origin) = origin.filter(|_| believed) {
        *properties = unparked_properties(std::mem::take(&mut properties));
        origin
    } else {
        (delivery.exchange.into(), delivery.routing_key.into())
    };
    let unreadable = note.as_ref().and_then(originals::unreadable);
    let headers = properties.headers().as_ref().map(headers::texts).unwrap_or_default();
    if let Some(note) = note {
        originals::keep(note, &mut properties);
    }
    let envelope = Box::new(Envelope {
        exchange,
        routing_key,
        content_type: properties.content_type().as_ref().map(|it| it.as_str().to_owned()),
        message_id: properties.message_id().as_ref().map(|it| it.as_str().to_owned()),
        headers,
        payload: delivery.data,
        unreadable,
    });
    let receipt = RabbitReceipt { tag: delivery.delivery_tag, charge, properties };
    Delivery { envelope, receipt }
}

/// Settles on the channel that delivered.
#[derive(Debug, Clone)]
pub struct RabbitSettler(Rc<Settling>);

#[derive(Debug)]
struct Settling {
    channel: Channel,
    dead_letters: Rc<DeadLetterPublisher>,
    rate: Rc<DeadLetterRate>,
    /// The session is about to end: a letter that would have to wait for its turn goes back.
    ending: watch::Sender<bool>,
    source: config::Source,
    key: Option<SigningKey>,
    tracker: RefCell<AckTracker>,
    bytes: Arc<InFlightBytes>,
    /// More settled deliveries than so many are not kept from the broker: they would take the place of new ones.
    most_untold: usize,
    /// Wakes whoever tells the broker.
    settled: Notify,
    telling: Mutex<()>,
    /// The broker can't be told any more.
    broken: Cell<bool>,
}

/// Tells the broker what is settled, a moment after the first that is.
async fn tell(settling: Rc<Settling>) {
    // Up to where all is told, if the delivery after it stayed open for as long as others wait: it may be held.
    let mut stuck = None;
    loop {
        settling.settled.notified().await;
        let since = Instant::now();
        loop {
            tokio::time::sleep(GATHER).await;
            let told = settling.tracker.borrow().told();
            // Nothing waits for such a delivery. What is settled but untold takes up the prefetch, of which held
            // deliveries leave little to the others.
            if stuck == Some(told) || since.elapsed() >= LONGEST_GATHER {
                settling.tell(AckTracker::take_all).await;
                stuck = Some(told).filter(|it| *it == settling.tracker.borrow().told());
                break;
            }
            settling.tell(|tracker| tracker.take_but(settling.most_untold)).await;
            if settling.tracker.borrow().untold() == 0 {
                break;
            }
        }
    }
}

impl Settling {
    async fn tell(&self, take: impl FnOnce(&mut AckTracker) -> Acknowledgements) {
        let _one_at_a_time = self.telling.lock().await;
        let Acknowledgements { up_to, single } = take(&mut self.tracker.borrow_mut());
        let up_to = up_to.map(|tag| (tag, true));
        let single = single.into_iter().map(|tag| (tag, false));
        let acks = up_to
            .into_iter()
            .chain(single)
            .map(|(tag, multiple)| self.channel.basic_ack(tag, BasicAckOptions { multiple }));
        // Not one after the other: each would wake lapin's thread and wait for it.
        if bounded("acknowledging", try_join_all(acks)).await.is_err() {
            self.broken.set(true);
        }
    }
}

impl Settle for RabbitSettler {
    type Receipt = RabbitReceipt;

    async fn ack(&self, receipt: RabbitReceipt) -> Result<(), StaleReceipt> {
        let Settling { channel, tracker, bytes, settled, broken, .. } = &*self.0;
        if broken.get() || !channel.status().connected() {
            return Err(StaleReceipt);
        }
        tracker.borrow_mut().settle(receipt.tag);
        bytes.settle(receipt.charge);
        settled.notify_one();
        Ok(())
    }

    async fn dead_letter(
        &self,
        envelope: &Envelope,
        receipt: &RabbitReceipt,
        letter: &DeadLetter,
    ) -> Result<(), StaleReceipt> {
        let Settling { channel, dead_letters, rate, ending, source, .. } = &*self.0;
        let mut ending = ending.subscribe();
        tokio::select! {
            biased;
            () = rate.turn(letter.reason) => {}
            _ = ending.wait_for(|ending| *ending) => return Err(StaleReceipt),
        }
        loop {
            // One that comes again is a dead letter then.
            if !channel.status().connected() {
                return Err(StaleReceipt);
            }
            let properties = &receipt.properties;
            let published = dead_letters.publish(envelope, properties, letter, &source.queue);
            if published.await.is_ok() {
                return Ok(());
            }
        }
    }

    async fn park(&self, envelope: &Envelope, receipt: &RabbitReceipt) -> Result<(), NotParked> {
        let Settling { channel, dead_letters, source, .. } = &*self.0;
        // It comes again, and need not be there twice.
        if !channel.status().connected() {
            return Err(NotParked::Stale(StaleReceipt));
        }
        let Some(parking) = &source.parking else {
            return Err(NotParked::Refused("not this source's".to_owned()));
        };
        let parked = dead_letters.park(envelope, &receipt.properties, source, parking);
        parked.await.map_err(|error| NotParked::Refused(error.to_string()))
    }
}

//! Settles the deliveries of one session: acknowledges them, or makes dead letters and parked events of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use lapin::{BasicProperties, Channel};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use super::ack_tracker::{AckTracker, Acknowledgements};
use super::claim::Claim;
use super::dead_letter_rate::DeadLetterRate;
use crate::config::{Amqp, Source};
use crate::event::Envelope;
use crate::outcome::DeadLetter;
use crate::pipeline::ports::{Delivery, NotParked, Settle, StaleReceipt};
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::bytes::{Amount, InFlightBytes};
use crate::rabbitmq::headers::outcome_report;
use crate::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;
use crate::replay::{OutcomeReport, ReplayId};
use crate::signature::SigningKey;

/// How long settled deliveries wait to be acknowledged to the broker together.
const GATHER: Duration = Duration::from_millis(2);

/// How long a settled delivery waits for older ones that are still open, before it is acknowledged by itself.
const LONGEST_GATHER: Duration = Duration::from_secs(1);

/// The right to settle one delivery of one channel.
#[derive(Debug)]
#[must_use = "a delivery that is not settled comes back only when its channel closes"]
pub struct RabbitReceipt {
    pub(super) tag: DeliveryTag,
    /// What it counts for in bytes.
    pub(super) charge: u64,
    /// As they came, so that a dead letter keeps all of them.
    /// Boxed, since deliveries in flight are many and mostly need none of it.
    pub(super) properties: Box<BasicProperties>,
}

/// Settles on the channel that delivered.
#[derive(Debug, Clone)]
pub struct RabbitSettler(pub(super) Rc<Settling>);

/// What all settlers of a session share.
#[derive(Debug)]
pub(super) struct Settling {
    pub(super) channel: Channel,
    dead_letters: Rc<DeadLetterPublisher>,
    rate: Rc<DeadLetterRate>,
    /// The session is about to end: a letter that would have to wait for its turn goes back.
    pub(super) ending: watch::Sender<bool>,
    pub(super) source: Source,
    pub(super) key: Option<SigningKey>,
    pub(super) tracker: RefCell<AckTracker>,
    bytes: Arc<InFlightBytes>,
    /// The broker is told of settled deliveries beyond so many: they would take the place of new ones.
    most_unflushed: usize,
    /// Wakes the task that flushes.
    settled: Notify,
    flushing: Mutex<()>,
    /// The broker can't be told any more.
    broken: Cell<bool>,
    /// Where several consume on one connection: this worker's claim to the partition.
    pub(super) claim: Option<Rc<Claim>>,
    amount_settled: Cell<Amount>,
}

impl Settling {
    pub(super) fn new(
        channel: Channel,
        dead_letters: Rc<DeadLetterPublisher>,
        rate: Rc<DeadLetterRate>,
        source: &Source,
        amqp: &Amqp,
        bytes: Arc<InFlightBytes>,
    ) -> Self {
        Self {
            channel,
            dead_letters,
            rate,
            ending: watch::Sender::new(false),
            source: source.clone(),
            key: amqp.signing_key.clone(),
            tracker: RefCell::default(),
            bytes,
            most_unflushed: usize::from(amqp.prefetch / 2),
            settled: Notify::new(),
            flushing: Mutex::default(),
            broken: Cell::new(false),
            claim: None,
            amount_settled: Cell::default(),
        }
    }

    /// The same for one of several that consume on one connection, with its own prefetch.
    pub(super) fn of_lane(self, prefetch: u16, claim: Option<Rc<Claim>>) -> Self {
        Self { most_unflushed: usize::from(prefetch / 2), claim, ..self }
    }

    /// The channel is closed: what had come and was not settled comes again.
    pub(super) fn end_channel(&self) {
        self.bytes.end_channel(self.channel.id(), self.amount_settled.get());
    }

    /// Sends the acknowledgements that are taken from the tracker.
    pub(super) async fn flush(&self, take: impl FnOnce(&mut AckTracker) -> Acknowledgements) {
        let _one_at_a_time = self.flushing.lock().await;
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

/// Acknowledges settled deliveries to the broker, a moment after the first one is settled.
pub(super) async fn flush(settling: Rc<Settling>) {
    // All is acknowledged up to here, if the delivery after it stayed open for as long as others wait: it may be held.
    let mut stuck = None;
    loop {
        settling.settled.notified().await;
        let since = Instant::now();
        loop {
            tokio::time::sleep(GATHER).await;
            let acked = settling.tracker.borrow().acked_up_to();
            // Nothing waits for such a delivery. Settled deliveries that the broker does not know of take up the
            // prefetch, of which held deliveries leave little to the others.
            if stuck == Some(acked) || since.elapsed() >= LONGEST_GATHER {
                settling.flush(AckTracker::take_all).await;
                stuck = Some(acked).filter(|it| *it == settling.tracker.borrow().acked_up_to());
                break;
            }
            settling.flush(|tracker| tracker.take_but(settling.most_unflushed)).await;
            if settling.tracker.borrow().unflushed() == 0 {
                break;
            }
        }
    }
}

impl Settle for RabbitSettler {
    type Receipt = RabbitReceipt;

    async fn ack(&self, receipt: RabbitReceipt) -> Result<(), StaleReceipt> {
        let Settling { channel, tracker, bytes, settled, broken, claim, amount_settled, .. } =
            &*self.0;
        if broken.get() || !channel.status().connected() {
            return Err(StaleReceipt);
        }
        tracker.borrow_mut().settle(receipt.tag);
        bytes.settle(receipt.charge);
        let Amount { bytes: before, whole } = amount_settled.get();
        amount_settled.set(Amount { bytes: before + receipt.charge, whole: whole + 1 });
        if let Some(claim) = claim {
            claim.settled();
        }
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

    fn asks_for_outcome(&self, delivery: &Delivery<RabbitReceipt>) -> Option<ReplayId> {
        outcome_report::asks(&delivery.receipt.properties)
    }

    async fn report(&self, id: ReplayId, report: &OutcomeReport) {
        self.0.dead_letters.report(id, report).await;
    }
}

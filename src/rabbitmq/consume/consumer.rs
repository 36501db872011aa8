//! Consuming: a small prefetch first, then the full one; or one consumer from the start to the end of a session, where order needs it.

mod gone;
pub(crate) mod options;
mod prefetch;
mod stage;
mod standby;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, OptionFuture};
use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::BasicCancelOptions;
use lapin::types::DeliveryTag;
use tokio::time::{Instant, Sleep, sleep};

pub(in crate::rabbitmq) use self::options::ConsumeOptions;
use self::options::consume;
use self::stage::Stage;
use self::standby::Passed;
use crate::limits::LONGEST_PAUSE;
use crate::observe::monitor::State;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::consume::ack_tracker::AckTracker;
use crate::rabbitmq::consume::watchdog::{Suspicion, Verdict, Watchdog};
use crate::rabbitmq::topology::queue_state::QueueState;

/// What a worker may hold before it has settled as many. The broker counts a delivery for all
/// that a worker held when it died; so one that dies right after its start, again and again, spends
/// the delivery limit of these few only, since what came back is delivered first.
const FIRST_PREFETCH: u16 = 10;

/// A worker that has lived so long does not die of its start, and must not wait for held deliveries, either.
const ESTABLISHED: Duration = Duration::from_secs(5);

/// A delivery, and what it counts for in bytes.
pub(in crate::rabbitmq) type Arrived = (Delivery, u64);

/// Consumers of one channel, one after the other, so that deliveries come in the order of their tags.
pub(in crate::rabbitmq) struct SourceConsumer {
    options: ConsumeOptions,
    watchdog: Watchdog,
    consumer: Consumer,
    prefetch: u16,
    /// The prefetch that all consumers together are to have by now.
    full: u16,
    /// How many deliveries were acknowledged when the prefetch was reached.
    full_since: u64,
    /// The session ends because more bytes have come than may be in flight.
    too_much: bool,
    /// It was stopped by a cancel.
    is_cancelled: bool,
    /// What has come and was not asked for yet.
    come: VecDeque<Arrived>,
    stage: Stage,
    /// When to look at the stage again.
    due: Pin<Box<Sleep>>,
    /// The tag of the last delivery that has come.
    last: DeliveryTag,
    /// How many consumers there have been.
    consumers: u32,
    /// The session before was a standby's, which is still to be told.
    stands_by_still: bool,
    /// Why the broker has cancelled it.
    asking: Option<LocalBoxFuture<'static, SourceError>>,
    began: Instant,
    /// A request to the broker that is not answered yet.
    pending_request: Option<LocalBoxFuture<'static, Result<BrokerReply, SourceError>>>,
}

/// The broker's reply to a pending request.
enum BrokerReply {
    Cancelled,
    Begun(Consumer),
    /// What the queue says of itself.
    State(QueueState),
    /// Messages wait, though there is room.
    Passed(Passed),
}

impl SourceConsumer {
    pub(in crate::rabbitmq) async fn start(
        options: ConsumeOptions,
        watchdog: Watchdog,
    ) -> Result<Self, SourceError> {
        let stage = Stage::First(Instant::now() + ESTABLISHED);
        if options.keeps_consumer {
            // What did not fit may have been settled; only another session can have a larger prefetch.
            options.sizes.have_moved();
        }
        let first = if options.keeps_consumer { options.prefetch } else { FIRST_PREFETCH };
        let prefetch = options.fitting().min(first);
        let consumer = consume(&options, 1, prefetch).await?;
        let is_small = prefetch < options.prefetch && !options.keeps_consumer;
        let stands_by_still = watchdog.is_standby();
        Ok(Self {
            stands_by_still,
            options,
            watchdog,
            consumer,
            prefetch,
            full: prefetch,
            full_since: 0,
            too_much: false,
            is_cancelled: false,
            come: VecDeque::new(),
            stage: if is_small { stage } else { Stage::Full },
            due: Box::pin(sleep(ESTABLISHED)),
            last: 0,
            consumers: 1,
            asking: None,
            began: Instant::now(),
            pending_request: None,
        })
    }

    /// The next delivery. May be dropped while it waits.
    pub(in crate::rabbitmq) async fn next(
        &mut self,
        tracker: &RefCell<AckTracker>,
    ) -> Result<Arrived, SourceError> {
        if std::mem::take(&mut self.stands_by_still) {
            self.tell(State::Standby);
        }
        loop {
            if self.may_grow() {
                self.gather()?;
                self.grow(&tracker.borrow())?;
            }
            if self.stage == Stage::Gone {
                let is_held = self.open(&tracker.borrow()) > 0;
                return Err(self.cancelled(is_held).await);
            }
            if self.come.is_empty() && self.has_outgrown(&tracker.borrow()) {
                return Err(SourceError::Renewal);
            }
            if let Some(delivery) = self.come.pop_front() {
                return Ok(delivery);
            }
            tokio::select! {
                biased;
                came = self.consumer.next() => self.on_delivery(came)?,
                Some(answer) = OptionFuture::from(self.pending_request.as_mut()) => self.answered(answer, &tracker.borrow())?,
                () = self.due.as_mut(), if self.stage != Stage::Full => {
                    self.due.as_mut().reset(Instant::now() + ESTABLISHED);
                }
                () = self.watchdog.alarm() => self.on_alarm(&tracker.borrow())?,
                // Were one delivery alone too much, fewer would not help.
                fits = self.options.bytes.stuck(LONGEST_PAUSE.min(self.options.heartbeat)), if self.full > 1 && !self.options.is_lane => {
                    return Err(self.stuck(fits));
                }
            }
        }
    }

    /// Asks for no more, and returns what had come without being taken.
    pub(in crate::rabbitmq) async fn stop(&mut self) -> Vec<Arrived> {
        // The answer comes behind all that was delivered.
        if !self.options.is_lane {
            self.options.bytes.start_discarding();
        }
        if self.too_much || self.options.keeps_consumer {
            // Not cancelled: what is on its way to a consumer that is gone, RabbitMQ puts behind what came before. What comes from
            // now on goes back in its place when the channel is closed.
            return self.rest();
        }
        // One that is being begun must be there to be cancelled. A question to the queue may take long, and needs no answer any more.
        let is_changing = matches!(self.stage, Stage::Cancelling(_) | Stage::Beginning);
        let pending = self.pending_request.take().filter(|_| is_changing);
        if let Some(Ok(BrokerReply::Begun(begun))) = OptionFuture::from(pending).await {
            self.consumer = begun;
        }
        let options = BasicCancelOptions::default();
        let cancel = self.options.channel.basic_cancel(self.consumer.tag(), options);
        // If that fails, the channel is gone, and with it what it had delivered.
        self.is_cancelled = bounded("cancelling the consumer", cancel).await.is_ok();
        self.rest()
    }

    /// Whether nothing more comes, since it was stopped by a cancel.
    pub(in crate::rabbitmq) const fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    fn rest(&mut self) -> Vec<Arrived> {
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            self.arrive(delivery);
        }
        self.come.drain(..).collect()
    }

    fn arrive(&mut self, delivery: Delivery) {
        let ConsumeOptions { bytes, sizes, .. } = &self.options;
        let charge =
            bytes.charge(self.options.channel.id(), delivery.delivery_tag, delivery.data.len());
        sizes.note(charge);
        self.last = delivery.delivery_tag;
        self.come.push_back((delivery, charge));
    }

    /// Nothing was read for long, since nothing was settled.
    fn stuck(&mut self, fits: u64) -> SourceError {
        self.options.sizes.cap(fits);
        self.too_much = true;
        SourceError::TooMuch
    }

    fn on_delivery(&mut self, came: Option<lapin::Result<Delivery>>) -> Result<(), SourceError> {
        match came {
            Some(Ok(delivery)) => {
                if self.watchdog.hear() {
                    self.take_over();
                }
                self.arrive(delivery);
                Ok(())
            }
            Some(Err(error)) => Err(self.broken(&error)),
            None => {
                self.ended();
                Ok(())
            }
        }
    }

    /// How many deliveries are here and the broker waits for.
    fn open(&self, tracker: &AckTracker) -> usize {
        tracker.unacknowledged() + self.come.len()
    }

    /// The consumer has no more to give: it was cancelled, by us or by the broker.
    fn ended(&mut self) {
        self.stage = match self.stage {
            Stage::Cancelling(until) => Stage::Draining(until),
            _ => Stage::Gone,
        };
    }

    fn answered(
        &mut self,
        answer: Result<BrokerReply, SourceError>,
        tracker: &AckTracker,
    ) -> Result<(), SourceError> {
        self.pending_request = None;
        match answer? {
            BrokerReply::Begun(consumer) => {
                self.consumer = consumer;
                let is_full = self.prefetch == self.full;
                self.full_since = tracker.acknowledged();
                self.stage = if is_full { Stage::Full } else { Stage::Short(self.last) };
            }
            // The answer came on the consumer's own channel, behind all that was delivered before.
            BrokerReply::State(state) => match self.watchdog.suspects(state) {
                Suspicion::None => {}
                Suspicion::Passed => self.ask_for_single_active(state.ready),
                Suspicion::Forgotten => return Err(self.forgotten(state.ready)),
            },
            BrokerReply::Passed(passed) => self.passed(&passed)?,
            BrokerReply::Cancelled => {}
        }
        Ok(())
    }

    fn on_alarm(&mut self, tracker: &AckTracker) -> Result<(), SourceError> {
        match self.watchdog.judge(self.open(tracker), self.prefetch) {
            Verdict::Renew => return Err(SourceError::Renewal),
            Verdict::Look
                if self.options.may_look
                    && self.pending_request.is_none()
                    && !matches!(self.stage, Stage::Draining(_)) =>
            {
                let ConsumeOptions { channel, queue, .. } = self.options.clone();
                self.pending_request = Some(Box::pin(async move {
                    QueueState::of(&channel, &queue).await.map(BrokerReply::State)
                }));
            }
            Verdict::Look | Verdict::Nothing => {}
        }
        Ok(())
    }

    fn broken(&self, error: &lapin::Error) -> SourceError {
        refused(error, |said| format!("consuming `{}` ended: {said}", self.options.queue))
    }
}

impl fmt::Debug for SourceConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceConsumer").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

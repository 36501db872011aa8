//! A session: a consumer, and what becomes of its deliveries until its channel is closed.

mod lane;
mod unpack;

use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use lapin::options::BasicNackOptions;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::unpack::unpack;
use super::ack_tracker::AckTracker;
use super::consumer::{Arrived, SourceConsumer};
use super::partitions::{FirstLane, Lane};
use super::settler::{self, RabbitReceipt, RabbitSettler, Settling};
use super::{PATIENCE_BEFORE_CLOSE, heartbeat};
use crate::outcome::SourceError;
use crate::pipeline::ports::{Delivery, Session};
use crate::publish::Lease;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// The first version on which a quorum queue does not count what is handed back by `basic.nack`.
const NACK_IS_NOT_COUNTED: (u32, u32) = (4, 3);

/// For so long nothing may be settled while more bytes have come than may be in flight, and nothing is read: for less than the broker
/// may be silent.
fn stuck_after(connection: &BrokerConnection) -> Duration {
    heartbeat(connection.configuration().heartbeat()) * 2 / 3
}

const SILENT: &str = "nothing has come from the broker for a heartbeat, so what it delivered may be another worker's by now; connecting \
                      anew (look at the network if that comes again, or raise `heartbeat` in amqp.uri)";

/// A consumer on a channel of its own, and on a connection of its own unless it is a lane's.
#[derive(Debug)]
pub struct RabbitSession {
    connection: Rc<BrokerConnection>,
    consumer: SourceConsumer,
    settler: RabbitSettler,
    /// Until the session is closed.
    flushing: Option<AbortOnDrop>,
    /// Those that look at the queues.
    tasks: Vec<AbortOnDrop>,
    part: Part,
    /// The last message before the partitions, or of one of them.
    last: Option<RabbitReceipt>,
    /// What came behind that message, and is still to be taken.
    behind: Option<Arrived>,
    /// Events come through the source's queue, and its partitions are to have them.
    bypassed: bool,
    /// Why there will be no more deliveries.
    ended: Option<SourceError>,
    is_closed: bool,
}

/// What of a source's queues the session consumes.
#[derive(Debug)]
enum Part {
    Whole,
    /// The first lane of several, whose connection this is.
    First(FirstLane),
    /// Another lane, on the connection of the first one.
    Lane(Lane),
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RabbitSession {
    /// Deliveries come from now on.
    pub(super) fn begin(
        connection: Rc<BrokerConnection>,
        consumer: SourceConsumer,
        settling: Settling,
        tasks: Vec<AbortOnDrop>,
    ) -> Self {
        let settler = RabbitSettler(Rc::new(settling));
        let flushing = tokio::task::spawn_local(settler::flush(Rc::clone(&settler.0)));
        let flushing = Some(AbortOnDrop(flushing));
        Self {
            connection,
            consumer,
            settler,
            flushing,
            tasks,
            part: Part::Whole,
            last: None,
            behind: None,
            bypassed: false,
            ended: None,
            is_closed: false,
        }
    }

    /// Its connection is that of all lanes.
    pub(super) fn first(self, first: FirstLane) -> Self {
        self.being(Part::First(first))
    }

    /// Its connection is the first lane's.
    pub(super) fn of_lane(self, lane: Lane) -> Self {
        self.being(Part::Lane(lane))
    }

    fn being(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    async fn next_arrived(&mut self) -> Result<Arrived, SourceError> {
        if let Some(behind) = self.behind.take() {
            return Ok(behind);
        }
        let Self { connection, consumer, settler, part, .. } = self;
        let tracker = &settler.0.tracker;
        match part {
            Part::Whole => consumer.next(tracker).await,
            Part::First(first) => {
                if self.ended.is_none() {
                    let arrived = tokio::select! {
                        biased;
                        error = first.failed() => Err(error),
                        _fits = connection.bytes().stuck(stuck_after(connection)) => Err(SourceError::TooMuch),
                        () = connection.lease().lapsed() => Err(SourceError::Failed(SILENT.to_owned())),
                        arrived = consumer.next(tracker) => arrived,
                    };
                    match arrived {
                        Ok(arrived) => return Ok(arrived),
                        Err(SourceError::TooMuch) => return Err(SourceError::TooMuch),
                        // What follows may be dropped while it waits.
                        Err(error) => self.ended = Some(error),
                    }
                }
                if first.is_moved(connection, &settler.0.source).await {
                    return Err(SourceError::Renewal);
                }
                Err(self.ended.take().unwrap_or(SourceError::Renewal))
            }
            Part::Lane(lane) => {
                // A busy queue would not let it be asked otherwise.
                if lane.is_over(connection) {
                    return Err(Self::end_of_lane(connection));
                }
                let arrived = tokio::select! {
                    biased;
                    arrived = consumer.next(tracker) => arrived,
                    () = lane.over(connection) => return Err(Self::end_of_lane(connection)),
                };
                // That the connection is lost is for the first lane to tell.
                arrived.map_err(|error| {
                    if connection.status().connected() { error } else { SourceError::Renewal }
                })
            }
        }
    }

    fn end_of_lane(connection: &BrokerConnection) -> SourceError {
        if connection.status().connected() { SourceError::HandOver } else { SourceError::Renewal }
    }

    /// Gives back what is open, all at once and in its place. From RabbitMQ 4.3 on that is not counted towards the delivery limit, and
    /// what goes back with its channel is. On older versions it would be counted, too, and go to the end of the queue. While a
    /// consumer is there, it would get all of it again.
    async fn hand_back(&self) {
        if !self.connection.server().is_rabbitmq_from(NACK_IS_NOT_COUNTED) {
            return;
        }
        let all = BasicNackOptions { multiple: true, requeue: true };
        let handed_back = self.settler.0.channel.basic_nack(0, all);
        // If it fails, they go back with the channel.
        let _ = bounded("handing deliveries back", handed_back).await;
        tokio::time::sleep(PATIENCE_BEFORE_CLOSE).await;
    }

    /// With a reason why it is to be a dead letter, if there is one.
    fn taken(
        &mut self,
        (delivery, charge): Arrived,
        verdict: Option<Box<str>>,
    ) -> Delivery<RabbitReceipt> {
        let Settling { channel, tracker, source, key, .. } = &*self.settler.0;
        tracker.borrow_mut().open(delivery.delivery_tag);
        let note = self.connection.notes().take(channel.id(), delivery.delivery_tag);
        if let Some(claim) = &self.settler.0.claim {
            claim.delivered();
        }
        let mut delivery = unpack(delivery, charge, note, source, key.as_ref());
        if verdict.is_some() {
            delivery.envelope.unreadable = verdict;
        }
        delivery
    }
}

impl Session for RabbitSession {
    type Receipt = RabbitReceipt;
    type Settler = RabbitSettler;

    async fn next(&mut self) -> Result<Delivery<RabbitReceipt>, SourceError> {
        loop {
            self.attend().await?;
            if let Some(suspect) = self.tried().await? {
                return Ok(suspect);
            }
            let arrived = self.next_arrived().await?;
            if self.is_own(&arrived) {
                continue;
            }
            if let Part::Lane(lane) = &mut self.part
                && let Some(count) = lane.suspects(&arrived)
            {
                lane.begin_trial(arrived, count, &self.settler.0);
                continue;
            }
            return Ok(self.taken(arrived, None));
        }
    }

    fn lease(&self) -> Option<Lease> {
        match self.part {
            Part::Whole => None,
            Part::First(_) | Part::Lane(_) => Some(self.connection.lease().clone()),
        }
    }

    fn settler(&self) -> RabbitSettler {
        self.settler.clone()
    }

    async fn stop_taking(&mut self) -> Vec<Delivery<RabbitReceipt>> {
        self.settler.0.ending.send_replace(true);
        if let Part::First(first) = &self.part {
            self.connection.bytes().start_discarding();
            first.withdraw();
            first.others_ended().await;
        }
        let mut come: Vec<_> = self.behind.take().into_iter().collect();
        come.extend(self.consumer.stop().await);
        // It goes first, and what came behind it goes back with it.
        if matches!(&self.part, Part::Lane(lane) if lane.tries()) {
            return Vec::new();
        }
        // What is none of the producer's comes again.
        let mut events = Vec::with_capacity(come.len());
        for arrived in come {
            if !self.is_own(&arrived) {
                events.push(self.taken(arrived, None));
            }
        }
        events
    }

    async fn close(mut self) {
        let settling = Rc::clone(&self.settler.0);
        // Before the task that flushes is aborted: the acknowledgements that it has in hand must be sent.
        settling.flush(AckTracker::take_all).await;
        drop((self.flushing.take(), std::mem::take(&mut self.tasks)));
        if let Part::Lane(lane) = &mut self.part {
            lane.hand_back().await;
        }
        tokio::time::sleep(PATIENCE_BEFORE_CLOSE).await;
        if self.consumer.is_cancelled() && settling.tracker.borrow().unacknowledged() > 0 {
            self.hand_back().await;
        }
        if let Part::First(first) = &self.part {
            first.end_others().await;
        }
        // Either may be gone already; the broker requeues what is unsettled in any case.
        let _ = bounded("closing the channel", settling.channel.close(200, "bye".into())).await;
        self.is_closed = true;
        settling.end_channel();
        if !matches!(self.part, Part::Lane(_)) {
            self.connection.close().await;
        }
    }
}

/// A session that ends without being closed: its channel goes before its consumer does, which lapin would cancel. What is open would
/// be overtaken then, where the queue has a single active consumer.
impl Drop for RabbitSession {
    fn drop(&mut self) {
        let settling = Rc::clone(&self.settler.0);
        if self.is_closed || !settling.channel.status().connected() {
            settling.end_channel();
            return;
        }
        let channel = settling.channel.clone();
        let mut closing = Box::pin(async move { channel.close(200, "bye".into()).await });
        // It leaves at the first poll.
        if (&mut closing).now_or_never().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(closing);
        }
        settling.end_channel();
    }
}

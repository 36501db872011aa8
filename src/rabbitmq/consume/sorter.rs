//! The sorter: reads from each event of a source's queue which conversation, room or user it belongs to, and passes it on to the partition
//! of that.
//!
//! Every worker consumes the source's queue, which has a single active consumer: that worker sorts. It publishes on one channel, in the
//! order of the queue, and acknowledges what is confirmed and has nothing unconfirmed before it. So a partition gets events in the order
//! of the queue, also where a sorter dies or freezes: what it passed on, even late, and what its successor passes on are each a part of
//! the queue without a gap, and the successor begins no later than where the acknowledgements end. Whichever of them is the first to pass
//! on an event has passed on the one before, or the other one has. Repetitions come behind the event that they repeat, or between others.
//!
//! A partition that refuses events, as a full one may, breaks that: what comes behind a refused event may be taken. So does one whose queue
//! is deleted.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use lapin::Channel;
use tokio::time::{Instant, sleep};

use super::partitions::{Opened, Partitions, is_on};
use super::session::RabbitSession;
use super::settler::{RabbitReceipt, RabbitSettler};
use crate::config;
use crate::event::{self, Decoded, Envelope};
use crate::observe::monitor::Monitor;
use crate::outcome::SourceError;
use crate::pipeline::ports::{Delivery, Session, Settle};
use crate::rabbitmq::connection::{Broker, on_channel};
use crate::rabbitmq::headers::sorted::sorted_properties;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;
use crate::rabbitmq::topology::find_exchange;
use crate::route::OrderKey;

/// Events that are passed on together, at most: half of what may be unacknowledged, so that others come meanwhile.
const MOST_TOGETHER: u16 = 250;
pub(super) const PREFETCH: u16 = 2 * MOST_TOGETHER;

/// Bytes of their bodies, but for the last one: lapin copies each.
const MOST_BYTES: usize = 4 << 20;

/// Events that are decoded before anything else gets its turn.
const AT_ONCE: usize = 32;

/// Between two tries to pass on what was refused, and after how long another worker is to try.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

/// For the confirms of what was published before a stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// What the sorter of a source works with.
pub(super) struct Sorter {
    pub(super) broker: Rc<Broker>,
    pub(super) source: config::Source,
    /// To which sorted events go.
    pub(super) exchange: String,
    pub(super) monitor: Option<Rc<Monitor>>,
    pub(super) partitions: Rc<Partitions>,
    pub(super) opened: Opened,
}

/// Events, in the order of the queue.
type Events = Vec<Delivery<RabbitReceipt>>;

impl Sorter {
    /// Sorts whenever this worker's consumer is the active one, as long as the connection is used.
    pub(super) async fn run(self, open: impl AsyncFn() -> Result<RabbitSession, SourceError>) {
        let mut publisher = None;
        while self.may_publish() {
            let sorted = match open().await {
                Ok(session) => self.serve(session, &mut publisher).await,
                Err(error) => Err(error),
            };
            if let Some(monitor) = &self.monitor {
                monitor.sorts_no_more();
            }
            if let Err(error) = sorted {
                if self.is_on() {
                    self.partitions.fail(error);
                }
                return;
            }
        }
        if let Some(publisher) = publisher {
            publisher.close().await;
        }
    }

    fn is_on(&self) -> bool {
        is_on(self.partitions.opened.borrow().as_ref(), &self.opened.connection)
    }

    /// What the broker has delivered may be another worker's.
    fn may_publish(&self) -> bool {
        self.is_on() && !self.opened.connection.lease().has_lapsed()
    }

    /// Passes on what comes. The session ends without a cancel, so that what is open goes back in its place.
    async fn serve(
        &self,
        mut session: RabbitSession,
        publisher: &mut Option<ConfirmedPublisher>,
    ) -> Result<(), SourceError> {
        let settler = session.settler();
        let mut is_first = true;
        loop {
            let events = match taken(&mut session).await {
                Ok(events) => events,
                Err(SourceError::Renewal | SourceError::HandOver) => {
                    session.close().await;
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            if std::mem::take(&mut is_first) {
                let config::Source { name, queue, .. } = &self.source;
                if let Some(monitor) = &self.monitor {
                    monitor.sorts();
                }
                tracing::info!(
                    event = "sorting",
                    source = name,
                    queue,
                    "this worker sorts the source's events into partitions"
                );
            }
            let stopped = async {
                let is_over = |it: &Option<Opened>| !is_on(it.as_ref(), &self.opened.connection);
                let _ = self.partitions.opened.subscribe().wait_for(is_over).await;
                sleep(STOP_WITHIN).await;
            };
            let passed_on = tokio::select! {
                biased;
                passed_on = self.pass_on(events, &settler, publisher) => passed_on,
                () = stopped => Ok(false),
            };
            if !matches!(passed_on, Ok(true)) {
                // What is confirmed is acknowledged, and the rest goes back.
                session.close().await;
                return passed_on.map(drop);
            }
        }
    }

    /// Passes events on until all are in a partition, and returns whether they are; in vain for long, it gives up.
    async fn pass_on(
        &self,
        mut events: Events,
        settler: &RabbitSettler,
        publisher: &mut Option<ConfirmedPublisher>,
    ) -> Result<bool, SourceError> {
        let mut since = Instant::now();
        let (mut taken, mut is_alone) = (vec![false; events.len()], false);
        loop {
            // Behind one that fails others would only be tried in vain.
            let together = if is_alone { 1 } else { events.len() };
            let failed = self.publish(&events[..together], &mut taken[..together], publisher).await;
            let confirmed = taken.iter().take_while(|it| **it).count();
            taken.drain(..confirmed);
            if let Some(monitor) = &self.monitor {
                monitor.sorted(confirmed);
            }
            for event in events.drain(..confirmed) {
                // If the session is at its end, it comes again.
                let _ = settler.ack(event.receipt).await;
            }
            if events.is_empty() {
                return Ok(true);
            }
            if !self.may_publish() {
                return Ok(false);
            }
            if confirmed > 0 {
                since = Instant::now();
            }
            let Some(failed) = failed else {
                is_alone = false;
                continue;
            };
            is_alone = true;
            let may_be_here_only = match &failed {
                PublishError::Lost(error) => !matches!(error, SourceError::AccessRefused(_)),
                PublishError::Refused | PublishError::Unroutable => false,
            };
            let is_declared_anew = self.broker.config().declare && self.is_gone(&failed).await;
            let error = self.error_of(failed);
            if is_declared_anew {
                return Err(error);
            }
            // Whenever the events are given back, RabbitMQ counts that, and makes dead letters of them in the end.
            self.note_failure(&error);
            if may_be_here_only && since.elapsed() > GIVE_UP_AFTER {
                return Ok(false);
            }
            sleep(TRY_AGAIN).await;
        }
    }

    /// Publishes events in their order, until one fails, without those that are `taken` already; notes which are by then.
    async fn publish(
        &self,
        events: &[Delivery<RabbitReceipt>],
        taken: &mut [bool],
        publisher: &mut Option<ConfirmedPublisher>,
    ) -> Option<PublishError> {
        let open = match publisher.take() {
            Some(open) => open,
            None => match ConfirmedPublisher::open(&self.broker, "sorts").await {
                Ok(open) => open,
                Err(error) => return Some(PublishError::Lost(error)),
            },
        };
        let key = self.broker.config().signing_key.as_ref();
        let (mut sent, mut failed) = (Vec::with_capacity(events.len()), None);
        for (number, Delivery { envelope, receipt }) in events.iter().enumerate() {
            if taken[number] {
                continue;
            }
            if number % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            if !self.may_publish() {
                break;
            }
            let order_key = self.order_key(envelope);
            let properties =
                sorted_properties(&receipt.properties, envelope, order_key.as_str(), key);
            let to = (&*self.exchange, &*envelope.routing_key);
            match open.publish_in_order(to, (&envelope.payload, properties)).await {
                Ok(pending) => sent.push((number, pending)),
                Err(error) => {
                    failed = Some(PublishError::Lost(error));
                    break;
                }
            }
        }
        let mut refused = None;
        for (number, pending) in &mut sent {
            match pending.confirmed().await {
                Ok(()) => taken[*number] = true,
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
        let failed = refused.or(failed);
        if !matches!(failed, Some(PublishError::Lost(_))) {
            *publisher = Some(open);
        }
        failed
    }

    /// What decides the partition. What is no event, or can't be read, has a partition all the same, whose worker sees to it.
    fn order_key(&self, envelope: &Envelope) -> OrderKey {
        let decode = AssertUnwindSafe(|| match event::decode(envelope, self.source.format) {
            Ok(Decoded::Event(event)) => Some(OrderKey::of(&event)),
            Ok(Decoded::Skip(_)) | Err(_) => None,
        });
        let read = std::panic::catch_unwind(decode).ok().flatten();
        read.unwrap_or_else(|| OrderKey::from(format!("routing-key/{}", envelope.routing_key)))
    }

    /// Whether something is missing, which is there again when the source begins anew.
    async fn is_gone(&self, failed: &PublishError) -> bool {
        match failed {
            PublishError::Unroutable => true,
            PublishError::Refused => false,
            PublishError::Lost(_) => {
                let find = async |it: &Channel| find_exchange(it, &self.exchange).await;
                let found = on_channel(&self.opened.connection, find).await;
                found.is_err_and(|error| error.is_not_found())
            }
        }
    }

    fn error_of(&self, failed: PublishError) -> SourceError {
        let exchange = &self.exchange;
        let why = match failed {
            PublishError::Lost(error) => {
                return error.reworded(|said| {
                    format!("cannot pass sorted events on to exchange `{exchange}`: {said}")
                });
            }
            PublishError::Unroutable => {
                "it leads to no partition: it, the exchange bound to it, or a binding was deleted"
            }
            PublishError::Refused => {
                "a partition refuses them, as a queue with a limit of its length does that is full; take the limit away, and make room"
            }
        };
        SourceError::Failed(format!("cannot pass sorted events on to exchange `{exchange}`: {why}"))
    }

    fn note_failure(&self, error: &SourceError) {
        if let Some(monitor) = &self.monitor {
            monitor.cannot_sort(error);
        }
        if self.partitions.may_tell_of_sorter() {
            tracing::error!(
                event = "cannot_sort",
                source = self.source.name,
                %error,
                "cannot pass sorted events on to their partitions: trying again"
            );
        }
    }
}

/// Waits for an event, and returns it with those that have come by then.
async fn taken(session: &mut RabbitSession) -> Result<Events, SourceError> {
    let first = session.next().await?;
    let mut bytes = first.envelope.payload.len();
    let mut events = vec![first];
    while events.len() < usize::from(MOST_TOGETHER) && bytes < MOST_BYTES {
        match session.next().now_or_never() {
            Some(Ok(event)) => {
                bytes += event.envelope.payload.len();
                events.push(event);
            }
            // Nothing of it has been passed on, and all of it goes back.
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    Ok(events)
}

//! A session: a consumer, and what becomes of its deliveries until its channel is closed.

use std::rc::Rc;
use std::time::Duration;

use lapin::options::BasicNackOptions;
use tokio::task::JoinHandle;

use super::ack_tracker::AckTracker;
use super::consumer::{Arrived, SourceConsumer};
use super::settler::{self, RabbitReceipt, RabbitSettler, Settling};
use crate::event::Envelope;
use crate::outcome::SourceError;
use crate::pipeline::ports::{Delivery, Session};
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::wire::Note;
use crate::rabbitmq::headers;
use crate::rabbitmq::headers::origin::{origin, take_forged};
use crate::rabbitmq::headers::originals;
use crate::rabbitmq::headers::parked::unparked_properties;
use crate::signature::SigningKey;

/// Quorum queues can lose acknowledgements that were sent just before their channel
/// closes, even after close-ok; measured on RabbitMQ 3.10, half a second left none behind.
pub(in crate::rabbitmq) const PATIENCE_BEFORE_CLOSE: Duration = Duration::from_millis(500);

/// The first version on which a quorum queue does not count what is handed back by `basic.nack`.
const NACK_IS_NOT_COUNTED: (u32, u32) = (4, 3);

/// A consumer on a connection and a channel of its own.
#[derive(Debug)]
pub struct RabbitSession {
    connection: Rc<BrokerConnection>,
    consumer: SourceConsumer,
    settler: RabbitSettler,
    /// Until the session is closed.
    flushing: Option<AbortOnDrop>,
    /// Those that look at the queues.
    tasks: [Option<AbortOnDrop>; 2],
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
        tasks: [Option<AbortOnDrop>; 2],
    ) -> Self {
        let settler = RabbitSettler(Rc::new(settling));
        let flushing = tokio::task::spawn_local(settler::flush(Rc::clone(&settler.0)));
        let flushing = Some(AbortOnDrop(flushing));
        Self { connection, consumer, settler, flushing, tasks }
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

    fn taken(&self, (delivery, charge): Arrived) -> Delivery<RabbitReceipt> {
        let Settling { channel, tracker, source, key, .. } = &*self.settler.0;
        tracker.borrow_mut().open(delivery.delivery_tag);
        let note = self.connection.notes().take(channel.id(), delivery.delivery_tag);
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

    async fn close(mut self) {
        let settling = Rc::clone(&self.settler.0);
        // Before the task that flushes is aborted: the acknowledgements that it has in hand must be sent.
        settling.flush(AckTracker::take_all).await;
        drop((self.flushing.take(), std::mem::take(&mut self.tasks)));
        tokio::time::sleep(PATIENCE_BEFORE_CLOSE).await;
        if self.consumer.is_cancelled() && settling.tracker.borrow().unacknowledged() > 0 {
            self.hand_back().await;
        }
        // Either may be gone already; the broker requeues what is unsettled in any case.
        let _ = bounded("closing the channel", settling.channel.close(200, "bye".into())).await;
        self.connection.close().await;
    }
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

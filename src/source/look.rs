//! Looks at a queue without consuming: every message is delivered, none is acknowledged
//! unless it is meant to go, and all others are back in their places when the channel ends, however
//! it ends.
//!
//! Classic queues put what comes back where it was. Quorum queues put it at the end of a list
//! of what came back before, which they deliver first; so the order is kept if, and only if, a
//! look takes **all** that is there, and what it holds comes back in the order of delivery. Hence:
//!
//! - Consumers ask for more than there is. A quorum queue then hands everything out at once, in
//!   one step of its own, however long it takes until it has arrived here.
//! - A look is the only one. Two at once would share the messages, and return them as two lists.
//! - There are few consumers. Of up to 32, a quorum queue takes back what they hold in the
//!   order of their tags; of more, in any order.
//!
//! Measured on RabbitMQ 3.10.8 and 4.0.5; `tests/promises/operator/look.rs` asks it of any other.

mod alone;
mod consumers;

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use self::alone::Alone;
use self::consumers::{Arrival, Consumers, MOST};
use super::SourceError;
use super::connection::{Broker, CALL_TIMEOUT, bounded};
use super::line::Line;
use super::queue_state::QueueState;
use super::rabbitmq::PATIENCE_BEFORE_CLOSE;
use crate::dead_letters::message::Message;

/// For another look to end.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(10);

/// What was handed out to us arrives without such a pause, from a queue that answers.
const SILENCE: Duration = Duration::from_millis(750);

/// Messages that were there and don't come in this time have expired, or were removed.
const LONG_SILENCE: Duration = Duration::from_secs(5);

/// A look at a queue. `T` is what is made of each message where it is received.
#[derive(Debug)]
pub(crate) struct Look<T> {
    line: Line,
    channel: Channel,
    queue: String,
    /// They are cancelled when they are dropped.
    consumers: Consumers<T>,
    arrivals: UnboundedReceiver<Arrival<T>>,
    /// Those that came before their turn: several consumers' streams are not in step.
    early: BTreeMap<DeliveryTag, T>,
    next: DeliveryTag,
    length: u64,
    alone: Alone,
    acknowledged: bool,
}

impl<T: Send + 'static> Look<T> {
    /// Begins to look at what is in the queue now.
    ///
    /// # Errors
    ///
    /// There is no such queue, it may not be read, or somebody else reads it.
    pub(crate) async fn open(
        broker: &Broker,
        queue: &str,
        read: impl Fn(Message) -> T + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let line = Line::open(broker, "looks at dead letters").await?;
        let channel = line.channel().await?;
        let deadline = Instant::now() + PATIENCE_WITH_OTHERS;
        let ready = QueueState::alone(&channel, queue, deadline).await?.ready.min(MOST);
        let (mut consumers, mut arrivals) = Consumers::new(read);
        consumers.add(&channel, queue, ready).await?;
        let mut length = ready.into();
        let mut early = BTreeMap::new();
        if ready == 0 {
            // It was empty, or said nothing.
            let state = QueueState::answered(&channel, queue).await?;
            if state.ready > 0 {
                consumers.add(&channel, queue, state.ready).await?;
            }
            while let Ok(Some(Arrival::Message(tag, read))) =
                timeout(SILENCE, arrivals.recv()).await
            {
                early.insert(tag, read);
            }
            length = early.len() as u64;
        }
        let alone = Alone::ask(&line, queue, consumers.count()).await?;
        let queue = queue.to_owned();
        let acknowledged = false;
        Ok(Self {
            line,
            channel,
            queue,
            consumers,
            arrivals,
            early,
            next: 1,
            length,
            alone,
            acknowledged,
        })
    }

    /// How many messages there were when it began.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// The next message, in the queue's order: first those that were there, then what arrives
    /// while it lasts. May be dropped while it waits.
    ///
    /// # Errors
    ///
    /// The look has ended, and all that was not acknowledged is back.
    pub(crate) async fn next(&mut self) -> Result<(DeliveryTag, T), SourceError> {
        loop {
            if let Some(read) = self.early.remove(&self.next) {
                self.next += 1;
                return Ok((self.next - 1, read));
            }
            self.arrive().await?;
        }
    }

    /// The next of those that were there when it began; `None` after the last one, also if some have
    /// expired or were removed meanwhile. May be dropped while it waits.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub(crate) async fn next_of_length(&mut self) -> Result<Option<(DeliveryTag, T)>, SourceError> {
        if self.next > self.length {
            return self.alone.confirm().await.map(|()| None);
        }
        let deadline = Instant::now() + CALL_TIMEOUT;
        loop {
            if let Ok(next) = timeout(LONG_SILENCE, self.next()).await {
                return next.map(Some);
            }
            if QueueState::answered(&self.channel, &self.queue).await?.ready == 0 {
                return self.alone.confirm().await.map(|()| None);
            }
            if Instant::now() > deadline {
                return Err(self.ended("the broker delivers no more; try again"));
            }
        }
    }

    /// Makes sure that no other look has begun in the same moment. To be asked before anything is
    /// done with what was seen; [`Self::next_of_length`] asks at its end.
    ///
    /// # Errors
    ///
    /// One has.
    pub(crate) async fn confirm(&mut self) -> Result<(), SourceError> {
        self.alone.confirm().await
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
    pub(crate) async fn close(self) {
        let Self { line, channel, consumers, arrivals, acknowledged, .. } = self;
        // First, since a reader may wait until what it has read is taken.
        drop(arrivals);
        if acknowledged {
            sleep(PATIENCE_BEFORE_CLOSE).await;
        }
        // It may be gone already, and with it all that was held.
        let _ = bounded("closing the channel", channel.close(200, "bye".into())).await;
        line.close().await;
        drop(consumers);
    }

    async fn arrive(&mut self) -> Result<(), SourceError> {
        let why = match self.arrivals.recv().await {
            Some(Arrival::Message(tag, read)) => {
                self.early.insert(tag, read);
                return Ok(());
            }
            Some(Arrival::End(why)) => why,
            None => "its channel is gone".to_owned(),
        };
        Err(self.ended(&why))
    }

    fn ended(&self, why: &str) -> SourceError {
        SourceError(format!("looking at queue `{}` ended: {why}", self.queue))
    }
}

//! Consuming: a small prefetch first, then the full one, and a look at the queue when nothing comes.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, OptionFuture};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, Sleep, sleep};

use super::connection::bounded;
use super::ledger::Books;
use super::refusal::explain;
use super::{SourceError, topology};

/// What a worker may hold before it has settled as many. The broker counts a delivery for all
/// that a worker held when it died; so one that dies right after its start, again and again, spends
/// the delivery limit of these few only, since what came back is delivered first.
const FIRST_PREFETCH: u16 = 10;

/// Whoever has lived so long does not die of its start. It must not wait for what is held, either.
const ESTABLISHED: Duration = Duration::from_secs(5);

/// Looks in a row at a queue from which nothing came before the session is renewed. RabbitMQ 3.10
/// can hand events to a consumer and not deliver them, without a sign: where a queue was
/// deleted and declared again within some 20 ms, it takes the consumer over, and the channel does not.
const RENEWED_AFTER: u32 = 10;

/// What is consumed, and how.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) channel: Channel,
    pub(super) queue: String,
    /// How the consumer shows on RabbitMQ's side.
    pub(super) name: String,
    pub(super) prefetch: u16,
    /// After so long without a delivery the queue is looked at.
    pub(super) patience: Duration,
    /// Sessions in a row to which nothing came though there was something.
    pub(super) silences: Rc<Cell<u32>>,
}

/// Two consumers of one channel, one after the other, so that deliveries come in the order of their tags.
pub(super) struct Intake {
    order: Order,
    consumer: Consumer,
    prefetch: u16,
    /// The second one, while the first still has something to give.
    successor: Option<Consumer>,
    /// The first one has nothing more, and the second is not there yet.
    ended: bool,
    /// What the broker is being asked beside.
    errand: Option<LocalBoxFuture<'static, Result<Answer, SourceError>>>,
    alarm: Pin<Box<Sleep>>,
    /// Something came since the alarm was set.
    heard: bool,
    /// Alarms in a row before which nothing came.
    silent: u32,
    /// The last look found messages that did not come.
    suspicious: bool,
}

enum Answer {
    Grown(Consumer),
    /// So many messages wait in the queue.
    Waiting(u32),
}

impl Intake {
    pub(super) async fn start(order: Order) -> Result<Self, SourceError> {
        let prefetch = order.prefetch.min(FIRST_PREFETCH);
        let consumer = consume(&order, format!("{} (first)", order.name), prefetch).await?;
        Ok(Self {
            order,
            consumer,
            prefetch,
            successor: None,
            ended: false,
            errand: None,
            alarm: Box::pin(sleep(ESTABLISHED)),
            heard: false,
            silent: 0,
            suspicious: false,
        })
    }

    /// The next delivery. May be dropped while it waits.
    pub(super) async fn next(
        &mut self,
        books: impl Fn() -> Books,
    ) -> Result<Delivery, SourceError> {
        loop {
            if self.is_small() && books().acknowledged >= self.prefetch.into() {
                self.grow();
            }
            tokio::select! {
                biased;
                came = self.consumer.next() => match came {
                    Some(Ok(delivery)) => {
                        self.heard = true;
                        return Ok(delivery);
                    }
                    Some(Err(error)) => return Err(self.broken(&error)),
                    None => self.first_has_ended()?,
                },
                Some(answer) = OptionFuture::from(self.errand.as_mut()) => self.answered(answer)?,
                () = self.alarm.as_mut() => self.rang(books())?,
            }
            if self.ended
                && let Some(successor) = self.successor.take()
            {
                self.consumer = successor;
                self.ended = false;
            }
        }
    }

    /// Asks for no more. Returns how many had come without being taken.
    pub(super) async fn stop(&mut self) -> usize {
        // To be cancelled, it must be there.
        if let Some(errand) = self.errand.take()
            && let Ok(Answer::Grown(consumer)) = errand.await
        {
            self.successor = Some(consumer);
        }
        let mut untaken = 0;
        for consumer in [Some(&mut self.consumer), self.successor.as_mut()].into_iter().flatten() {
            let options = BasicCancelOptions::default();
            let cancel = self.order.channel.basic_cancel(consumer.tag(), options);
            // If that fails, the channel is gone, and with it what it had delivered.
            let _ = bounded("cancelling the consumer", cancel).await;
            while let Some(Some(Ok(_))) = consumer.next().now_or_never() {
                untaken += 1;
            }
        }
        untaken
    }

    fn broken(&self, error: &lapin::Error) -> SourceError {
        SourceError(format!("consuming `{}` ended: {}", self.order.queue, explain(error)))
    }

    fn answered(&mut self, answer: Result<Answer, SourceError>) -> Result<(), SourceError> {
        self.errand = None;
        match answer? {
            Answer::Grown(consumer) => self.successor = Some(consumer),
            Answer::Waiting(waiting) => self.looked(waiting)?,
        }
        Ok(())
    }

    fn is_small(&self) -> bool {
        self.prefetch < self.order.prefetch && self.errand.is_none()
    }

    /// RabbitMQ takes another prefetch for another consumer only. What the first one has got is
    /// settled on the same channel all the same.
    fn grow(&mut self) {
        let (order, first) = (self.order.clone(), self.consumer.tag());
        self.prefetch = order.prefetch;
        self.errand = Some(Box::pin(async move {
            let cancel = order.channel.basic_cancel(first, BasicCancelOptions::default());
            bounded(&format!("raising the prefetch on `{}`", order.queue), cancel).await?;
            consume(&order, order.name.clone(), order.prefetch).await.map(Answer::Grown)
        }));
    }

    fn first_has_ended(&mut self) -> Result<(), SourceError> {
        let is_growing = self.errand.is_some() || self.successor.is_some();
        if self.ended || !is_growing {
            return Err(SourceError(format!(
                "the broker cancelled the consumer of `{}`; was the queue deleted?",
                self.order.queue
            )));
        }
        self.ended = true;
        Ok(())
    }

    fn rang(&mut self, books: Books) -> Result<(), SourceError> {
        // While the session is an odd one, less and less often.
        let patience = self.order.patience * 2_u32.pow(self.order.silences.get().min(7));
        self.alarm.as_mut().reset(Instant::now() + patience);
        if self.heard {
            (self.heard, self.silent, self.suspicious) = (false, 0, false);
            self.order.silences.set(0);
        } else {
            self.silent += 1;
        }
        if self.is_small() {
            self.grow();
        } else if self.silent > RENEWED_AFTER && books.unacknowledged == 0 {
            return Err(SourceError::renewal());
        } else if self.silent > 0
            && self.errand.is_none()
            && books.unacknowledged < usize::from(self.prefetch)
        {
            let Order { channel, queue, .. } = self.order.clone();
            self.errand = Some(Box::pin(async move {
                topology::find_queue(&channel, &queue).await.map(Answer::Waiting)
            }));
        }
        Ok(())
    }

    /// The answer came on the consumer's own channel, behind all that was delivered before. What
    /// waits there twice, while there is room for it here, will never come.
    fn looked(&mut self, waiting: u32) -> Result<(), SourceError> {
        let silent = waiting > 0 && !self.heard;
        if silent && self.suspicious {
            let (queue, silences) = (&self.order.queue, &self.order.silences);
            silences.set(silences.get() + 1);
            return Err(SourceError(format!(
                "the broker delivers nothing from `{queue}`, where {waiting} messages wait; it seems \
                 to have forgotten the consumer"
            )));
        }
        self.suspicious = silent;
        Ok(())
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

async fn consume(order: &Order, tag: String, prefetch: u16) -> Result<Consumer, SourceError> {
    let Order { channel, queue, .. } = order;
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    bounded("setting the prefetch", qos).await?;
    let consuming = channel.basic_consume(
        queue.as_str().into(),
        tag.into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    bounded(&format!("consuming `{queue}`"), consuming).await
}

//! The consumers of a browser, and the messages that they receive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::message::DeliveryResult;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::DeliveryTag;
use lapin::{Channel, Consumer};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::super::connection::{Broker, bounded};
use super::probe::{self, Probe, Returns};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::wire::Notes;
use crate::rabbitmq::consume::cancelled::{self, Held, Holder};
use crate::rabbitmq::consume::consumer::options::arguments;
use crate::rabbitmq::headers::amqp_message::message;
use crate::rabbitmq::message::Message;

/// Unacknowledged deliveries that one consumer may hold; the protocol has no larger number,
/// and for a quorum queue "unlimited" means 2,000.
const MOST_OF_A_CONSUMER: u16 = u16::MAX;

/// More of them, and a quorum queue may return in any order what they held.
const MOST_CONSUMERS: u32 = 32;

/// Messages that a look can hold.
pub(super) const MOST: u32 = MOST_OF_A_CONSUMER as u32 * MOST_CONSUMERS;

/// Room for those that come between the count and the look.
const SPARE: u32 = 10_000;

/// What has come.
#[derive(Debug)]
pub(super) enum Arrival<T> {
    Message(DeliveryTag, T),
    /// A probe (see `probe.rs`), and not a letter.
    Probe(Probe),
    /// All that there was has been handed out, but for so many that there was no room for.
    HandedOut {
        beyond: u32,
    },
    /// The channel is gone, or somebody else looks.
    End(SourceError),
}

pub(super) struct Consumers<T> {
    channel: Channel,
    notes: Notes,
    read: Arc<dyn Fn(Message) -> T + Send + Sync>,
    tell: UnboundedSender<Arrival<T>>,
    arrived: Arc<AtomicU64>,
    most_returns: Arc<AtomicU64>,
    probe: Arc<str>,
    /// How long a letter may be held, where the broker goes by that.
    timeout: Option<Duration>,
    cancellation: Arc<Cancellation>,
    open: Vec<Consumer>,
}

impl<T: Send + 'static> Consumers<T> {
    /// None yet. What `read` makes of a message arrives.
    pub(super) fn new(
        (broker, channel, notes): (&Broker, Channel, Notes),
        timeout: Option<Duration>,
        read: impl Fn(Message) -> T + Send + Sync + 'static,
    ) -> (Self, UnboundedReceiver<Arrival<T>>) {
        let (tell, arrivals) = unbounded_channel();
        let (read, arrived, most_returns) = (Arc::new(read), Arc::default(), Arc::default());
        let (probe, open) = (probe::new().into(), Vec::new());
        let cancellation = Cancellation {
            broker: broker.clone(),
            runtime: Handle::current(),
            is_asked: AtomicBool::new(false),
            began: Instant::now(),
            timeout,
        };
        let cancellation = Arc::new(cancellation);
        let consumers = Self {
            channel,
            notes,
            read,
            tell,
            arrived,
            most_returns,
            probe,
            timeout,
            cancellation,
            open,
        };
        (consumers, arrivals)
    }

    /// The message id of this look's probes.
    pub(super) fn probe(&self) -> &str {
        &self.probe
    }

    /// How often the letter has come back that came back most.
    pub(super) fn most_returns(&self) -> u64 {
        self.most_returns.load(Ordering::SeqCst)
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Messages that they can hold.
    pub(super) fn room(&self) -> u64 {
        u64::from(self.count()) * u64::from(MOST_OF_A_CONSUMER)
    }

    /// Messages that have come.
    pub(super) fn arrived(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.arrived)
    }

    pub(super) fn sender(&self) -> UnboundedSender<Arrival<T>> {
        self.tell.clone()
    }

    /// Asks for so many messages, and for some that arrive meanwhile.
    pub(super) async fn add(&mut self, queue: &str, messages: u32) -> Result<(), SourceError> {
        let channel = &self.channel;
        let qos = channel.basic_qos(MOST_OF_A_CONSUMER, BasicQosOptions::default());
        bounded("setting the prefetch", qos).await?;
        let before = self.count();
        let wanted = messages.saturating_add(SPARE) / u32::from(MOST_OF_A_CONSUMER) + 1;
        // All are asked for before the first has answered, and their tags are in order.
        let asked = (before..(before + wanted).min(MOST_CONSUMERS)).map(|number| {
            let tag = format!("look-{number:02}");
            let options = BasicConsumeOptions::default();
            let arguments = arguments(self.timeout);
            channel.basic_consume(queue.into(), tag.as_str().into(), options, arguments)
        });
        let consumers = bounded(&format!("queue `{queue}`"), try_join_all(asked)).await?;
        for consumer in &consumers {
            let queue = queue.to_owned();
            let (tell, read) = (self.sender(), Arc::clone(&self.read));
            let (arrived, notes, number) = (self.arrived(), self.notes.clone(), channel.id());
            let (most_returns, ours) = (Arc::clone(&self.most_returns), Arc::clone(&self.probe));
            let cancellation = Arc::clone(&self.cancellation);
            consumer.set_delegate(move |delivered: DeliveryResult| {
                let arrival = match delivered {
                    Ok(Some(delivery)) => {
                        let (tag, redelivered) = (delivery.delivery_tag, delivery.redelivered);
                        let message = message(delivery, notes.take(number, tag));
                        let returns = Returns::of(&message, redelivered);
                        let is_ours = message.properties.message_id.as_deref() == Some(&*ours);
                        if !is_ours {
                            arrived.fetch_add(1, Ordering::SeqCst);
                        }
                        if is_ours || probe::is_one(&message, &queue) {
                            Arrival::Probe(Probe { tag, is_ours, returns })
                        } else {
                            most_returns.fetch_max(returns.count(), Ordering::SeqCst);
                            Arrival::Message(tag, read(message))
                        }
                    }
                    Ok(None) => {
                        cancellation.ask(&tell, &queue);
                        return std::future::ready(());
                    }
                    Err(error) => Arrival::End(refused(&error, |said| said)),
                };
                // A look that has been closed needs no more.
                let _ = tell.send(arrival);
                std::future::ready(())
            });
        }
        self.open.extend(consumers);
        Ok(())
    }
}

/// Finds out why the broker has cancelled the consumers of a look.
struct Cancellation {
    broker: Broker,
    runtime: Handle,
    is_asked: AtomicBool,
    began: Instant,
    timeout: Option<Duration>,
}

impl Cancellation {
    /// Asks once for all consumers, unless the look is over: a channel that is closed cancels them, too.
    fn ask<T: Send + 'static>(self: &Arc<Self>, tell: &UnboundedSender<Arrival<T>>, queue: &str) {
        if tell.is_closed() || self.is_asked.swap(true, Ordering::SeqCst) {
            return;
        }
        let (this, tell, queue) = (Arc::clone(self), tell.clone(), queue.to_owned());
        let held = Held::of(true, self.began.elapsed(), self.timeout);
        self.runtime.spawn(async move {
            let cause = tokio::select! {
                cause = cancelled::cause(&this.broker, &queue, held, Holder::Browser) => cause,
                () = tell.closed() => return,
            };
            let _ = tell.send(Arrival::End(SourceError::Failed(cause)));
        });
    }
}

/// The channel goes first. Of a consumer that is cancelled, a classic queue no longer says that it is
/// there, and yet what it holds is back only when its channel is closed.
impl<T> Drop for Consumers<T> {
    fn drop(&mut self) {
        let open = std::mem::take(&mut self.open);
        if self.channel.status().connected()
            && let Ok(runtime) = Handle::try_current()
        {
            let channel = self.channel.clone();
            runtime.spawn(async move {
                let _ = bounded("closing the channel", channel.close(200, "bye".into())).await;
                drop(open);
            });
        }
    }
}

impl<T> std::fmt::Debug for Consumers<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumers").field("open", &self.open).finish_non_exhaustive()
    }
}

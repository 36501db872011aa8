//! Reads the depth of a source's queues every few seconds.

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{OptionFuture, join3};
use lapin::Channel;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::{Amqp, Source};
use crate::observe::monitor::Monitor;
use crate::outcome::SourceError;
use crate::pause::Pauses;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::queue_state::{EmptyDebounce, KNOWN_FOR, QueueState};

/// Autoscalers look every ten to thirty seconds. By chance it is up to a second more or less, so that a queue
/// which fills and empties in time with it does not look the same each time.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// The longest pause after a refusal, of which RabbitMQ logs each: the queue may be created, or the permission given.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

fn random_interval() -> Duration {
    ASK_EVERY.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// What is known of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The queue's answer to what was asked then.
    Known(QueueState, Instant),
    /// There has been no answer for long.
    Silent,
    /// The queue is not there, or may not be looked at.
    Refused,
}

impl Depth {
    /// Ready messages, and when they were asked for.
    fn ready(self) -> Option<(u32, Instant)> {
        match self {
            Self::Known(state, asked) => Some((state.ready, asked)),
            Self::Silent | Self::Refused => None,
        }
    }
}

/// Tells the monitor of the source's queue, of the one where its events are parked, and of the dead letters. Each on a channel of its
/// own: a refusal closes it, and must close neither the other nor the one that consumes.
pub(in crate::rabbitmq) async fn watch(
    connection: &Rc<BrokerConnection>,
    amqp: &Amqp,
    source: &Source,
    events: Vec<String>,
    monitor: Rc<Monitor>,
) -> Result<impl Future<Output = ()> + use<>, SourceError> {
    let parked = match &source.parking {
        Some(parking) => {
            let looking = Looking::begin(connection, vec![parking.queue.clone()]).await?;
            let (monitor, mut debounce) = (Rc::clone(&monitor), EmptyDebounce::default());
            Some(looking.keep_asking(
                move |state| debounce.accepts(state),
                move |depth| monitor.parked(depth.ready().map(|(count, _)| count)),
            ))
        }
        None => None,
    };
    let dead = {
        let queue = amqp.dead_letter_queue.clone();
        let looking = Looking::begin(connection, vec![queue.clone()]).await?;
        let (monitor, mut debounce) = (Rc::clone(&monitor), EmptyDebounce::default());
        looking.keep_asking(
            // Whoever consumes it holds letters that are not ready.
            move |state| debounce.accepts(state) && state.consumers == 0,
            move |depth| monitor.dead_letters(&queue, depth.ready()),
        )
    };
    let ready = Looking::begin(connection, events).await?.keep_asking(
        // It has a consumer while this one consumes, so zeros are none of its answers.
        |state| !state.is_doubtful(),
        move |depth| match depth {
            Depth::Known(state, _) => monitor.queue(Some((state.ready, state.consumers))),
            Depth::Silent => monitor.queue_is_silent(),
            Depth::Refused => monitor.queue_is_unknown(),
        },
    );
    Ok(async { _ = join3(ready, OptionFuture::from(parked), dead).await })
}

/// Looks at queues together, on a channel that is opened again when a refusal has closed it.
struct Looking {
    connection: Rc<BrokerConnection>,
    channel: Channel,
    queues: Vec<String>,
}

impl Looking {
    async fn begin(
        connection: &Rc<BrokerConnection>,
        queues: Vec<String>,
    ) -> Result<Self, SourceError> {
        let channel = connection.channel().await?;
        Ok(Self { connection: Rc::clone(connection), channel, queues })
    }

    async fn keep_asking(
        mut self,
        accepts: impl FnMut(QueueState) -> bool,
        tell: impl FnMut(Depth),
    ) {
        keep_asking(async || self.ask().await, accepts, tell).await;
    }

    async fn ask(&mut self) -> Result<QueueState, SourceError> {
        let asked = async {
            if !self.channel.status().connected() {
                self.channel = self.connection.channel().await?;
            }
            let (mut ready, mut consumers) = (0, None);
            for queue in &self.queues {
                let state = QueueState::of(&self.channel, queue).await?;
                ready += state.ready;
                consumers = consumers.or(Some(state.consumers));
            }
            Ok(QueueState { ready, consumers: consumers.unwrap_or_default() })
        };
        asked.await.inspect_err(|error| {
            tracing::debug!(event = "depth_unknown", queue = self.queues.first(), %error, "cannot read the depth of the queue");
        })
    }
}

/// Asks until it is dropped, and tells what is known. The last answer holds until [`KNOWN_FOR`] has passed without another, or until a
/// refusal. A refusal holds until there is an answer, and it asks again after growing pauses.
async fn keep_asking(
    mut ask: impl AsyncFnMut() -> Result<QueueState, SourceError>,
    mut accepts: impl FnMut(QueueState) -> bool,
    mut tell: impl FnMut(Depth),
) {
    let new_pauses = || Pauses::new(ASK_EVERY, LONGEST_PAUSE);
    // Until then the last answer holds, if there is one that may fall silent.
    let (mut pauses, mut holds) = (new_pauses(), Some(Instant::now() + KNOWN_FOR));
    loop {
        let asked = Instant::now();
        let answer = {
            let mut asking = pin!(ask());
            let in_time = match holds {
                Some(until) => timeout_at(until, &mut asking).await.ok(),
                None => Some(asking.as_mut().await),
            };
            if let Some(answer) = in_time {
                answer
            } else {
                tell(Depth::Silent);
                asking.await
            }
        };
        let pause = match answer {
            Ok(state) => {
                pauses = new_pauses();
                if accepts(state) {
                    holds = Some(asked + KNOWN_FOR);
                    tell(Depth::Known(state, asked));
                }
                random_interval()
            }
            Err(SourceError::Failed(_)) => random_interval(),
            Err(_) => {
                holds = None;
                tell(Depth::Refused);
                pauses.draw()
            }
        };
        sleep(pause).await;
        if holds.is_some_and(|until| Instant::now() >= until) {
            tell(Depth::Silent);
        }
    }
}

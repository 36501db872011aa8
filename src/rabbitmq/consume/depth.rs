//! Reads the depth of a source's queues every few seconds.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{OptionFuture, join3};
use lapin::Channel;
use tokio::time::sleep;

use crate::config::{Amqp, Source};
use crate::observe::monitor::Monitor;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::queue_state::{EmptyDebounce, QueueState};

/// Autoscalers look every ten to thirty seconds. By chance it is up to a second more or less, so that a queue
/// which fills and empties in time with it does not look the same each time.
const ASK_EVERY: Duration = Duration::from_secs(5);

fn random_interval() -> Duration {
    ASK_EVERY.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// Tells the monitor of the source's queue, of the one where its events are parked, and of the dead letters. Each on a channel of its
/// own: a refusal closes it, and must close neither the other nor the one that consumes.
pub(in crate::rabbitmq) async fn watch(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    monitor: Rc<Monitor>,
) -> Result<impl Future<Output = ()> + use<>, SourceError> {
    let parked = match &source.parking {
        Some(parking) => {
            let monitor = Rc::clone(&monitor);
            let mut debounce = EmptyDebounce::default();
            let tell = move |state| {
                if debounce.accepts(state) {
                    monitor.parked(state.ready);
                }
            };
            Some(ask_again(connection.channel().await?, parking.queue.clone(), tell))
        }
        None => None,
    };
    let told = Rc::clone(&monitor);
    let dead = {
        let (monitor, queue) = (Rc::clone(&monitor), amqp.dead_letter_queue.clone());
        let (mut debounce, name) = (EmptyDebounce::default(), queue.clone());
        let tell = move |state: QueueState| {
            if debounce.accepts(state) {
                monitor.dead_letters(&name, state.ready);
            }
        };
        let asking = ask_again(connection.channel().await?, queue, tell);
        let monitor = Rc::clone(&told);
        // A queue that is not there ends the channel: what was told of it before is true no longer.
        async move {
            asking.await;
            monitor.no_dead_letters_known();
        }
    };
    let tell = move |state: QueueState| {
        // It has a consumer while this one consumes, so zeros are none of its answers.
        if !state.is_doubtful() {
            monitor.queue(Some((state.ready, state.consumers)));
        }
    };
    let ready = ask_again(connection.channel().await?, source.queue.clone(), tell);
    Ok(async { _ = join3(ready, OptionFuture::from(parked), dead).await })
}

/// Asks as long as the channel lives, and tells the answers. What the broker said last is a better guess
/// than nothing.
async fn ask_again(channel: Channel, queue: String, mut tell: impl FnMut(QueueState)) {
    while channel.status().connected() {
        match QueueState::of(&channel, &queue).await {
            Ok(state) => tell(state),
            Err(error) => {
                tracing::debug!(event = "depth_unknown", queue, %error, "cannot read the depth of the queue");
            }
        }
        sleep(random_interval()).await;
    }
}

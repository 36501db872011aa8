//! Says at a worker's start what is wrong with queues that are used as they are (`amqp.declare = false`).

use std::time::Duration;

use crate::config::Source;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::arguments::QueueArguments;
use crate::rabbitmq::topology::consumer_timeout;
use crate::rabbitmq::topology::fitness::{self, Fitness};
use crate::rabbitmq::topology::order_arguments::OrderArguments;

/// What is known of a source's queue that is used as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedAsIs {
    /// Only one of its consumers gets messages. `None`: that can't be told.
    pub(super) is_single_active: Option<bool>,
    /// How long its consumer may hold a delivery, where the broker goes by that.
    pub(super) timeout: Option<Duration>,
}

/// Looks at the source's queue and at the one for its parked events, and logs what is wrong with them.
pub(super) async fn judge(
    broker: &Broker,
    connection: &BrokerConnection,
    source: &Source,
) -> UsedAsIs {
    let ours = QueueArguments::durable(topology::queue_arguments(broker.config(), source));
    let known = fitness::known(connection, &source.queue, ours).await.ok();
    if let Some(known) = &known
        && let Fitness::Unfit(problem) = fitness::events(broker.config(), connection, known).await
    {
        warn(source, &source.queue, &problem);
    }
    if let Some(deviation) = known.as_ref().and_then(|it| OrderArguments::deviation_of(it, source))
    {
        log_deviation(source, &deviation);
    }
    if let Some(parking) = &source.parking
        // Where the queue does not exist, nothing is parked, as `check` says.
        && let Ok(Err(problem)) = fitness::parking(broker.config(), connection, source, parking).await
    {
        warn(source, &parking.queue, &problem);
    }
    judge_dead_letters(broker, connection, source).await;
    let timeout = match &known {
        Some(known) => consumer_timeout::of(connection, known.kind(), broker.config()),
        None => consumer_timeout::of_hidden(connection, &source.queue, broker.config()).await,
    };
    UsedAsIs { is_single_active: known.as_ref().map(fitness::is_single_active), timeout }
}

/// All sources have the same dead-letter queue; the first one says what is wrong with it.
async fn judge_dead_letters(broker: &Broker, connection: &BrokerConnection, source: &Source) {
    let amqp = broker.config();
    if amqp.sources.first().is_none_or(|first| first.name != source.name) {
        return;
    }
    let (queue, ours) = (&amqp.dead_letter_queue, topology::dead_letter_arguments(amqp.queue_type));
    let known = fitness::known(connection, queue, QueueArguments::durable(ours)).await;
    if let Some(problem) = known.ok().as_ref().and_then(fitness::of_dead_letters) {
        warn(source, queue, &problem);
    }
}

fn warn(source: &Source, queue: &str, problem: &str) {
    tracing::warn!(
        event = "queue_unfit",
        source = source.name,
        queue,
        problem,
        "queue that is used as it is (amqp.declare = false) has not the arguments that keep every event"
    );
}

/// A queue has other arguments for order than `run` would declare.
pub(super) fn log_deviation(source: &Source, deviation: &str) {
    tracing::warn!(
        event = "queue_adopted",
        source = source.name,
        queue = source.queue,
        deviation,
        "queue was declared with other arguments for order, and is used as it is"
    );
}

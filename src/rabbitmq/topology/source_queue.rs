//! Declares a source's queue, whichever arguments for order it has.

use super::order_arguments::OrderArguments;
use super::queue_state::QueueState;
use super::queues::DeclaredQueue;
use crate::config::{Amqp, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// Each refusal names one argument, and may be followed by one for the other; and the queue may change meanwhile.
const MOST_TRIES: usize = 4;

/// Declares a source's queue, or finds it with other arguments for order, and uses it as it is. `known` are those that it had before.
///
/// # Errors
///
/// As [`super::declare`].
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    known: Option<OrderArguments>,
) -> Result<OrderArguments, SourceError> {
    let queue = &source.queue;
    let wanted = OrderArguments::of(amqp, source);
    let mut order = match known {
        // Not where the queue is gone: a new one gets what is wanted.
        Some(known) if known != wanted && QueueState::on(connection, queue).await.is_ok() => known,
        _ => wanted,
    };
    let mut tries = 0;
    loop {
        let declared = DeclaredQueue::of_events(amqp, source, order);
        let error = match declared.declare_unexplained(connection).await {
            Ok(()) => return Ok(order),
            Err(error) => error,
        };
        tries += 1;
        let adopted = match &error {
            SourceError::PreconditionFailed(said) if tries < MOST_TRIES => order.adopt(said),
            _ => None,
        };
        let Some(adopted) = adopted else {
            return Err(declared.explain(connection, error).await);
        };
        tracing::debug!(
            event = "queue_arguments_differ",
            queue,
            %error,
            "queue differs in an argument for order: it is asked for as it is"
        );
        order = adopted;
    }
}

//! Asks for what a queue that is used as it is has.

use std::time::Duration;

use super::super::arguments::{self, Learnt, QueueArguments};
use super::super::{find_queue, look, parking_arguments};
use super::{of_parking, unknown_parking};
use crate::config::{Amqp, Parking, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// A queue whose type and arguments can't be told is asked for them again only after this: RabbitMQ logs what is asked then.
pub(in crate::rabbitmq) const JUDGE_AGAIN: Duration = Duration::from_mins(10);

/// What is known of a queue.
#[derive(Debug, Clone, Default)]
pub(in crate::rabbitmq) struct Judgement {
    pub(in crate::rabbitmq) known: Option<QueueArguments>,
    /// What is wrong with it, and what to do.
    pub(in crate::rabbitmq) problem: Option<String>,
}

/// Type and arguments of a queue that is there. `ours` are tried first: where they are right, RabbitMQ logs no refusal.
///
/// # Errors
///
/// Why they can't be told.
pub(in crate::rabbitmq) async fn known(
    connection: &BrokerConnection,
    queue: &str,
    ours: QueueArguments,
) -> Result<QueueArguments, String> {
    if !connection.server().refuses_wrong_arguments() {
        return Err("from other brokers than RabbitMQ 3.10 and later".to_owned());
    }
    if arguments::is_still(connection, queue, &ours).await {
        return Ok(ours);
    }
    match arguments::learn(connection, queue, true).await {
        Ok(Learnt::Known(known)) => Ok(known),
        Ok(Learnt::Refused(_)) => Err("without the configure permission on it".to_owned()),
        Ok(Learnt::Locked(_) | Learnt::Unknown(..)) => Err("from what RabbitMQ answers".to_owned()),
        Err(error) => Err(format!("since {error}")),
    }
}

/// The arguments of the queue for parked events, and why these do not come back from it, or may not.
///
/// # Errors
///
/// The queue is not there, or the broker does not answer.
pub(in crate::rabbitmq) async fn parking(
    amqp: &Amqp,
    connection: &BrokerConnection,
    source: &Source,
    parking: &Parking,
) -> Result<Judgement, SourceError> {
    let queue = &parking.queue;
    let unknown =
        |why: &str| Judgement { known: None, problem: Some(unknown_parking(&source.queue, why)) };
    if !look(connection, async |it| find_queue(it, queue).await).await? {
        return Ok(unknown("without a permission on the queue"));
    }
    let ours = QueueArguments::durable(parking_arguments(amqp.queue_type, &source.queue));
    Ok(match known(connection, queue, ours).await {
        Ok(known) => {
            let problem = of_parking(&known, &source.queue);
            Judgement { known: Some(known), problem }
        }
        Err(why) => unknown(&why),
    })
}

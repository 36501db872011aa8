//! Finds the delivery limit of a queue: a quorum queue counts each delivery, and drops messages above its limit.
//!
//! `topology/arguments.rs` learns the limit among the queue's arguments. The limit of a policy is not visible; `measure.rs` measures
//! it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;

use super::super::connection::{Broker, Server};
use super::super::topology;
use super::{QueueBrowser, WaitOptions, lock};
use crate::limits::LEAST_DELIVERY_LIMIT;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::DELIVERY_LIMIT;
use crate::rabbitmq::topology::arguments::{self, Learnt, QueueArguments};
use crate::rabbitmq::topology::consumer_timeout;
use crate::rabbitmq::topology::fitness;
use crate::rabbitmq::topology::queue_state::QueueState;

/// The first version of RabbitMQ that has a limit where none is set, and that limit.
const LIMITED_BY_DEFAULT: (u32, i64) = fitness::LIMITED_BY_DEFAULT;

/// What `check` finds out of browsing a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Browsing {
    Safe,
    /// Why a policy's limit could not be measured.
    Unmeasured(String),
    /// RabbitMQ does not show this user the queue's limit, and so this user can't browse.
    Hidden,
}

/// What is known of a queue's delivery limit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Limit {
    /// None that looking reaches; classic queues have none at all.
    None,
    At(i64),
    /// The queue's arguments say nothing, and so the broker decides.
    Unset,
    /// The user may not ask.
    Refused(String),
    /// The broker says what is not understood.
    Unknown(String),
}

/// As `check` asks: also what a look would find out, where that takes nothing because the queue is empty.
///
/// # Errors
///
/// Looking is refused, or would be, and what to do about it.
pub(in crate::rabbitmq) async fn inspect(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<Browsing, SourceError> {
    let (limit, _) = ask(broker, connection, queue).await?;
    if matches!(limit, Limit::Refused(_)) {
        return Ok(Browsing::Hidden);
    }
    refuse_if_counted(connection.server(), queue, limit)?;
    lock::refuse_if_forbidden(connection, queue).await?;
    let state = QueueState::confirmed(&connection.channel().await?, queue).await?;
    if !state.is_doubtful() {
        return Ok(Browsing::Safe);
    }
    let at_once = WaitOptions { patience: Duration::ZERO, waits: Arc::new(|_| {}) };
    // Somebody else looks, or whatever it is that hinders a look: that is not what is asked here.
    let Ok(mut look) = QueueBrowser::open(broker, queue, &at_once, drop).await else {
        return Ok(Browsing::Safe);
    };
    let measured = look.measure_empty().await;
    look.close().await;
    Ok(measured?.map_or(Browsing::Safe, Browsing::Unmeasured))
}

/// Fails if each look brings the queue's messages nearer to being dropped. The queue must be there. Returns how long a consumer is to
/// ask to hold them, where the broker goes by that.
///
/// # Errors
///
/// That it does, and what to do about it.
pub(super) async fn refuse_if_looking_counts(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<Option<Duration>, SourceError> {
    let (limit, kind) = ask(broker, connection, queue).await?;
    refuse_if_counted(connection.server(), queue, limit)?;
    Ok(kind.and_then(|kind| consumer_timeout::of(connection, &kind, broker.config())))
}

fn refuse_if_counted(server: &Server, queue: &str, limit: Limit) -> Result<(), SourceError> {
    let (limited_from, default) = LIMITED_BY_DEFAULT;
    let limit = match limit {
        Limit::None => return Ok(()),
        Limit::Refused(why) => {
            return Err(SourceError::Failed(format!(
                "queue `{queue}` is not browsed: each browse counts as a delivery, RabbitMQ drops letters beyond the queue's \
                 delivery limit, and shows that limit only to a user who may configure the queue. Give this user the \
                 `configure` permission on `{queue}` and `{queue}.look` (`rabbitmqctl set_permissions`), or give \
                 amqp.uri a user who has it; the program changes nothing of the queue. RabbitMQ says: {why}"
            )));
        }
        Limit::Unknown(why) => format!("arguments that could not be read ({why})"),
        Limit::At(limit) => format!("x-delivery-limit = {limit}"),
        Limit::Unset => match server.major_version() {
            Some(version) if version < limited_from => return Ok(()),
            Some(version) => {
                format!("no x-delivery-limit, and so the default of RabbitMQ {version}, {default}")
            }
            None => format!(
                "no x-delivery-limit, and RabbitMQ {limited_from}.0 and later use {default} then"
            ),
        },
    };
    Err(SourceError::Failed(format!(
        "queue `{queue}` is not browsed: it has {limit}, each browse counts as a delivery, and RabbitMQ drops letters \
         beyond the limit. Set amqp.dead_letter_queue to a new name, which `run` creates with a limit that is never reached \
         (amqp.declare = true; else give the new queue x-delivery-limit = 1000000000), and move the letters there, \
         with a shovel for example"
    )))
}

/// The limit, and the queue's type where that is known.
async fn ask(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<(Limit, Option<String>), SourceError> {
    // As it is declared by us, there is nothing to find out, and nothing for RabbitMQ to log.
    let ours = topology::dead_letter_arguments(broker.config().queue_type);
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    match arguments::declare(connection, queue, options, ours).await {
        Ok(()) => Ok((Limit::None, Some(broker.config().queue_type.into_str().to_owned()))),
        Err(SourceError::AccessRefused(said)) => Ok((Limit::Refused(said), None)),
        Err(SourceError::PreconditionFailed(_)) => {
            let is_guarded = connection.server().refuses_wrong_arguments();
            let learnt = arguments::learn(connection, queue, is_guarded).await?;
            let kind = match &learnt {
                Learnt::Known(known) => Some(known.kind().to_owned()),
                _ => None,
            };
            let limit = match learnt {
                Learnt::Known(known) => limit_of(&known),
                Learnt::Refused(said) => Limit::Refused(said),
                Learnt::Locked(said) => Limit::Unknown(said),
                // Type or limit may have been told before.
                Learnt::Unknown(said, told) => match limit_of(&told) {
                    Limit::Unset => Limit::Unknown(said),
                    known => known,
                },
            };
            Ok((limit, kind))
        }
        // Only a refusal is an answer: a queue of which the broker did not answer in time may have a limit.
        Err(error) => Err(error),
    }
}

/// Only quorum queues have one.
fn limit_of(known: &QueueArguments) -> Limit {
    match known.integer(DELIVERY_LIMIT) {
        _ if known.kind() != "quorum" => Limit::None,
        None => Limit::Unset,
        // Less than nothing means none, to RabbitMQ 4.
        Some(limit) if (0..LEAST_DELIVERY_LIMIT).contains(&limit) => Limit::At(limit),
        Some(_) => Limit::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_limit_of_one_less_than_allows_looking_is_one() {
        let limit = |kind: &str, limit: Option<i64>| {
            limit_of(&QueueArguments::of(kind, limit.map(|limit| (DELIVERY_LIMIT, limit))))
        };
        let one_less = LEAST_DELIVERY_LIMIT - 1;
        assert_eq!(limit("quorum", Some(one_less)), Limit::At(one_less));
        assert_eq!(limit("quorum", Some(0)), Limit::At(0));
        assert_eq!(limit("quorum", Some(LEAST_DELIVERY_LIMIT)), Limit::None);
        assert_eq!(limit("quorum", Some(-1)), Limit::None);
        assert_eq!(limit("quorum", None), Limit::Unset);
        for other in ["classic", "stream"] {
            assert_eq!(limit(other, None), Limit::None, "{other}");
        }
    }
}

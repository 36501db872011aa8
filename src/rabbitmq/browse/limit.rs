//! Finds the delivery limit of a queue: a quorum queue counts each delivery, and drops messages above its limit.
//!
//! No method of AMQP 0-9-1 returns a queue's arguments. But declaring the queue again does, one by one: RabbitMQ
//! refuses, and names the argument that differs, with its value. The limit of a policy is not visible; `measure.rs`
//! measures it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};

use super::super::connection::{Broker, bounded};
use super::super::topology;
use super::{QueueBrowser, WaitOptions, lock};
use crate::limits::{LEAST_DELIVERY_LIMIT, MOST_ARGUMENTS};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::greeting;
use crate::rabbitmq::connection::refusal::{explain, soft_error};
use crate::rabbitmq::topology::queue_state::QueueState;

const QUEUE_TYPE: &str = "x-queue-type";
const DELIVERY_LIMIT: &str = "x-delivery-limit";

/// The first version of RabbitMQ that has a limit where none is set.
const LIMITED_BY_DEFAULT: u32 = 4;

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

/// As `check` asks: also what a look would find out, where that takes nothing because the queue is empty. Returns
/// why a policy's limit could not be measured, if so.
///
/// # Errors
///
/// Looking is refused, or would be, and what to do about it.
pub(in crate::rabbitmq) async fn inspect(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<Option<String>, SourceError> {
    refuse_if_looking_counts(broker, connection, queue).await?;
    lock::refuse_if_forbidden(connection, queue).await?;
    let state = QueueState::confirmed(&connection.channel().await?, queue).await?;
    if !state.is_doubtful() {
        return Ok(None);
    }
    let at_once = WaitOptions { patience: Duration::ZERO, waits: Arc::new(|_| {}) };
    // Somebody else looks, or whatever it is that hinders a look: that is not what is asked here.
    let Ok(mut look) = QueueBrowser::open(broker, queue, &at_once, drop).await else {
        return Ok(None);
    };
    let measured = look.measure_empty().await;
    look.close().await;
    measured
}

/// Fails if each look brings the queue's messages nearer to being dropped. The queue must be there.
///
/// # Errors
///
/// That it does, and what to do about it.
pub(super) async fn refuse_if_looking_counts(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<(), SourceError> {
    let limit = match ask(broker, connection, queue).await? {
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
        Limit::Unset => match greeting::major_version(broker).await {
            Some(..LIMITED_BY_DEFAULT) => return Ok(()),
            Some(version) => {
                format!("no x-delivery-limit, and so the default of RabbitMQ {version}, 20")
            }
            None => "no x-delivery-limit, and RabbitMQ 4.0 and later use 20 then".to_owned(),
        },
    };
    Err(SourceError::Failed(format!(
        "queue `{queue}` is not browsed: it has {limit}, each browse counts as a delivery, and RabbitMQ drops letters \
         beyond the limit. Set amqp.dead_letter_queue to a new name, which `run` creates with a limit that is never reached \
         (amqp.declare = true; else give the new queue x-delivery-limit = 1000000000), and move the letters there, \
         with a shovel for example"
    )))
}

async fn ask(
    broker: &Broker,
    connection: &BrokerConnection,
    queue: &str,
) -> Result<Limit, SourceError> {
    // As it is declared by us, there is nothing to find out, and nothing for RabbitMQ to log.
    let ours = topology::dead_letter_arguments(broker.config());
    if refusal(connection, queue, ours).await?.is_none() {
        return Ok(Limit::None);
    }
    let mut inquiry = Inquiry::begin();
    loop {
        match refusal(connection, queue, inquiry.arguments.clone()).await? {
            None => return Ok(Limit::Unset),
            Some(Refusal { of_access: true, said }) => return Ok(Limit::Refused(said)),
            Some(Refusal { of_access: false, said }) => {
                if let Some(limit) = inquiry.learn(said) {
                    return Ok(limit);
                }
            }
        }
    }
}

/// The arguments of somebody else's queue, as far as RabbitMQ has told them: one with each refusal.
struct Inquiry {
    arguments: FieldTable,
    learnt: usize,
}

impl Inquiry {
    fn begin() -> Self {
        let mut arguments = FieldTable::default();
        arguments.insert(QUEUE_TYPE.into(), AMQPValue::LongString("quorum".into()));
        Self { arguments, learnt: 0 }
    }

    /// `None`: to be asked again, with what this refusal told.
    fn learn(&mut self, said: String) -> Option<Limit> {
        let Some(differs) = Difference::read(&said) else { return Some(Limit::Unknown(said)) };
        match (differs.argument, differs.current) {
            // Only classic queues are not durable, or end by themselves.
            (QUEUE_TYPE | "durable" | "exclusive" | "auto_delete", _) => Some(Limit::None),
            (DELIVERY_LIMIT, Some((limit, _))) => Some(match limit.parse::<i64>() {
                // Less than nothing means none, to RabbitMQ 4.
                Ok(limit) if (0..LEAST_DELIVERY_LIMIT).contains(&limit) => Limit::At(limit),
                Ok(_) => Limit::None,
                Err(_) => Limit::Unknown(said),
            }),
            _ if self.learnt == MOST_ARGUMENTS => {
                Some(Limit::Unknown(format!("it has more than {MOST_ARGUMENTS} arguments")))
            }
            (argument, Some((value, kind))) => {
                let Some(value) = typed(value, kind) else { return Some(Limit::Unknown(said)) };
                self.arguments.insert(argument.into(), value);
                self.learnt += 1;
                None
            }
            _ => Some(Limit::Unknown(said)),
        }
    }
}

/// RabbitMQ's refusal to declare a queue.
struct Refusal {
    /// Whatever the arguments are: the user may not.
    of_access: bool,
    said: String,
}

/// What RabbitMQ says of a queue with other arguments; each refusal closes its channel.
async fn refusal(
    connection: &BrokerConnection,
    queue: &str,
    arguments: FieldTable,
) -> Result<Option<Refusal>, SourceError> {
    let channel = connection.channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), options, arguments);
    let what = format!("queue `{queue}`");
    // Only a refusal is an answer: a queue of which the broker did not answer in time may have a limit.
    let declared = async {
        match declared.await {
            Err(error) => match soft_error(&error) {
                Some(AMQPSoftError::ACCESSREFUSED) => Ok(Some((true, error))),
                Some(AMQPSoftError::PRECONDITIONFAILED) => Ok(Some((false, error))),
                _ => Err(error),
            },
            Ok(_) => Ok(None),
        }
    };
    if let Some((of_access, error)) = bounded(&what, declared).await? {
        return Ok(Some(Refusal { of_access, said: format!("{what}: {}", explain(&error)) }));
    }
    let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
    Ok(None)
}

/// An argument in which a queue differs from what was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Difference<'a> {
    argument: &'a str,
    /// Its value, and the name of its type.
    current: Option<(&'a str, &'a str)>,
}

impl<'a> Difference<'a> {
    /// From RabbitMQ's words (`rabbit_misc:assert_args_equivalence1`).
    fn read(said: &'a str) -> Option<Self> {
        let (_, rest) = said.split_once("inequivalent arg '")?;
        let (argument, rest) = rest.split_once('\'')?;
        let (_, current) = rest.rsplit_once("but current is ")?;
        if current.starts_with("none") {
            return Some(Self { argument, current: None });
        }
        let current = current.strip_prefix("the value ").unwrap_or(current);
        let (value, rest) = current.strip_prefix('\'')?.split_once('\'')?;
        let kind = rest.split_once("of type '").and_then(|(_, kind)| kind.split_once('\''));
        Some(Self { argument, current: Some((value, kind.map_or("", |it| it.0))) })
    }
}

fn typed(value: &str, kind: &str) -> Option<AMQPValue> {
    match kind {
        "longstr" => Some(AMQPValue::LongString(value.into())),
        "bool" => Some(AMQPValue::Boolean(value == "true")),
        // RabbitMQ takes any integer for any other.
        _ => value.parse().ok().map(AMQPValue::LongLongInt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_argument_more_than_are_found_out_is_too_many() {
        let mut inquiry = Inquiry::begin();
        let said = |number: usize| {
            format!(
                "inequivalent arg 'x-{number}' for queue 'q': received none but current is the value '1' of type 'long'"
            )
        };
        for number in 0..MOST_ARGUMENTS {
            assert_eq!(inquiry.learn(said(number)), None, "{number}");
        }
        let end = Limit::Unknown("it has more than 32 arguments".to_owned());
        assert_eq!(inquiry.learn(said(MOST_ARGUMENTS)), Some(end));
    }

    #[test]
    fn a_delivery_limit_of_one_less_than_allows_looking_is_one() {
        let learnt = |limit: i64| {
            Inquiry::begin().learn(format!(
                "inequivalent arg '{DELIVERY_LIMIT}' for queue 'q': received none but current is the value '{limit}' of type 'long'"
            ))
        };
        let one_less = LEAST_DELIVERY_LIMIT - 1;
        assert_eq!(learnt(one_less), Some(Limit::At(one_less)));
        assert_eq!(learnt(LEAST_DELIVERY_LIMIT), Some(Limit::None));
    }

    #[test]
    fn what_rabbitmq_says_of_an_argument_is_understood() {
        let said = |argument: &str, rest: &str| {
            format!(
                "queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {rest}"
            )
        };
        for (argument, rest, current) in [
            (
                "x-delivery-limit",
                "received none but current is the value '20' of type 'signedint'",
                Some(("20", "signedint")),
            ),
            (
                "x-queue-type",
                "received the value 'quorum' of type 'longstr' but current is none",
                None,
            ),
            ("durable", "received 'true' but current is 'false'", Some(("false", ""))),
        ] {
            let said = said(argument, rest);
            assert_eq!(Difference::read(&said), Some(Difference { argument, current }), "{said}");
        }
        for other in ["queue `q`: ACCESS_REFUSED", "inequivalent arg 'x", ""] {
            assert_eq!(Difference::read(other), None);
        }
    }
}

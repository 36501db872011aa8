//! Judges queues that are used as they are (`amqp.declare = false`): whether events are safe in a queue with such arguments.
//!
//! Arguments of a policy are not visible by AMQP. A queue has what a policy says only where its own arguments say nothing of it.

mod judgement;
#[cfg(test)]
mod tests;

pub(in crate::rabbitmq) use self::judgement::{JUDGE_AGAIN, Judgement, known, parking};
use super::arguments::{QueueArguments, SINGLE_ACTIVE_CONSUMER};
use super::declared::{
    DEAD_LETTER_EXCHANGE, DEAD_LETTER_ROUTING_KEY, DEAD_LETTER_STRATEGY, DELIVERY_LIMIT,
};
use super::{find_exchange, find_queue, look};
use crate::config::Amqp;
use crate::limits::LEAST_DELIVERY_LIMIT;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Server;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// The first version of RabbitMQ that has a delivery limit where none is set, and that limit.
pub(in crate::rabbitmq) const LIMITED_BY_DEFAULT: (u32, i64) = (4, 20);

const EXPIRES: &str = "x-expires";
const MESSAGE_TTL: &str = "x-message-ttl";
const OVERFLOW: &str = "x-overflow";
const MAX_LENGTHS: [&str; 2] = ["x-max-length", "x-max-length-bytes"];

/// Where to read which arguments a queue needs.
const DOCUMENT: &str = "docs/own-queues.md";

/// Whether a source's queue keeps every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Fitness {
    Fit,
    /// It does not: what is wrong and what to do.
    Unfit(String),
    /// That can't be told: why, and what to do.
    Unknown(String),
}

/// What is said of a queue for parked events whose arguments are not known.
pub(in crate::rabbitmq) fn unknown_parking(home: &str, why: &str) -> String {
    format!(
        "can't tell {why} whether parked events come back to `{home}`, so `run` parks none in it, and a held topic that fills the \
         prefetch makes the source's other topics wait; RabbitMQ from 3.10 on shows the arguments to a user with the configure \
         permission on the queue ({DOCUMENT})"
    )
}

/// What is said of a source's queue whose arguments are not known.
pub(in crate::rabbitmq) fn unknown_events(amqp: &Amqp, why: &str) -> String {
    format!(
        "can't tell {why} whether events beyond a delivery limit are kept; {DEAD_LETTER_EXCHANGE} should be \"{}\" \
         ({DOCUMENT})",
        amqp.dead_letter_exchange
    )
}

/// Why parked events do not come back by these arguments, if so, and what to do.
pub(in crate::rabbitmq) fn of_parking(known: &QueueArguments, home: &str) -> Option<String> {
    let mut wrong = Vec::new();
    for (argument, needed) in [(DEAD_LETTER_EXCHANGE, ""), (DEAD_LETTER_ROUTING_KEY, home)] {
        match known.text(argument) {
            Some(value) if value == needed => {}
            Some(value) => {
                wrong.push(format!("{argument} is \"{value}\" and must be \"{needed}\""));
            }
            None => wrong.push(format!("{argument} is not set and must be \"{needed}\"")),
        }
    }
    if !known.is_durable() {
        wrong.push("it is not durable and must be".to_owned());
    }
    if known.has(EXPIRES) {
        wrong.push(format!("{EXPIRES} is set and must not be"));
    }
    (!wrong.is_empty()).then(|| format!(
        "{}. Parked events would be lost or not come back to `{home}`, so `run` parks none in it, and a held topic that fills the \
         prefetch makes the source's other topics wait. Delete the queue when it is empty, and create it with these \
         arguments ({DOCUMENT}), not by a policy, which no client can see",
        wrong.join("; ")
    ))
}

/// Whether the queue itself limits its length. A policy may, too, which is not visible.
pub(in crate::rabbitmq) fn has_length_limit(known: &QueueArguments) -> bool {
    MAX_LENGTHS.iter().any(|it| known.has(it))
}

/// Why a dead-letter queue with these arguments loses letters, if so, and what to do.
pub(in crate::rabbitmq) fn of_dead_letters(known: &QueueArguments) -> Option<String> {
    let mut wrong: Vec<_> = [MESSAGE_TTL, EXPIRES].into_iter().filter(|it| known.has(it)).collect();
    // Without an overflow of its own, it drops the oldest letter.
    let refuses = known.text(OVERFLOW).is_some_and(|it| it.starts_with("reject-publish"));
    if !refuses {
        wrong.extend(MAX_LENGTHS.into_iter().filter(|it| known.has(it)));
    }
    let mut wrong: Vec<_> = wrong.into_iter().map(|it| format!("{it} is set")).collect();
    if !known.is_durable() {
        wrong.push("it is not durable".to_owned());
    }
    (!wrong.is_empty()).then(|| format!(
        "{}: RabbitMQ removes dead letters from it. Create a queue without that, or with {OVERFLOW} = reject-publish beside a \
         maximum length, under a new name ({DOCUMENT}), and move the letters there",
        wrong.join(", ")
    ))
}

/// Whether RabbitMQ drops what is browsed often in a queue with these arguments.
pub(super) fn limits_deliveries(known: &QueueArguments, server: &Server) -> bool {
    limit_of(known, server.major_version()).is_some()
}

/// Why a source's queue with these arguments loses events that wait in it, if so, and what to do.
pub(super) fn loses_events(known: &QueueArguments) -> Option<String> {
    let mut wrong = Vec::new();
    if known.has(EXPIRES) {
        wrong.push(format!(
            "{EXPIRES} is set: RabbitMQ deletes it with its events while no worker consumes it"
        ));
    }
    if !known.has(DEAD_LETTER_EXCHANGE) {
        if known.has(MESSAGE_TTL) {
            wrong.push(format!("{MESSAGE_TTL} is set, and {DEAD_LETTER_EXCHANGE} is not: RabbitMQ drops events that wait for too long"));
        }
        let refuses = known.text(OVERFLOW).is_some_and(|it| it.starts_with("reject-publish"));
        if has_length_limit(known) && !refuses {
            wrong.push(format!("its length is limited, and {DEAD_LETTER_EXCHANGE} is not set: RabbitMQ drops the oldest events"));
        }
    }
    (!wrong.is_empty())
        .then(|| format!("{}. Create a queue without that ({DOCUMENT})", wrong.join("; ")))
}

/// What becomes of an event that a source's queue has delivered too often.
#[derive(Debug, PartialEq, Eq)]
enum BeyondLimit {
    /// There is no limit, or the event becomes a dead letter.
    Kept,
    Dropped(String),
    /// It goes to an exchange other than that of the dead letters.
    Exchange(String),
    /// It goes to a queue by the default exchange.
    Queue(String),
}

/// Whether a source's queue keeps what it has delivered too often.
pub(in crate::rabbitmq) async fn events(
    amqp: &Amqp,
    connection: &BrokerConnection,
    known: &QueueArguments,
) -> Fitness {
    if let Some(problem) = loses_events(known) {
        return Fitness::Unfit(problem);
    }
    let Some(limit) = limit_of(known, connection.server().major_version()) else {
        return Fitness::Fit;
    };
    let (what, found) = match beyond(known, amqp) {
        BeyondLimit::Kept => return Fitness::Fit,
        BeyondLimit::Dropped(why) => return Fitness::Unfit(dropped(&limit, &why, amqp)),
        BeyondLimit::Queue(queue) if queue == amqp.dead_letter_queue => return Fitness::Fit,
        BeyondLimit::Exchange(name) => (
            format!("exchange `{name}`"),
            look(connection, async |it| find_exchange(it, &name).await).await,
        ),
        BeyondLimit::Queue(name) => (
            format!("queue `{name}`"),
            look(connection, async |it| find_queue(it, &name).await).await,
        ),
    };
    let route = format!("{DEAD_LETTER_EXCHANGE} leads to {what}");
    match found {
        Err(SourceError::NotFound(_)) => {
            Fitness::Unfit(dropped(&limit, &format!("{route}, which does not exist"), amqp))
        }
        _ => Fitness::Unknown(format!(
            "it has {limit}, and {route}: can't tell whether an event that is delivered more often is kept there. `dead-letters` \
             and the page show it only if it reaches `{}`; {}",
            amqp.dead_letter_queue,
            remedy(amqp)
        )),
    }
}

/// The delivery limit in words, if the queue has one that events can reach. That of a policy is not visible.
fn limit_of(known: &QueueArguments, version: Option<u32>) -> Option<String> {
    let (first, default) = LIMITED_BY_DEFAULT;
    match (known.integer(DELIVERY_LIMIT), version) {
        _ if known.kind() != "quorum" => None,
        (Some(limit), _) if (0..LEAST_DELIVERY_LIMIT).contains(&limit) => {
            Some(format!("{DELIVERY_LIMIT} = {limit}"))
        }
        (None, Some(version)) if version >= first => {
            Some(format!("RabbitMQ's default delivery limit of {default}"))
        }
        _ => None,
    }
}

fn beyond(known: &QueueArguments, amqp: &Amqp) -> BeyondLimit {
    match (known.text(DEAD_LETTER_EXCHANGE), known.text(DEAD_LETTER_ROUTING_KEY)) {
        (None, _) => BeyondLimit::Dropped(format!("{DEAD_LETTER_EXCHANGE} is not set")),
        (Some(exchange), _) if exchange == amqp.dead_letter_exchange => BeyondLimit::Kept,
        (Some(""), None) => BeyondLimit::Dropped(format!(
            "{DEAD_LETTER_EXCHANGE} is \"\" and {DEAD_LETTER_ROUTING_KEY} is not set"
        )),
        (Some(""), Some(queue)) => BeyondLimit::Queue(queue.to_owned()),
        (Some(exchange), _) => BeyondLimit::Exchange(exchange.to_owned()),
    }
}

fn dropped(limit: &str, why: &str, amqp: &Amqp) -> String {
    format!(
        "it has {limit}, and {why}: RabbitMQ drops an event that is delivered more often, as each stop and crash of a worker \
         and each long hold delivers events again (unless a policy sets `dead-letter-exchange`, which no client can see); {}",
        remedy(amqp)
    )
}

fn remedy(amqp: &Amqp) -> String {
    format!(
        "create the queue with {DEAD_LETTER_EXCHANGE} = \"{}\" ({DOCUMENT})",
        amqp.dead_letter_exchange
    )
}

/// What is not as safe in a queue as it might be.
pub(in crate::rabbitmq) fn remark(known: &QueueArguments) -> Option<String> {
    if known.has(DEAD_LETTER_EXCHANGE) && known.has(MESSAGE_TTL) {
        return Some(format!(
            "{MESSAGE_TTL} is set: events that wait for longer become dead letters instead of being published"
        ));
    }
    let is_at_least_once = known.text(DEAD_LETTER_STRATEGY) == Some("at-least-once")
        && known.text(OVERFLOW) == Some("reject-publish");
    (known.kind() == "quorum" && known.has(DEAD_LETTER_EXCHANGE) && !is_at_least_once).then(|| {
        format!(
            "RabbitMQ moves messages out of it at most once, and may lose one while a node fails: {DEAD_LETTER_STRATEGY} = \
             at-least-once and x-overflow = reject-publish prevent that"
        )
    })
}

/// Whether only one of the queue's consumers gets messages.
pub(in crate::rabbitmq) fn is_single_active(known: &QueueArguments) -> bool {
    known.is_set(SINGLE_ACTIVE_CONSUMER)
}

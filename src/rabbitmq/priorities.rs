//! Says where a priority has no effect: what it does depends on the queue's type, and on the broker's version.

use lapin::types::{AMQPValue, FieldTable};

use super::connection::Server;
use super::publish::confirmed_publisher::ConfirmedPublisher;
use super::topology::arguments::{QUEUE_TYPE, QueueArguments};
use super::topology::{fitness, queue_arguments};
use crate::config::{Amqp, QueueType};

/// Up to the first of these versions quorum queues know no priorities, and up to the second one two levels.
const TWO_LEVELS_FROM: (u32, u32, u32) = (4, 0, 0);
const ALL_FROM: (u32, u32, u32) = (4, 3, 0);

/// Where there are two levels, the higher one begins here.
const HIGH_FROM: u8 = 5;

/// What an event without a priority counts as in a quorum queue that knows them all. In a classic queue it is 0.
const UNSET_IN_QUORUM: u8 = 4;

/// A classic queue without it knows no priorities.
const MAX_PRIORITY: &str = "x-max-priority";

/// Of events that get this priority: why it does not let others pass, if so. `queue` is `None` where that is not known, as behind an exchange,
/// and so is `known` where its arguments can't be told.
pub(in crate::rabbitmq) fn caveat(
    server: &Server,
    queue: Option<&str>,
    known: Option<&QueueArguments>,
    priority: u8,
) -> Option<String> {
    if !server.is_rabbitmq_from((0, 0)) {
        return None;
    }
    let knows_none = server.is_rabbitmq_within((0, 0, 0), TWO_LEVELS_FROM);
    let place = queue.map_or(String::new(), |queue| format!(" in queue `{queue}`"));
    let Some(known) = known else {
        return knows_none.then(|| {
            format!("has no effect{place}, unless it goes to a classic queue with {MAX_PRIORITY}: quorum queues of {server} know no priorities")
        });
    };
    let as_unset = |unset: u8| {
        (priority == unset).then(|| {
            format!("has no effect on events without a priority{place}: there these count as {unset}, too")
        })
    };
    if known.kind() == QueueType::Classic.into_str() {
        if known.has(MAX_PRIORITY) {
            return as_unset(0);
        }
        return Some(format!(
            "has no effect{place}, which is a classic queue without {MAX_PRIORITY}"
        ));
    }
    if knows_none {
        return Some(format!("has no effect{place}: quorum queues of {server} know no priorities"));
    }
    if !server.is_rabbitmq_within(TWO_LEVELS_FROM, ALL_FROM) {
        return as_unset(UNSET_IN_QUORUM);
    }
    (priority < HIGH_FROM).then(|| {
        format!(
            "lets only events of priority {HIGH_FROM} and above pass{place}: quorum queues of {server} know no difference between \
             the others and those without a priority"
        )
    })
}

/// The same of a queue, or of what is behind an exchange, on the publisher's broker.
pub(crate) async fn caveat_of(
    publisher: &ConfirmedPublisher,
    amqp: &Amqp,
    queue: Option<&str>,
    priority: u8,
) -> Option<String> {
    let connection = publisher.connection();
    let known = match queue {
        Some(queue) => fitness::known(connection, queue, expected(amqp, queue)).await.ok(),
        None => None,
    };
    caveat(connection.server(), queue, known.as_ref(), priority)
}

/// As a worker with this configuration would declare the queue, if it is a source's.
fn expected(amqp: &Amqp, queue: &str) -> QueueArguments {
    let source = amqp.sources.iter().find(|it| it.queue == queue);
    let of_its_type = || {
        let kind = AMQPValue::LongString(amqp.queue_type.into_str().into());
        let mut arguments = FieldTable::default();
        arguments.insert(QUEUE_TYPE.into(), kind);
        arguments
    };
    QueueArguments::durable(source.map_or_else(of_its_type, |it| queue_arguments(amqp, it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing: the priority has an effect, or that is not known.
    fn of(version: &str, kind: &str, max: Option<i64>, priority: u8) -> String {
        let server = Server::new(b"RabbitMQ", version.as_bytes());
        let known = QueueArguments::of(kind, max.map(|max| (MAX_PRIORITY, max)));
        caveat(&server, Some("q"), Some(&known), priority).unwrap_or_default()
    }

    fn says(said: &str, words: &str) {
        assert!(said.contains(words), "no {words:?} in {said:?}");
    }

    /// By the table in docs/producers.md.
    #[test]
    fn a_priority_without_an_effect_is_said_by_type_and_version() {
        for priority in [0, 4, 5, 255] {
            for version in ["3.10.8", "3.13.7"] {
                says(&of(version, "quorum", None, priority), "has no effect in queue `q`: quorum");
            }
            for version in ["3.10.8", "4.2.6", "4.3.6"] {
                let without = "has no effect in queue `q`, which is a classic queue without";
                says(&of(version, "classic", None, priority), without);
            }
        }
        for version in ["4.0.5", "4.2.6"] {
            says(&of(version, "quorum", None, 4), "only events of priority 5 and above");
            assert_eq!(of(version, "quorum", None, 5), "");
        }
        for version in ["4.3.0", "4.4.1"] {
            says(&of(version, "quorum", None, 4), "no effect on events without a priority");
            assert_eq!(of(version, "quorum", None, 0), "");
            assert_eq!(of(version, "quorum", None, 9), "");
        }
        says(&of("3.10.8", "classic", Some(9), 0), "these count as 0, too");
        assert_eq!(of("3.10.8", "classic", Some(9), 1), "");
    }

    #[test]
    fn of_what_is_not_known_only_what_is_sure_is_said() {
        let of = |product: &str, version: &str| {
            let server = Server::new(product.as_bytes(), version.as_bytes());
            caveat(&server, None, None, 0).unwrap_or_default()
        };
        says(
            &of("RabbitMQ", "3.10.8"),
            "has no effect, unless it goes to a classic queue with x-max-priority",
        );
        for (product, version) in [("RabbitMQ", "4.0.5"), ("RabbitMQ", "4.3.6"), ("LavinMQ", "2.9")]
        {
            assert_eq!(of(product, version), "", "{product} {version}");
        }
    }
}

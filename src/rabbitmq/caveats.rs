//! What brokers keep less of than this program promises, by product and version.

use crate::config::{Amqp, QueueType};
use crate::rabbitmq::connection::Server;

const RABBITMQ: &str = "RabbitMQ";
const LAVINMQ: &str = "LavinMQ";

/// Which promise is weaker on this broker, and what to do about it; nothing where none is. A broker that is not named here keeps
/// them, as far as is known: docs/reliability.md has the table by version.
pub(crate) fn caveats(server: &Server, amqp: &Amqp) -> Vec<String> {
    let is_quorum = amqp.queue_type == QueueType::Quorum;
    let mut caveats = Vec::new();
    if server.is_rabbitmq_within((0, 0, 0), (3, 10, 0)) {
        caveats.push(format!(
            "{server} is older than 3.10, the first version with which this program is tested: it does not know dead-lettering at \
             least once, so an event beyond the delivery limit can be lost while a node fails, and what its queues are can't be \
             asked. Upgrade RabbitMQ"
        ));
    }
    if server.is_rabbitmq_within((4, 3, 0), (4, 3, 3)) {
        caveats.push(format!(
            "{server} has faults that 4.3.3 mends: a quorum queue can stop moving events beyond the delivery limit to the dead letters \
             (rabbitmq-server#16203, #16652), and can confirm what most of its nodes do not have yet (rabbitmq/ra#637). Upgrade \
             RabbitMQ to 4.3.3 or newer"
        ));
    }
    if server.is_amazon_mq() && !is_quorum {
        caveats.push(
            "Amazon MQ accepts that an existing quorum queue is declared as a classic one, so neither `check` nor `run` notices that \
             amqp.queue_type = \"classic\" differs from it. Set amqp.queue_type = \"quorum\" if the queues are quorum queues, or \
             quorum_queue.property_equivalence.relaxed_checks_on_redeclaration = false in the broker's configuration"
                .to_owned(),
        );
    }
    if server.is(LAVINMQ) {
        let made = if is_quorum {
            "amqp.queue_type = \"quorum\" makes its ordinary durable queues, which other nodes have only if LavinMQ runs as a \
             cluster; set \"classic\" if the queues do not exist yet, so that they are what they are called, without a delivery limit. "
        } else {
            ""
        };
        caveats.push(format!(
            "LavinMQ has no quorum queues. {made}Each requeue, each hand-back and each lost connection counts towards a delivery \
             limit, and LavinMQ drops an event beyond it if the dead-letter exchange leads to no queue. This program is tested with \
             RabbitMQ only"
        ));
    } else if !server.is(RABBITMQ) {
        caveats.push(format!(
            "this program is tested with RabbitMQ only, and connects to {server}: whether that keeps confirms, delivery limits and \
             quorum queues as RabbitMQ does is not known"
        ));
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Inputs};

    fn of(product: &str, version: &str, host: &str, queue_type: QueueType) -> Vec<String> {
        let inputs = Inputs { files: Vec::new(), environment: Vec::new() };
        let defaults = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap();
        let mut amqp = defaults.amqp;
        amqp.queue_type = queue_type;
        caveats(&Server::new(product.as_bytes(), version.as_bytes()).at_host(host), &amqp)
    }

    /// The only caveat has these words.
    fn has(caveats: &[String], words: &[&str]) {
        let [caveat] = caveats else { panic!("one: {caveats:#?}") };
        for word in words {
            assert!(caveat.contains(word), "{word} in {caveat}");
        }
    }

    #[test]
    fn versions_with_known_faults_are_advised_to_upgrade() {
        let rabbit = |version| of("RabbitMQ", version, "localhost", QueueType::Quorum);
        for version in ["4.3.0", "4.3.1", "4.3.2", "4.3.0-rc.1"] {
            has(&rabbit(version), &[version, "4.3.3 or newer", "#16652", "ra#637"]);
        }
        for version in ["3.8.9", "3.9.29"] {
            has(&rabbit(version), &[version, "older than 3.10", "at least once", "Upgrade"]);
        }
        for version in ["3.10.0", "3.10.8", "3.13.7", "4.0.5", "4.2.6", "4.3.3", "4.3.6", "4.4.1"] {
            assert_eq!(rabbit(version), [""; 0], "{version}");
        }
    }

    #[test]
    fn lavinmq_says_what_a_quorum_queue_is_there() {
        let words =
            ["no quorum queues", "ordinary durable queues", "\"classic\"", "drops an event"];
        has(&of("LavinMQ", "2.9.1", "localhost", QueueType::Quorum), &words);
        let classic = of("LavinMQ", "2.9.1", "localhost", QueueType::Classic);
        has(&classic, &["no quorum queues", "drops an event"]);
        assert!(!classic[0].contains("ordinary durable queues"), "{classic:?}");
    }

    #[test]
    fn amazon_mq_is_said_to_hide_a_difference_only_where_there_can_be_one() {
        let host = "b-1.mq.eu-west-1.amazonaws.com";
        has(
            &of("RabbitMQ", "4.2.5", host, QueueType::Classic),
            &["Amazon MQ", "relaxed_checks_on_redeclaration = false"],
        );
        assert_eq!(of("RabbitMQ", "4.2.5", host, QueueType::Quorum), [""; 0]);
    }

    #[test]
    fn an_unknown_broker_is_said_to_be_untested() {
        has(&of("Other", "9", "localhost", QueueType::Quorum), &["RabbitMQ only", "Other 9"]);
        has(&of("", "", "localhost", QueueType::Quorum), &["does not say what it is"]);
    }
}

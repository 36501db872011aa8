//! The words are those of RabbitMQ 3.10.8 and 4.3.6, which are the same.

use super::super::declared::text;
use super::super::order_arguments::OrderArguments;
use super::super::queues::DeclaredQueue;
use super::*;
use crate::config::{Amqp, Config, Inputs};
use crate::rabbitmq::connection::Server;

fn amqp(queue_type: &str) -> Amqp {
    let text =
        format!("[amqp]\nqueue_type = \"{queue_type}\"\n[amqp.sources.chat]\nqueue = \"q\"\n");
    let inputs = Inputs { files: vec![("t.toml".to_owned(), text)], environment: Vec::new() };
    Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp
}

fn differs(argument: &str, rest: &str) -> SourceError {
    SourceError::PreconditionFailed(format!(
        "queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {rest}"
    ))
}

/// What is said of a source's queue.
fn of_events(queue_type: &str, argument: &str, rest: &str) -> String {
    let amqp = amqp(queue_type);
    let source = &amqp.sources[0];
    let queue = DeclaredQueue::of_events(&amqp, source, OrderArguments::of(&amqp, source));
    queue.declaration().explain(differs(argument, rest)).to_string()
}

fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains('\n') && !said.contains("inequivalent"), "{said}");
}

/// What is said of a source's queue that has these arguments besides its type and its dead-letter exchange.
fn of_known(
    queue_type: &str,
    there: &str,
    further: &[(&str, AMQPValue)],
    cut: Option<&str>,
) -> String {
    let amqp = amqp(queue_type);
    let source = &amqp.sources[0];
    let queue = DeclaredQueue::of_events(&amqp, source, OrderArguments::of(&amqp, source));
    let mut arguments = FieldTable::default();
    arguments.insert(QUEUE_TYPE.into(), text(there));
    arguments.insert(DEAD_LETTER_EXCHANGE.into(), text("event-pusher-sns.dead"));
    for (name, value) in further {
        arguments.insert((*name).into(), value.clone());
    }
    let known = QueueArguments::durable(arguments);
    let all = queue.deviations_of(&known, cut);
    queue.declaration().line(&all, queue.harm(&known, &Server::new(b"RabbitMQ", b"4.3.6")))
}

#[test]
fn an_argument_is_named_with_both_values_and_three_ways_out() {
    let said = of_events("quorum", "x-delivery-limit", "received '20' but current is '7'");
    assert_eq!(
        said,
        "queue `q` exists with other arguments than `run` would declare: x-delivery-limit = 7 instead of 20 (amqp.delivery_limit); \
         either adopt it (amqp.delivery_limit = 7, or amqp.declare = false), or migrate (delete it when it is empty, and `run` \
         declares it anew), or choose another name (amqp.sources.chat.queue): \"A queue that exists with other arguments\" in \
         docs/own-queues.md"
    );
}

#[test]
fn all_that_differs_is_said_in_one_go_but_what_goes_with_the_type() {
    let strategy = ("x-dead-letter-strategy", text("at-least-once"));
    let overflow = ("x-overflow", text("reject-publish"));
    let limit = |it: i64| ("x-delivery-limit", it.into());
    let quorum = [strategy.clone(), overflow.clone(), limit(7)];
    let adopt = "either adopt it (amqp.delivery_limit = 7, or amqp.declare = false)";
    let one = "declare: x-delivery-limit = 7 instead of 20 (amqp.delivery_limit); ";
    expect(&of_known("quorum", "quorum", &quorum, None), &[one, adopt]);
    let several = [strategy.clone(), limit(7), ("x-message-ttl", 60_000_i64.into())];
    let list = "declare: x-delivery-limit = 7 instead of 20 (amqp.delivery_limit), x-message-ttl = 60000 instead of none, no x-overflow \
                instead of \"reject-publish\"; either adopt it (amqp.declare = false)";
    expect(&of_known("quorum", "quorum", &several, None), &[list]);
    let cut = "x-dead-letter-exchange instead of \"event-pusher-sns.dead\" (amqp.dead_letter_exchange), x-delivery-limit = 7 instead";
    let said = of_known("quorum", "quorum", &quorum, Some(DEAD_LETTER_EXCHANGE));
    expect(&said, &["declare: another ", cut, "adopt it (amqp.declare = false)"]);

    let classic = "declare: x-queue-type = \"classic\" instead of \"quorum\" (amqp.queue_type); either adopt it (amqp.queue_type = \
                   \"classic\" for all queues, or amqp.declare = false)";
    expect(&of_known("quorum", "classic", &[], None), &[classic]);
    let quorum = [strategy, overflow, limit(7)];
    let list = "declare: x-queue-type = \"quorum\" instead of \"classic\" (amqp.queue_type), x-delivery-limit = 7 instead of none; \
                either adopt it (amqp.queue_type = \"quorum\" for all queues and amqp.delivery_limit = 7, or amqp.declare = false)";
    expect(&of_known("classic", "quorum", &quorum, None), &[list]);
}

#[test]
fn arguments_for_order_are_none_that_differ() {
    let all = [
        ("x-single-active-consumer", true.into()),
        ("x-consumer-disconnected-timeout", 7_i64.into()),
    ];
    assert!(!of_known("quorum", "quorum", &all, None).contains("x-single"), "it is used as it is");
}

#[test]
fn each_argument_of_a_sources_queue_is_plain() {
    let dead = "\"event-pusher-sns.dead\"";
    for (argument, rest, there, ours, adopt) in [
        (
            "x-dead-letter-exchange",
            "received the value 'event-pusher-sns.dead' of type 'longstr' but current is none",
            "declare: no x-dead-letter-exchange instead of",
            format!("instead of {dead} (amqp.dead_letter_exchange)"),
            "adopt it (amqp.declare = false)",
        ),
        (
            "x-dead-letter-exchange",
            "received 'event-pusher-sns.dead' but current is 'other'",
            "declare: x-dead-letter-exchange = \"other\" instead of",
            format!("instead of {dead} (amqp.dead_letter_exchange)"),
            "adopt it (amqp.dead_letter_exchange = \"other\", or amqp.declare = false)",
        ),
        (
            "x-queue-type",
            "received 'quorum' but current is 'classic'",
            "declare: x-queue-type = \"classic\" instead of",
            "instead of \"quorum\" (amqp.queue_type)".to_owned(),
            "adopt it (amqp.queue_type = \"classic\" for all queues, or amqp.declare = false)",
        ),
        (
            "x-queue-type",
            "received 'quorum' but current is 'another'",
            "declare: x-queue-type = \"another\" instead of",
            "instead of \"quorum\" (amqp.queue_type)".to_owned(),
            "adopt it (amqp.declare = false)",
        ),
        (
            "x-delivery-limit",
            "received the value '20' of type 'signedint' but current is none",
            "declare: no x-delivery-limit instead of",
            "instead of 20 (amqp.delivery_limit)".to_owned(),
            "adopt it (amqp.declare = false)",
        ),
        (
            "x-overflow",
            "received 'reject-publish' but current is 'drop-head'",
            "declare: x-overflow = \"drop-head\" instead of",
            "instead of \"reject-publish\";".to_owned(),
            "adopt it (amqp.declare = false)",
        ),
        (
            "x-message-ttl",
            "received none but current is the value '60000' of type 'signedint'",
            "declare: x-message-ttl = 60000 instead of",
            "instead of none;".to_owned(),
            "adopt it (amqp.declare = false)",
        ),
        (
            "auto_delete",
            "received 'false' but current is 'true'",
            "declare: auto_delete = true instead of",
            "instead of false;".to_owned(),
            "adopt it (amqp.declare = false)",
        ),
    ] {
        expect(&of_events("quorum", argument, rest), &[there, &ours, adopt]);
    }
}

#[test]
fn what_only_quorum_queues_have_tells_that_it_is_one() {
    for (argument, value) in
        [("x-delivery-limit", "20"), ("x-dead-letter-strategy", "at-least-once")]
    {
        let rest = format!("received none but current is the value '{value}' of type 'any'");
        let adopt =
            "adopt it (amqp.queue_type = \"quorum\" for all queues, or amqp.declare = false)";
        expect(&of_events("classic", argument, &rest), &[adopt, "instead of none;"]);
    }
}

/// AMQP has room for 255 bytes.
#[test]
fn a_refusal_that_is_cut_tells_the_argument_all_the_same() {
    let said =
        of_events("quorum", "x-dead-letter-exchange", "received 'D' but current is 'a lon...");
    expect(
        &said,
        &["declare: another x-dead-letter-exchange instead of", "(amqp.declare = false)"],
    );
    assert!(!said.contains("a lon"), "{said}");
}

#[test]
fn a_queue_of_dead_letters_with_a_limit_is_not_to_be_adopted() {
    let amqp = amqp("quorum");
    let queue = DeclaredQueue::of_dead_letters(&amqp);
    let limit = differs("x-delivery-limit", "received '1000000000' but current is '7'");
    let said = queue.declaration().explain(limit).to_string();
    let ways = ["migrate (move its letters away", "another name (amqp.dead_letter_queue)"];
    expect(
        &said,
        &[
            "declare: x-delivery-limit = 7 instead of 1000000000;",
            "don't use it as it is",
            ways[0],
            ways[1],
        ],
    );
    assert!(!said.contains("amqp.declare"), "{said}");
    let kind = differs("x-queue-type", "received 'quorum' but current is 'classic'");
    expect(
        &queue.declaration().explain(kind).to_string(),
        &["adopt it (amqp.queue_type = \"classic\""],
    );
}

#[test]
fn a_queue_for_parked_events_is_named_by_its_source() {
    let amqp = amqp("quorum");
    let queue = DeclaredQueue::of_parked(&amqp, &amqp.sources[0], "q.held");
    let rest = "received 'q' but current is 'other'";
    let said = queue.declaration().explain(differs("x-dead-letter-routing-key", rest)).to_string();
    let ours = "x-dead-letter-routing-key = \"other\" instead of \"q\";";
    expect(&said, &["queue `q.held` exists", ours, "that of amqp.sources.chat.queue with .held"]);
}

#[test]
fn another_refusal_stays_as_it_is() {
    let amqp = amqp("quorum");
    let queue = DeclaredQueue::of_dead_letters(&amqp);
    for other in ["ACCESS_REFUSED", "PRECONDITION_FAILED - invalid arg 'x-a'", ""] {
        let other = SourceError::PreconditionFailed(other.to_owned());
        assert_eq!(queue.declaration().explain(other.clone()), other);
    }
}

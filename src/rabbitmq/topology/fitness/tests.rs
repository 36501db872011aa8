//! Queues by their arguments, and what is said of them.

use lapin::types::{AMQPValue, FieldTable};

use super::*;
use crate::config::{Config, Inputs};
use crate::rabbitmq::topology::declared::text;
use crate::rabbitmq::topology::{parking_arguments, queue_arguments};

fn amqp(settings: &str) -> Amqp {
    let base = "amqp.dead_letter_exchange = \"DX\"\namqp.dead_letter_queue = \"DQ\"\n";
    let files = [("base.toml", base), ("own.toml", settings)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let inputs = Inputs { files, environment: Vec::new() };
    Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp
}

fn of(arguments: &[(&str, AMQPValue)]) -> QueueArguments {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    QueueArguments::durable(table)
}

fn exchange(name: &str) -> (&'static str, AMQPValue) {
    (DEAD_LETTER_EXCHANGE, text(name))
}

fn key(name: &str) -> (&'static str, AMQPValue) {
    (DEAD_LETTER_ROUTING_KEY, text(name))
}

#[test]
fn only_a_way_back_that_is_known_is_one() {
    assert_eq!(of_parking(&of(&[exchange(""), key("Q")]), "Q"), None);
    let no_exchange = "x-dead-letter-exchange is not set and must be \"\"";
    let no_key = "x-dead-letter-routing-key is not set and must be \"Q\"";
    let both = format!("{no_exchange}; {no_key}");
    let expires = ("x-expires", 1_i64.into());
    for (arguments, wrong) in [
        (vec![], &*both),
        (vec![exchange("")], no_key),
        (vec![key("Q")], no_exchange),
        (vec![exchange("E"), key("Q")], "x-dead-letter-exchange is \"E\" and must be \"\""),
        (vec![exchange(""), key("R")], "x-dead-letter-routing-key is \"R\" and must be \"Q\""),
        (vec![exchange(""), key("Q"), expires], "x-expires is set and must not be"),
    ] {
        let why = of_parking(&of(&arguments), "Q").unwrap();
        assert!(why.starts_with(&format!("{wrong}. ")), "{why}");
        assert!(why.contains("`run` parks none") && why.contains("docs/own-queues.md"), "{why}");
    }
}

#[test]
fn what_is_declared_for_parking_and_for_events_is_fit() {
    for kind in ["quorum", "classic"] {
        let amqp = amqp(&format!("amqp.queue_type = \"{kind}\"\n"));
        let parking = QueueArguments::durable(parking_arguments(amqp.queue_type, "Q"));
        assert_eq!((of_parking(&parking, "Q"), remark(&parking)), (None, None), "{kind}");
        let events = QueueArguments::durable(queue_arguments(&amqp, &amqp.sources[0]));
        assert_eq!((beyond(&events, &amqp), remark(&events)), (BeyondLimit::Kept, None), "{kind}");
    }
    let at_most_once = of(&[exchange("DX")]);
    assert!(remark(&at_most_once).unwrap().contains("x-overflow = reject-publish"));
}

#[test]
fn a_limit_is_one_that_is_set_or_the_default_of_a_version() {
    let limit = |limit: i64| of(&[(DELIVERY_LIMIT, limit.into())]);
    let default = "RabbitMQ's default delivery limit of 20";
    for (known, version, words) in [
        (limit(4), None, Some("x-delivery-limit = 4")),
        (limit(0), None, Some("x-delivery-limit = 0")),
        (limit(-1), None, None),
        (limit(LEAST_DELIVERY_LIMIT), None, None),
        (of(&[]), Some(3), None),
        (of(&[]), Some(4), Some(default)),
        (of(&[]), Some(5), Some(default)),
        (of(&[]), None, None),
        (QueueArguments::of("classic", None), Some(4), None),
    ] {
        assert_eq!(limit_of(&known, version).as_deref(), words, "{known} on {version:?}");
    }
}

#[test]
fn what_is_delivered_too_often_goes_where_the_arguments_say() {
    let amqp = amqp("");
    assert_eq!(beyond(&of(&[exchange("DX")]), &amqp), BeyondLimit::Kept);
    for nowhere in [vec![], vec![key("DQ")], vec![exchange("")]] {
        let found = beyond(&of(&nowhere), &amqp);
        assert!(matches!(found, BeyondLimit::Dropped(_)), "{nowhere:?}: {found:?}");
    }
    let other = beyond(&of(&[exchange("DX2")]), &amqp);
    assert_eq!(other, BeyondLimit::Exchange("DX2".to_owned()));
    let queue = beyond(&of(&[exchange(""), key("DQ")]), &amqp);
    assert_eq!(queue, BeyondLimit::Queue("DQ".to_owned()));
}

#[test]
fn a_queue_that_rabbitmq_deletes_or_empties_loses_events() {
    let number = |name| (name, AMQPValue::LongLongInt(5));
    let refuses = (OVERFLOW, text("reject-publish"));
    for (arguments, lost) in [
        (vec![exchange("DX"), number(EXPIRES)], Some("deletes it with its events")),
        (vec![number(MESSAGE_TTL)], Some("drops events that wait for too long")),
        (vec![number("x-max-length")], Some("drops the oldest events")),
        (vec![number("x-max-length"), refuses], None),
        // They become dead letters.
        (vec![exchange("DX"), number(MESSAGE_TTL), number("x-max-length")], None),
    ] {
        let said = loses_events(&of(&arguments));
        assert_eq!(said.is_some(), lost.is_some(), "{said:?}");
        assert!(said.unwrap_or_default().contains(lost.unwrap_or_default()), "{lost:?}");
    }
    let late = remark(&of(&[exchange("DX"), number(MESSAGE_TTL)])).unwrap();
    assert!(late.contains("become dead letters"), "{late}");
}

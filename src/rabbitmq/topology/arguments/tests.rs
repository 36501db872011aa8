//! Type and arguments are put together from what RabbitMQ says.

use super::*;
use crate::limits::MOST_ARGUMENTS;

fn differs(argument: &str, rest: &str) -> String {
    format!(
        "queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {rest}"
    )
}

fn begin() -> Inquiry {
    Inquiry::begin(QueueArguments::of(QUORUM, None))
}

fn learnt(refusals: &[(&str, &str)]) -> QueueArguments {
    let mut inquiry = begin();
    for (argument, current) in refusals {
        let said = differs(argument, &format!("received none but current is {current}"));
        inquiry.learn(&said).unwrap();
    }
    inquiry.guess
}

#[test]
fn one_argument_more_than_are_found_out_is_too_many() {
    let mut inquiry = begin();
    let one = "received none but current is the value '1' of type 'long'";
    let said = |number: usize| differs(&format!("x-{number}"), one);
    for number in 0..MOST_ARGUMENTS {
        assert_eq!(inquiry.learn(&said(number)), Ok(()), "{number}");
    }
    let end = Err("it has more than 32 arguments".to_owned());
    assert_eq!(inquiry.learn(&said(MOST_ARGUMENTS)), end);
}

#[test]
fn type_and_arguments_are_put_together_from_refusals() {
    let limit = ("x-delivery-limit", "the value '20' of type 'signedint'");
    let single = ("x-single-active-consumer", "the value 'true' of type 'bool'");
    let quorum = learnt(&[limit, single]);
    assert_eq!((quorum.kind(), quorum.integer("x-delivery-limit")), ("quorum", Some(20)));
    assert!(quorum.is_set("x-single-active-consumer") && !quorum.is_set("x-delivery-limit"));
    let shown = "quorum, x-delivery-limit = 20, x-single-active-consumer = true";
    assert_eq!(quorum.to_string(), shown);
    let classic =
        learnt(&[("durable", "'false'"), ("auto_delete", "'true'"), ("x-queue-type", "none")]);
    assert_eq!(classic.to_string(), "classic, not durable, auto-delete");
    let cut = learnt(&[
        ("x-dead-letter-exchange", "the value 'a long name' of ty"),
        ("x-max-length", "the value '7'"),
    ]);
    assert_eq!(cut.to_string(), "quorum, x-dead-letter-exchange = a long name, x-max-length = 7");
    let age = ("x-max-age", "the value '7D' of type 'longstr'");
    for stream in [
        learnt(&[("x-queue-type", "'stream'"), age]),
        learnt(&[("x-max-age", "none"), age]),
        learnt(&[("x-max-age", "'7D'"), age]),
    ] {
        assert_eq!(stream.to_string(), "stream, x-max-age = 7D");
    }
}

#[test]
fn what_was_asked_for_and_is_not_there_or_cut_is_asked_without() {
    let mut inquiry = Inquiry::begin(QueueArguments::of(QUORUM, Some(("x-delivery-limit", 7))));
    inquiry.guess.arguments.insert("x-dead-letter-exchange".into(), text("D"));
    let none =
        differs("x-delivery-limit", "received the value '7' of type 'long' but current is none");
    assert_eq!(inquiry.learn(&none), Ok(()));
    assert_eq!(inquiry.learn(&none), Err(none), "no endless loop");
    let cut = differs("x-dead-letter-exchange", "received 'D' but current is 'a lon...");
    assert_eq!(inquiry.learn(&cut), Ok(()));
    assert_eq!(inquiry.guess.to_string(), "quorum");
    assert_eq!(inquiry.learn(&cut), Err(cut), "RabbitMQ's own value does not fit, either");
    let kind = differs("x-queue-type", "received 'quorum' but current is 'cl...");
    assert_eq!(inquiry.learn(&kind), Err(kind));
}

#[test]
fn each_question_has_an_argument_that_no_queue_of_its_type_can_be_declared_with() {
    let asked = |refusals: &[(&str, &str)]| learnt(refusals).guarded();
    assert!(asked(&[]).contains_key("x-max-age"));
    assert!(asked(&[("x-queue-type", "none")]).contains_key("x-max-age"));
    let stream = asked(&[("x-max-age", "none")]);
    assert!(stream.contains_key("x-max-priority") && !stream.contains_key("x-max-age"));
}

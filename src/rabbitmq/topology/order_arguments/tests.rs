use super::*;

fn order(single_active: Option<bool>, disconnected_timeout: Option<i64>) -> OrderArguments {
    OrderArguments { single_active, disconnected_timeout }
}

fn refusal(argument: &str, rest: &str) -> String {
    format!(
        "it exists with other arguments: queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost \
         '/': {rest}"
    )
}

/// The words are those of RabbitMQ 3.10.8 and 4.3.6.
#[test]
fn what_the_queue_has_is_asked_for_next() {
    let wanted = order(Some(true), Some(1000));
    let none = "received the value 'true' of type 'bool' but current is none";
    let without = wanted.adopt(&refusal(SINGLE_ACTIVE_CONSUMER, none)).unwrap();
    assert_eq!(without, order(None, Some(1000)));
    let none = "received the value '1000' of type 'signedint' but current is none";
    assert_eq!(without.adopt(&refusal(DISCONNECTED_TIMEOUT, none)), Some(order(None, None)));
    let five = "received the value '1000' of type 'signedint' but current is the value '5' of type 'signedint'";
    assert_eq!(
        wanted.adopt(&refusal(DISCONNECTED_TIMEOUT, five)),
        Some(order(Some(true), Some(5)))
    );
    let set = "received none but current is the value 'true' of type 'bool'";
    assert_eq!(
        order(None, None).adopt(&refusal(SINGLE_ACTIVE_CONSUMER, set)),
        Some(order(Some(true), None))
    );
}

/// AMQP cuts RabbitMQ's words after 255 bytes, and the queue's name may fill them.
#[test]
fn a_refusal_that_is_cut_is_asked_the_other_way_round() {
    let cut = format!("inequivalent arg '{SINGLE_ACTIVE_CONSUMER}' for queue 'qqqqqqqq");
    assert_eq!(order(Some(true), None).adopt(&cut), Some(order(None, None)));
    assert_eq!(order(None, None).adopt(&cut), Some(order(Some(true), None)));
    let cut = format!("inequivalent arg '{DISCONNECTED_TIMEOUT}' for queue 'qqqqqqqq");
    assert_eq!(order(None, Some(1000)).adopt(&cut), Some(order(None, None)));
    assert_eq!(order(None, None).adopt(&cut), None, "no value is known");
}

#[test]
fn another_difference_is_none_of_these() {
    let other = "received none but current is the value '20' of type 'signedint'";
    for said in [refusal("x-delivery-limit", other).as_str(), "ACCESS_REFUSED", ""] {
        assert_eq!(order(Some(true), Some(1000)).adopt(said), None, "{said}");
    }
}

#[test]
fn a_deviation_says_what_it_means_for_order() {
    let wanted = order(Some(true), Some(1000));
    assert_eq!(wanted.deviation(wanted), None);
    for (found, wanted, part) in [
        (order(None, None), wanted, "order is kept within each of them only"),
        (wanted, order(None, None), "one worker at a time consumes it"),
        (order(Some(true), None), wanted, "not set (a minute, unless a policy"),
        (order(Some(true), Some(5)), wanted, "is 5 ms"),
    ] {
        let said = found.deviation(wanted).unwrap();
        assert!(said.contains(part) && said.contains("docs/own-queues.md"), "{said}");
    }
    // Neither matters without an active consumer.
    assert_eq!(order(Some(false), None).deviation(order(None, None)), None);
    assert_eq!(order(None, Some(5)).deviation(order(None, None)), None);
}

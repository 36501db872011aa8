//! Each rule, broken.

use super::load;
use super::problems::{assert_one, assert_one_with};

#[test]
fn every_rule_has_its_problem() {
    for (toml, wrong) in [
        ("amqp.uri = \"amqp://host/?hearbeat=30\"", "has a parameter that is not known"),
        ("amqp.uris = [\"amqp://a\", \"b\"]", "in its entry 2, has no scheme"),
        ("amqp.uris = [\"\"]", "in its entry 1, has no scheme"),
        ("amqp.uri = \"\"", "is unset, so there is no broker to take events from"),
        (
            "sns.ordering = \"per-key\"\namqp.prefetch = 9\namqp.sources.a.partitions = 10",
            "is more than amqp.prefetch",
        ),
        ("amqp.sources.a.partitions = 257", "must be from 0 to 256"),
        (
            "amqp.sources.a.partitions = 4",
            "divides events so that their order is kept, but this source keeps none",
        ),
        (
            "amqp.sources.a.partition_by = \"property:message_id\"",
            "is nothing by which RabbitMQ can divide events",
        ),
        ("amqp.sources.a.on_order_lost = \"wait\"", "must be one of auto, stop, warn"),
        (
            "sns.ordering = \"per-key\"\n[amqp.sources.a]\nqueue = \"q\"\npartitions = 4\n[amqp.sources.b]\nqueue = \"q.partitions\"",
            "is a name that the partitions of source a need",
        ),
        (
            "sns.ordering = \"per-key\"\n[amqp.sources.a]\nqueue = \"q\"\npartitions = 4\npartition_by = \"conversation\"\n[amqp.sources.b]\nexchange = \"q.sorted\"",
            "is a name that the partitions of source a need",
        ),
        ("amqp.queue_type = \"qorum\"", "must be one of quorum, classic"),
        ("amqp.prefetch = 65536", "must be from 0 to 65535: AMQP counts up to there"),
        ("amqp.dead_letter_exchange = \"\"", "is empty"),
        ("amqp.dead_letter_queue = \"amq.dead\"", "begins with `amq.`, which is the broker's own"),
        (
            "amqp.sources.a.routing_keys = []",
            "is empty, so that a topic exchange would hand nothing on",
        ),
        ("amqp.sources.a.routing_keys = \"#\"", "must be a list of texts, not a text"),
        (
            "[amqp.sources.A]",
            "is not a source's name, which is lower-case letters, digits, `-` and `_`",
        ),
        ("[[amqp.sources]]", "must be a group of keys, not a list"),
        ("sns.sns_host = \"ftp://a\"", "has a scheme other than http and https"),
        ("sns.account_id = \"1\"", "must be 12 digits"),
        ("sns.batch_max_entries = 11", "must be from 1 to 10: SNS takes no more in one request"),
        ("sns.max_message_bytes = 0", "must be from 1 to 1048576: SNS's own limit is 1 MiB"),
        (
            "sns.connect_timeout_ms = 10001",
            "is longer than sns.attempt_timeout_ms = 10000, which includes connecting",
        ),
        ("sns.muc_host = \"a b\"", "is not an XMPP domain: "),
        ("sns.muc_topics.\"a b\" = \"\"", "is not an XMPP domain: "),
        ("[hosts.\"a@b\"]", "is not an XMPP domain: "),
        (
            "[hosts.\"a.b\".sns]\nmuc_host=\"a\"\n[hosts.\"A.B\".sns]\nmuc_host=\"a\"",
            "is given twice; the other is ",
        ),
        ("outage.hand_back_after_s = 1800", "must be from 1 to 1799: after 1,800 s without "),
        (
            "outage.threshold = 9223372036854775808",
            "must be a whole number, not one of more than 64 bits",
        ),
        ("admin.listen = \":9464\"", "is not a host and port"),
        ("trace.otlp_endpoint = \"grpc://a:4317\"", "has a scheme other than http and https"),
        ("trace.sample_one_in = -1", "must be from 0 to 1000000000: 0 begins no trace"),
        ("admin.hosts = [\"http://a\"]", "has an entry that is no host name"),
        (
            "admin.price_per_million_requests = -0.5",
            "must be from 0 to 1000: it is a price in US dollars",
        ),
        ("admin.price_per_million_requests = \"1\"", "must be a number, not a text"),
        ("log.format = \"xmpp\"", "must be one of text, json"),
        ("log = \"info\"", "must be a group of keys, not a text"),
    ] {
        let found = load(toml, &[]).expect_err(toml);
        assert_eq!(found.as_slice().len(), 1, "{toml}: {found}");
        let problem = found.as_slice().first().unwrap();
        assert!(problem.wrong.starts_with(wrong), "{toml}: {problem}");
    }
}

#[test]
fn a_variable_is_told_what_it_should_be() {
    assert_one_with(
        "",
        &[("EVENT_PUSHER__SNS__POOL_SIZE", "many")],
        [
            "environment variable EVENT_PUSHER__SNS__POOL_SIZE: sns.pool_size = \"many\"",
            "must be a whole number",
            "give a whole number",
        ],
    );
    assert_one_with(
        "",
        &[("EVENT_PUSHER__LOG__FILTER", "warn"), ("EVENT_PUSHER__log__filter", "info")],
        [
            "environment variable EVENT_PUSHER__log__filter: log.filter",
            "is given twice; the other is environment variable EVENT_PUSHER__LOG__FILTER",
            "remove one of them",
        ],
    );
}

#[test]
fn a_consumer_may_hold_for_ten_minutes_longer_than_a_hold_lasts_and_never_less_than_rabbitmq_allows()
 {
    let asked = |seconds: u64| {
        let settings = format!("outage.hand_back_after_s = {seconds}");
        load(&settings, &[]).unwrap().amqp.consumer_timeout.as_secs()
    };
    assert_eq!([60, 1200, 1201, 1799].map(asked), [1800, 1800, 1801, 2399]);
}

#[test]
fn bytes_in_flight_have_room_for_the_largest_event_and_dead_letters_do_not_wait_too_long() {
    assert!(load("[amqp]\nmax_in_flight_bytes = 1048576", &[]).is_ok());
    assert_one(
        "[amqp]\nmax_in_flight_bytes = 1048575",
        [
            "local.toml:2: amqp.max_in_flight_bytes = 1048575",
            "must be from 1048576 to 1099511627776: the largest event that SNS takes must have room",
            "give a number in that range",
        ],
    );
    assert!(load("[amqp]\nprefetch = 12000\ndead_letters_per_second = 10.0", &[]).is_ok());
    assert!(load("[amqp]\nprefetch = 12001\ndead_letters_per_second = 0", &[]).is_ok());
    assert_one(
        "[amqp]\nprefetch = 12001\ndead_letters_per_second = 10.0",
        [
            "local.toml:3: amqp.dead_letters_per_second = 10.0",
            "makes the last of 12001 unacknowledged deliveries wait for 1200 s, and RabbitMQ takes a delivery away after 1800",
            "raise it, or lower amqp.prefetch",
        ],
    );
}

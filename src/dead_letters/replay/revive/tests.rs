//! What becomes of a letter, and where it goes.

use super::*;
use crate::config::{Config, Inputs};
use crate::headers::{QUEUE, REASON};

fn sources() -> Sources {
    let toml = r#"
        [amqp.sources.events]
        exchange = "chat.events"
        queue = "chat"
    "#;
    let inputs = Inputs { files: vec![("t".to_owned(), toml.to_owned())], ..Inputs::default() };
    Sources::new(&Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp)
}

#[test]
fn a_partition_is_its_sources_and_what_is_replayed_goes_to_the_sources_own_queue() {
    let toml = r#"
        sns.ordering = "per-key"
        amqp.sources.events.queue = "chat"
        amqp.sources.events.partitions = 40
    "#;
    let inputs = Inputs { files: vec![("t".to_owned(), toml.to_owned())], ..Inputs::default() };
    let config = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap();
    let sources = Sources::new(&config.amqp);
    for (queue, home) in [
        ("chat", Some("chat")),
        ("chat.40.07", Some("chat")),
        ("chat.20.19", Some("chat")),
        ("chat.40.hash", None),
        ("chat.partitions", None),
        ("chat.40", None),
        ("chats.40.07", None),
    ] {
        assert_eq!(sources.queue(queue), home, "{queue}");
    }
    assert_eq!(self::sources().queue("chat.40.07"), None, "without partitions");
}

/// Where a letter goes by these sources.
fn address(letter: &Letter, target: &Target) -> Result<Address, String> {
    super::address(letter, target, &sources())
}

fn read(headers: &[(&str, Value)]) -> (Message, Letter) {
    let mut message = Message { routing_key: "delivered.key".into(), ..Message::default() };
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    message.properties.headers = Some(headers.collect());
    let letter = Letter::read(&mut message, &sources());
    (message, letter)
}

fn dead(mut further: Vec<(&'static str, Value)>) -> (Message, Letter) {
    let headers = [
        (REASON, "rejected"),
        ("event-pusher-error", "no"),
        ("event-pusher-failed-at", "2026-01-31T09:30:00Z"),
        (EXCHANGE, "chat.events"),
        (ROUTING_KEY, "some.key"),
        (QUEUE, "chat"),
    ];
    further.extend(headers.map(|(name, value)| (name, value.into())));
    read(&further)
}

fn revived(mut dead: (Message, Letter), target: &Target) -> (Address, Headers) {
    let address = address(&dead.1, target).unwrap();
    revive(&mut dead.0, &dead.1, &address, "run.1".to_owned(), None);
    (address, dead.0.properties.headers.unwrap())
}

#[test]
fn straight_to_its_queue_an_event_takes_its_origin_along() {
    let (address, headers) = revived(dead(vec![("mine", Value::I64(7))]), &Target::SourceQueue);
    assert_eq!((address.exchange.as_str(), address.routing_key.as_str()), ("", "chat"));
    let expected: Headers = [
        ("mine", Value::I64(7)),
        (EXCHANGE, "chat.events".into()),
        (ROUTING_KEY, "some.key".into()),
        (REPLAYS, Value::I64(1)),
        (REPLAY_ID, "run.1".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(headers, expected);
}

#[test]
fn through_its_exchange_an_event_is_as_it_was() {
    let further = vec![("CC", Value::Array(vec!["other".into()])), (REPLAYS, Value::I64(2))];
    let (address, headers) = revived(dead(further), &Target::SourceExchange);
    assert_eq!((&*address.exchange, &*address.routing_key), ("chat.events", "some.key"));
    let names: Vec<_> = headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["CC", REPLAY_ID, REPLAYS]);
    assert_eq!(headers[REPLAYS], Value::I64(3));
}

/// The priority that a letter with this one is replayed with, and what its header says.
fn prioritized(
    message: &mut Message,
    letter: &Letter,
    priority: Option<u8>,
) -> (Option<u8>, String) {
    let to = address(letter, &Target::SourceQueue).unwrap();
    revive(message, letter, &to, "run.1".to_owned(), priority);
    let header = message.header(PRIORITY).and_then(Value::as_text).unwrap_or("not set");
    (message.properties.priority, header.to_owned())
}

#[test]
fn each_replay_begins_with_the_priority_that_the_event_came_with() {
    for (own, said) in [(None, "none"), (Some(9), "9")] {
        let (mut message, letter) = dead(vec![]);
        message.properties.priority = own;
        let put_by = |priority| (priority, said.to_owned());
        assert_eq!(prioritized(&mut message, &letter, Some(1)), put_by(Some(1)));
        assert_eq!(prioritized(&mut message, &letter, Some(2)), put_by(Some(2)), "again");
        assert_eq!(prioritized(&mut message, &letter, None), (own, "not set".to_owned()));
    }
}

#[test]
fn a_letter_of_a_parked_event_is_replayed_with_the_events_own_priority() {
    let (mut message, letter) = dead(vec![(PARKED_PRIORITY, "9".into())]);
    message.properties.priority = Some(0);
    assert_eq!(prioritized(&mut message, &letter, None), (Some(9), "not set".to_owned()));
    let replayed = vec![(PARKED_PRIORITY, "1".into()), (PRIORITY, "none".into())];
    let (mut message, letter) = dead(replayed);
    assert_eq!(prioritized(&mut message, &letter, Some(2)), (Some(2), "none".to_owned()));
}

#[test]
fn a_header_that_is_no_priority_counts_as_not_there() {
    for forged in [Value::I64(7), "256".into(), "high".into()] {
        let (mut message, letter) = dead(vec![(PRIORITY, forged)]);
        message.properties.priority = Some(3);
        assert_eq!(prioritized(&mut message, &letter, Some(0)), (Some(0), "3".to_owned()));
    }
}

#[test]
fn copies_that_would_go_to_other_queues_are_not_asked_for_again() {
    let further = vec![("CC", Value::Array(vec!["other".into()]))];
    let (_, headers) = revived(dead(further), &Target::Queue("q".into()));
    assert!(!headers.contains_key("CC"));
}

#[test]
fn a_producers_own_deaths_stay_and_the_brokers_last_one_goes() {
    let death = |queue: &str| {
        let entry = [("reason", "delivery_limit"), ("queue", queue)];
        let mut entry: Headers = entry.map(|(name, it)| (name.into(), it.into())).into();
        entry.insert("exchange".into(), "chat.events".into());
        entry.insert("routing-keys".into(), Value::Array(vec!["some.key".into()]));
        Value::Array(vec![Value::Table(entry)])
    };
    let (_, headers) = revived(dead(vec![("x-death", death("theirs"))]), &Target::SourceQueue);
    assert!(headers.contains_key("x-death"));
    let covered = dead(vec![
        ("event-pusher-covered-x-death", death("chat")),
        ("event-pusher-covered-own", death("x")),
    ]);
    assert_eq!(covered.1.by, LetterAuthor::Worker);
    let (_, headers) = revived(covered, &Target::SourceQueue);
    assert!(headers.contains_key("x-death") && !headers.contains_key("own"));
    let by_broker = read(&[("x-death", death("chat")), ("x-first-death-queue", "chat".into())]);
    assert_eq!(
        (by_broker.1.by, by_broker.1.reason.as_str()),
        (LetterAuthor::Broker, "delivery_limit")
    );
    let (address, headers) = revived(by_broker, &Target::SourceQueue);
    assert_eq!(address.routing_key, "chat");
    let names: Vec<_> = headers.keys().map(String::as_str).collect();
    assert_eq!(names, [EXCHANGE, REPLAY_ID, REPLAYS, ROUTING_KEY]);
}

#[test]
fn what_comes_from_nowhere_goes_only_where_it_is_told() {
    let (_, letter) = read(&[]);
    assert_eq!(letter.by, LetterAuthor::Unknown);
    assert!(address(&letter, &Target::SourceQueue).unwrap_err().contains("--to-queue"));
    assert!(address(&letter, &Target::SourceExchange).unwrap_err().contains("--to-exchange"));
    let there = address(&letter, &Target::Exchange("e".into())).unwrap();
    assert_eq!((&*there.exchange, &*there.routing_key), ("e", "delivered.key"));
}

#[test]
fn a_header_of_a_wrong_type_counts_as_not_there() {
    let (_, letter) = dead(vec![(REPLAYS, "many".into())]);
    assert_eq!((letter.replays, letter.odd_headers), (0, vec![REPLAYS.to_owned()]));
    let (_, letter) = read(&[(REASON, Value::I64(7)), (QUEUE, Value::Void)]);
    assert_eq!((letter.by, letter.reason.as_str()), (LetterAuthor::Unknown, "unknown"));
    assert!(address(&letter, &Target::SourceQueue).is_err());
}

#[test]
fn a_name_that_no_queue_can_have_counts_as_not_there() {
    let long = "q".repeat(256);
    let (_, letter) = read(&[(REASON, "rejected".into()), (QUEUE, long.as_str().into())]);
    assert_eq!((letter.origin.queue.as_ref(), letter.odd_headers.len()), (None, 1));
    assert!(address(&letter, &Target::SourceQueue).unwrap_err().contains("--to-queue"));
    let (_, letter) = read(&[(QUEUE, long[1..].into())]);
    assert_eq!(letter.origin.queue.as_deref(), Some(&long[1..]));
}

#[test]
fn a_letter_leads_to_no_queue_and_no_exchange_that_is_not_a_sources() {
    let claims = |queue: &str, exchange: &str| {
        let headers =
            [(REASON, "rejected"), (QUEUE, queue), (EXCHANGE, exchange), (ROUTING_KEY, "k")];
        read(&headers.map(|(name, it)| (name, it.into()))).1
    };
    let victim = claims("victim-payments", "payments");
    assert!(!victim.is_at_home());
    for (target, option) in
        [(Target::SourceQueue, "--to-queue"), (Target::SourceExchange, "--to-exchange")]
    {
        let why = address(&victim, &target).unwrap_err();
        assert!(why.contains("belongs to no configured source") && why.contains(option), "{why}");
    }
    assert!(address(&victim, &Target::Queue("victim-payments".into())).is_ok(), "told so");
    assert!(address(&claims("chat", "chat.events"), &Target::SourceExchange).is_ok());
}

#[test]
fn rabbitmqs_letter_says_nothing_that_its_producer_wrote() {
    let entry = [("reason", "expired"), ("queue", "chat"), ("exchange", "chat.events")];
    let mut entry: Headers = entry.map(|(name, it)| (name.into(), it.into())).into();
    entry.insert("routing-keys".into(), Value::Array(vec!["some.key".into()]));
    let forged = [
        (REASON, "retries_exhausted"),
        ("event-pusher-error", "boo"),
        ("event-pusher-topic", "theirs"),
        ("event-pusher-worker", "theirs"),
        (QUEUE, "victim-payments"),
        (EXCHANGE, "victim"),
        (ROUTING_KEY, "victim"),
        ("event-pusher-parked-user-id", "guest"),
    ];
    let mut headers = forged.map(|(name, it)| (name, it.into())).to_vec();
    headers.push(("x-death", Value::Array(vec![Value::Table(entry)])));
    let (mut message, letter) = read(&headers);
    assert_eq!((letter.by, &*letter.reason), (LetterAuthor::Broker, "expired"));
    assert_eq!((&letter.error, &letter.topic, &letter.worker), (&None, &None, &None));
    let origin = (letter.origin.exchange.as_deref(), letter.origin.queue.as_deref());
    assert_eq!(origin, (Some("chat.events"), Some("chat")));
    let to = address(&letter, &Target::SourceQueue).unwrap();
    revive(&mut message, &letter, &to, "run.1".to_owned(), None);
    let headers = message.properties.headers.unwrap();
    let names: Vec<_> = headers.keys().map(String::as_str).collect();
    assert_eq!(names, [EXCHANGE, REPLAY_ID, REPLAYS, ROUTING_KEY]);
    assert_eq!(headers[EXCHANGE], "chat.events".into());
}

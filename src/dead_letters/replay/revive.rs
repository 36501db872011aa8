//! Restores the event from a dead letter.

use super::{Address, Target};
use crate::dead_letters::Found;
use crate::dead_letters::content::Sources;
use crate::dead_letters::letter::Letter;
use crate::dead_letters::provenance::LetterAuthor;
use crate::headers::{
    COVER, EXCHANGE, OF_A_DEAD_LETTER, OF_A_DEATH, PARKED, REPLAY_ID, REPLAYS, ROUTING_KEY,
};
use crate::rabbitmq::message::{Headers, Message, Value};
use crate::signature::SigningKey;

/// What RabbitMQ adds to what it dead-letters, beside `x-death` itself.
const DEATHS: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// Where a letter is to go, or why not. What a letter says decides nothing that the configuration does not know: a
/// producer or an archive may have written it.
pub(super) fn address(
    letter: &Letter,
    target: &Target,
    sources: &Sources,
) -> Result<Address, String> {
    let origin = &letter.origin;
    let unknown = |what: &str, option: &str| {
        format!("the letter does not say which {what} it came from; name one with {option}")
    };
    let foreign = |what: &str, name: &str, option: &str| {
        format!(
            "{what} `{name}`, which the letter says it came from, belongs to no configured source; to send it there, add {option}"
        )
    };
    let straight = |queue: &str| Address { exchange: String::new(), routing_key: queue.to_owned() };
    match target {
        Target::Queue(queue) => Ok(straight(queue)),
        Target::SourceQueue => match &origin.queue {
            Some(queue) if sources.name(Some(queue)).is_some() => Ok(straight(queue)),
            Some(queue) => Err(foreign("queue", queue, "--to-queue QUEUE")),
            None => Err(unknown("queue", "--to-queue QUEUE")),
        },
        Target::SourceExchange => match (&origin.exchange, &origin.routing_key) {
            (Some(exchange), Some(key)) if sources.has_exchange(exchange) => {
                Ok(Address { exchange: exchange.clone(), routing_key: key.clone() })
            }
            (Some(exchange), Some(_)) => {
                Err(foreign("exchange", exchange, "--to-exchange EXCHANGE"))
            }
            _ => Err(unknown("exchange", "--to-exchange EXCHANGE")),
        },
        Target::Exchange(exchange) => {
            let key = origin.routing_key.clone().unwrap_or_else(|| letter.routing_key.clone());
            Ok(Address { exchange: exchange.clone(), routing_key: key })
        }
    }
}

/// The event as it was published, with its count of replays raised. Straight to a queue it
/// takes along exchange and routing key, by which formats and dead letters go.
pub(super) fn revive(message: &mut Message, letter: &Letter, address: &Address, id: String) {
    message.move_harmful_properties();
    let headers = message.headers_mut();
    // Nor is any letter of a worker's parked: who claims so wants its headers moved.
    headers
        .retain(|name, _| !OF_A_DEAD_LETTER.contains(&name.as_str()) && !name.starts_with(PARKED));
    if letter.by == LetterAuthor::Broker {
        // RabbitMQ drops what it has dead-lettered in a circle, and reads that from here.
        headers.retain(|name, _| {
            name != "x-death"
                && !DEATHS.iter().any(|death| name.starts_with(death))
                && !name.starts_with(COVER)
        });
    }
    for name in OF_A_DEATH {
        if let Some(value) = headers.remove(&format!("{COVER}{name}")) {
            headers.entry(name.to_owned()).or_insert(value);
        }
    }
    headers.remove(EXCHANGE);
    headers.remove(ROUTING_KEY);
    if address.exchange.is_empty() {
        // Further routing keys, which would be further queues here.
        headers.remove("CC");
        headers.remove("BCC");
        if let (Some(exchange), Some(key)) = (&letter.origin.exchange, &letter.origin.routing_key) {
            headers.insert(EXCHANGE.to_owned(), Value::Text(exchange.clone()));
            headers.insert(ROUTING_KEY.to_owned(), Value::Text(key.clone()));
        }
    }
    headers.insert(REPLAYS.to_owned(), Value::I64(letter.replays.saturating_add(1)));
    headers.insert(REPLAY_ID.to_owned(), Value::Text(id));
}

/// The headers that a letter would have if it were replayed straight to a queue now.
pub(in crate::dead_letters) fn revived_headers(found: &Found, key: Option<&SigningKey>) -> Headers {
    let properties = found.message.properties.clone();
    let mut message = Message { properties, ..Message::default() };
    let straight = Address { exchange: String::new(), routing_key: String::new() };
    revive(&mut message, &found.letter, &straight, String::new());
    message.sign(key);
    message.properties.headers.unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
        revive(&mut dead.0, &dead.1, &address, "run.1".to_owned());
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
            assert!(
                why.contains("belongs to no configured source") && why.contains(option),
                "{why}"
            );
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
        revive(&mut message, &letter, &to, "run.1".to_owned());
        let headers = message.properties.headers.unwrap();
        let names: Vec<_> = headers.keys().map(String::as_str).collect();
        assert_eq!(names, [EXCHANGE, REPLAY_ID, REPLAYS, ROUTING_KEY]);
        assert_eq!(headers[EXCHANGE], "chat.events".into());
    }
}

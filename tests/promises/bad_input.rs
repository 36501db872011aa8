//! Broken, hostile and odd events, all of them through one worker: what becomes of each.

mod cases;
mod stanzas;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use self::cases::{broken_fields, broken_syntax, jids, odd_events};
use crate::support::{Event, Stand, Worker, header};

/// Stands in every payload that holds anything. No error and no log line may show it.
const MARKER: &str = "planted-7f3a";

const ROOM: &str = "room@conference.localhost";

/// An input and how it has to end.
struct Case {
    /// Its message id, by which log lines and dead letters are told apart.
    name: String,
    event: Event,
    ends: Ends,
}

enum Ends {
    /// Behind this topic, with this body.
    Published(&'static str, Value),
    Skipped(&'static str),
    /// With this reason and this part of the error.
    DeadLettered(&'static str, &'static str),
}

use Ends::{DeadLettered, Published, Skipped};

const UNDECODABLE: &str = "undecodable";

fn case(name: impl Into<String>, payload: impl Into<Vec<u8>>, ends: Ends) -> Case {
    let name = name.into();
    Case { event: Event::new(payload).identified(&name), name, ends }
}

/// A chat event whose text is written in JSON already.
fn chat(text_in_json: &str) -> Vec<u8> {
    format!(
        r#"{{"type":"chat","from_user_id":"{MARKER}@localhost/r","to_user_id":"bob@localhost","message":{text_in_json}}}"#
    )
    .into_bytes()
}

fn published_chat(text: &str) -> Ends {
    let from = format!("{MARKER}@localhost");
    Published("pm", json!({"from_user_id": from, "to_user_id": "bob@localhost", "message": text}))
}

fn presence_of(user: &str) -> String {
    json!({"type": "presence", "user_id": user, "present": true, "note": MARKER}).to_string()
}

/// Anybody who can publish can write the headers by which a worker knows what it has parked, or what was
/// replayed; with values that no exchange, routing key or property can have.
#[tokio::test]
async fn forged_headers_end_no_worker() {
    let stand = Stand::new("bad-headers").await;
    let worker = Worker::start(&stand).await;
    let long = "x".repeat(300);
    let all = ["exchange", "routing-key", "queue", "parked", "parked-expiration", "parked-user-id"];
    for names in [&all[..3], &all] {
        let mut headers = FieldTable::default();
        for name in names {
            let name = format!("event-pusher-{name}");
            headers.insert(name.into(), AMQPValue::LongString(long.as_str().into()));
        }
        let properties = BasicProperties::default().with_headers(headers);
        let event = Event { properties, ..Event::new("garbage") };
        stand.publish_to("", event.routed(&stand.queue())).await;
    }
    for letter in stand.take_dead_letters(2).await {
        assert_eq!(letter.routing_key.as_str(), stand.queue());
        assert_eq!(header(&letter, "event-pusher-exchange").as_deref(), Some(""));
    }
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn bad_input_ends_as_it_should_and_takes_nothing_along() {
    let stand = Stand::new("bad-input").await;
    let worker = Worker::start(&stand).await;
    let cases = [broken_syntax(), broken_fields(), jids(), odd_events(), stanzas::cases()];
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    stand.publish_all(cases.iter().map(|case| case.event.clone())).await;
    worker.settles(cases.len()).await;

    stand.publish(Event::chat("good@localhost", "bob@localhost", "the worker lives on")).await;
    worker.settles(cases.len() + 1).await;
    check_outcomes(&cases, &worker);
    check_topics(&cases, &stand).await;
    check_dead_letters(&cases, &stand).await;
    for line in worker.log() {
        assert!(!line.to_string().contains(MARKER), "a log line shows a payload: {line}");
    }
    let exit = worker.stop().await;
    assert!(exit.status.success());
    assert_eq!(exit.totals().handed_back, 0, "{exit:?}");
    assert_eq!(stand.ready(&stand.queue()).await, 0);
    stand.leave_nothing().await;
}

/// As the worker itself says, by message id; each exactly once.
fn check_outcomes(cases: &[Case], worker: &Worker) {
    let log = worker.log();
    for Case { name, ends, .. } in cases {
        let lines: Vec<_> =
            log.iter().filter(|line| line["id"] == **name && !line["outcome"].is_null()).collect();
        assert_eq!(lines.len(), 1, "outcomes of {name}: {lines:#?}");
        let (outcome, reason) = match ends {
            Published(..) => ("published", Value::Null),
            Skipped(reason) => ("skipped", json!(reason)),
            DeadLettered(reason, _) => ("dead-lettered", json!(reason)),
        };
        assert_eq!(
            (&lines[0]["outcome"], &lines[0]["reason"]),
            (&json!(outcome), &reason),
            "{name}"
        );
    }
}

async fn check_topics(cases: &[Case], stand: &Stand) {
    for topic in ["presence", "pm", "muc"] {
        let mut expected: Vec<_> = cases
            .iter()
            .filter_map(|case| match &case.ends {
                Published(at, body) if *at == topic => Some(body.to_string()),
                _ => None,
            })
            .collect();
        if topic == "pm" {
            let good = json!({
                "from_user_id": "good@localhost", "to_user_id": "bob@localhost",
                "message": "the worker lives on",
            });
            expected.push(good.to_string());
        }
        let mut received = stand.receive(topic, expected.len()).await;
        received.extend(stand.received_now(topic).await);
        let outside_xml = ['\u{fffe}', '\u{ffff}'];
        assert!(!received.iter().any(|it| it.body.contains(outside_xml)), "SNS would refuse it");
        let mut received: Vec<_> = received.iter().map(|it| it.json().to_string()).collect();
        expected.sort();
        received.sort();
        assert_eq!(received, expected, "behind {topic}");
    }
}

/// All that should be there, each as it came, and nothing else.
async fn check_dead_letters(cases: &[Case], stand: &Stand) {
    let expected = cases.iter().filter(|case| matches!(case.ends, DeadLettered(..))).count();
    let letters = stand.take_dead_letters(expected).await;
    assert!(stand.dead_letter_now().await.is_none(), "a dead letter too many");
    for letter in letters {
        let id = letter.properties.message_id().as_ref().unwrap().as_str();
        let case = cases.iter().find(|case| case.name == id).unwrap();
        let DeadLettered(reason, part) = case.ends else { panic!("{id} became a dead letter") };
        let error = header(&letter, "event-pusher-error").unwrap();
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some(reason), "{id}");
        assert_eq!(header(&letter, "event-pusher-attempts").as_deref(), Some("0"), "{id}");
        assert!(error.contains(part), "{id}: {error}");
        assert!(letter.data == case.event.payload, "{id}: the body has changed");
        for name in letter.properties.headers().as_ref().unwrap().inner().keys() {
            let value = header(&letter, name.as_str()).unwrap();
            assert!(!value.contains(MARKER), "{id}: {name} shows the payload: {value}");
        }
    }
}

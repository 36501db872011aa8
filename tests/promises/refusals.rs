//! What SNS could only refuse is never sent to it.

use serde_json::{Value, json};

use crate::fake_sns::FakeSns;
use crate::support::{Event, Stand, Worker, custom_plugin, header};

const LIMIT: usize = 262_144;

/// A chat event with a key more, which the plugin `metadata` makes an attribute.
fn with_attribute(name: &str, value: Value) -> Event {
    let mut event =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
    event[name] = value;
    Event::json(&event)
}

async fn worker_with_attributes(stand: &Stand, sns: &FakeSns) -> Worker {
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__PLUGIN_MODULE", "metadata")];
    let worker = Worker::spawn(stand, custom_plugin(), &settings);
    worker.logged("consuming").await;
    worker
}

#[tokio::test]
async fn an_attribute_that_sns_would_refuse_is_named_on_the_dead_letter_and_never_sent() {
    let (stand, sns) = (Stand::new("attributes").await, FakeSns::start());
    let worker = worker_with_attributes(&stand, &sns).await;
    let long = "n".repeat(257);
    let cases = [
        ("", json!("x"), "has no name"),
        (&*long, json!("x"), "a name of over 256 bytes"),
        ("na me", json!("x"), "a name with a character other than"),
        ("näme", json!("x"), "a name with a character other than"),
        (".name", json!("x"), "a leading, trailing or double dot"),
        ("name.", json!("x"), "a leading, trailing or double dot"),
        ("na..me", json!("x"), "a leading, trailing or double dot"),
        ("AWS.name", json!("x"), "which are reserved"),
        ("amazon.name", json!("x"), "which are reserved"),
        ("name", json!(""), "is empty"),
        ("name", json!("\u{0}"), "outside of XML 1.0"),
        ("name", json!("\u{ffff}"), "outside of XML 1.0"),
        ("name", json!(1e300), "beyond 10^126"),
    ];
    for (number, (name, value, _)) in cases.iter().enumerate() {
        let event = with_attribute(name, value.clone());
        stand.publish(event.identified(&number.to_string())).await;
    }
    for letter in stand.take_dead_letters(cases.len()).await {
        let number = letter.properties.message_id().as_ref().unwrap().as_str();
        let (name, _, part) = &cases[number.parse::<usize>().unwrap()];
        let error = header(&letter, "event-pusher-error").unwrap();
        let shown: String = name.chars().take(64).collect();
        assert!(error.contains(&format!("attribute `{shown}` ")), "{name:?}: {error}");
        assert!(error.contains(part), "{name:?}: {error}");
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("rejected"));
        assert_eq!(header(&letter, "event-pusher-attempts").as_deref(), Some("0"));
        assert_eq!(header(&letter, "event-pusher-topic"), Some(stand.topic_arn("pm")));
    }
    assert_eq!(sns.counts().requests, 0);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_attribute_within_the_rules_arrives_and_more_than_ten_are_warned_of_once() {
    let (stand, sns) = (Stand::new("attributes-taken").await, FakeSns::start());
    sns.record();
    let worker = worker_with_attributes(&stand, &sns).await;
    let long = "n".repeat(256);
    let cases = [
        (&*long, json!("x"), ("String", "x")),
        ("A-z_0.9", json!("\t\n\r \u{7f}ü🦀"), ("String", "\t\n\r \u{7f}ü🦀")),
        ("AWS.SNS.MOBILE.APNS.PRIORITY", json!("10"), ("String", "10")),
        ("number", json!(-1.5e-9), ("Number", "-1.5e-9")),
        ("milliseconds", json!(1_792_000_000_000_i64), ("Number", "1792000000000")),
    ];
    for (name, value, _) in &cases {
        stand.publish(with_attribute(name, value.clone())).await;
    }
    sns.until(|counts| counts.messages == cases.len() as u64).await;
    for (name, _, (data_type, value)) in &cases {
        let accepted = sns.accepted();
        let found = accepted.iter().find_map(|it| it.attributes.get(*name));
        let found = found.unwrap_or_else(|| panic!("{name} has not come"));
        assert_eq!((&*found.data_type, &*found.value), (*data_type, *value));
    }
    assert_eq!(worker.count("too_many_attributes"), 0);
    let mut eleven =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
    (0..11).for_each(|number| eleven[format!("name{number}")] = "x".into());
    stand.publish_all([Event::json(&eleven), Event::json(&eleven)]).await;
    worker.settles(cases.len() + 2).await;
    assert_eq!(sns.accepted().last().unwrap().attributes.len(), 11);
    assert_eq!(worker.count("too_many_attributes"), 1);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_event_over_the_limit_is_never_sent_whether_body_or_attributes_take_it_there() {
    let (stand, sns) = (Stand::new("too-large").await, FakeSns::start());
    sns.record();
    let worker = worker_with_attributes(&stand, &sns).await;
    // What the body has around the text, and the attribute's name and type.
    let frame = r#"{"from_user_id":"a@h","to_user_id":"b@h","message":"x"}"#.len();
    let room = LIMIT - frame - "name".len() - "String".len();
    let of = |bytes: usize| with_attribute("name", json!("x".repeat(bytes)));
    let in_body = Event::chat("a@h", "b@h", &"x".repeat(LIMIT - frame + 2));
    stand.publish_all([of(room + 1), in_body]).await;
    for letter in stand.take_dead_letters(2).await {
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("too_large"));
        assert_eq!(header(&letter, "event-pusher-attempts").as_deref(), Some("0"));
        let error = header(&letter, "event-pusher-error").unwrap();
        assert!(error.starts_with("262145 bytes with attributes"), "{error}");
    }
    assert_eq!(sns.counts().requests, 0);
    stand.publish(of(room)).await;
    sns.until(|counts| counts.messages == 1).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn ten_events_that_only_together_are_too_large_go_in_two_requests_and_none_is_refused() {
    let (stand, sns) = (Stand::new("two-batches").await, FakeSns::start());
    sns.record();
    // Long enough for all ten to have come before the rest leaves.
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__BATCH_LINGER_MS", "2000")];
    let worker = Worker::start_with(&stand, &settings).await;
    let text = "x".repeat(LIMIT / 9);
    stand
        .publish_all((0..10).map(|number| Event::chat(&format!("u{number}@h"), "b@h", &text)))
        .await;
    assert_eq!(sns.until(|counts| counts.messages == 10).await.requests, 2);
    let first = sns.accepted().iter().filter(|message| message.request == 1).count();
    assert_eq!(first, 8, "nine would be over the limit");
    worker.settles(10).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

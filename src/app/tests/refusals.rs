//! What SNS could only refuse is never sent to it.

use std::borrow::Cow;

use jid::Jid;
use serde_json::json;

use super::*;
use crate::arn::TopicArn;
use crate::event::Message;
use crate::outcome::Reason;
use crate::plugin::{AttributeValue, Attributes, Plugin, PluginError};

const LIMIT: usize = 262_144;

/// Whatever else the producer said becomes attributes.
struct Metadata;

impl Plugin for Metadata {
    fn message_attributes(
        &self,
        _: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let value = |value: &Value| match value {
            Value::Number(number) => AttributeValue::Number(number.to_string()),
            other => AttributeValue::String(other.as_str().unwrap().to_owned()),
        };
        Ok(message.meta.metadata.iter().map(|(name, it)| (name, value(it))).collect())
    }
}

const EVE: &str = "eve@h";

/// Has a bug, which Eve finds.
struct Buggy;

impl Plugin for Buggy {
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        assert_ne!(user.to_bare().as_str(), EVE, "a bug");
        Ok(Cow::Owned(user.to_bare().to_string()))
    }
}

fn with_plugin(test: impl AsyncFnOnce(&Simulation)) -> Totals {
    let plugins = Plugins::default().register("metadata", Metadata).register("buggy", Buggy);
    simulate("[sns]\nplugin_module = \"metadata\"\n", &plugins, test)
}

/// A chat event with a key more.
fn with_attribute(name: &str, value: Value) -> Envelope {
    let mut chat =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
    chat[name] = value;
    event(&chat)
}

#[test]
fn an_attribute_that_sns_would_refuse_is_named_on_the_dead_letter_and_never_sent() {
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
    with_plugin(async |it| {
        let events = cases.iter().enumerate().map(|(number, (name, value, _))| Envelope {
            message_id: Some(number.to_string()),
            ..with_attribute(name, value.clone())
        });
        it.publish(events);
        it.settles(cases.len() as u64).await;
        let letters = it.queue().dead_letters();
        assert_eq!(letters.len(), cases.len());
        for (envelope, letter) in letters {
            let number: usize = envelope.message_id.unwrap().parse().unwrap();
            let (name, _, part) = &cases[number];
            let shown: String = name.chars().take(64).collect();
            let error = &letter.error;
            assert!(error.contains(&format!("attribute `{shown}` ")), "{name:?}: {error}");
            assert!(error.contains(part), "{name:?}: {error}");
            assert_eq!((letter.reason, letter.attempts), (Reason::Rejected, 0), "{name:?}");
            assert_eq!(letter.topic.as_ref().map(TopicArn::name), Some("pm"), "{name:?}");
        }
        assert_eq!(it.sns.requests(), 0);
    });
}

#[test]
fn an_attribute_within_the_rules_arrives_and_more_than_ten_are_warned_of_once() {
    let long = "n".repeat(256);
    let text = |text: &str| AttributeValue::String(text.to_owned());
    let number = |number: &str| AttributeValue::Number(number.to_owned());
    let strange = "\t\n\r \u{7f}ü🦀";
    let cases = [
        (&*long, json!("x"), text("x")),
        ("A-z_0.9", json!(strange), text(strange)),
        ("AWS.SNS.MOBILE.APNS.PRIORITY", json!("10"), text("10")),
        ("number", json!(-1.5e-9), number("-1.5e-9")),
        ("milliseconds", json!(1_792_000_000_000_i64), number("1792000000000")),
    ];
    with_plugin(async |it| {
        it.publish(cases.iter().map(|(name, value, _)| with_attribute(name, value.clone())));
        it.settles(cases.len() as u64).await;
        let accepted = it.sns.of("pm");
        for (name, _, expected) in &cases {
            let found = accepted.iter().find_map(|it| it.attributes.get(name));
            assert_eq!(found, Some(expected), "{name}");
        }
        assert_eq!(it.log.count("too_many_attributes"), 0);
        // Subscriptions with a filter policy do not get the one with the tab.
        assert_eq!(it.log.all("invalid_attribute")[0]["attribute"], "A-z_0.9");
        let mut eleven =
            json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
        (0..11).for_each(|number| eleven[format!("name{number}")] = "x".into());
        it.publish([event(&eleven), event(&eleven)]);
        it.settles(cases.len() as u64 + 2).await;
        assert_eq!(it.sns.of("pm").last().unwrap().attributes.iter().len(), 11);
        assert_eq!(it.log.count("too_many_attributes"), 1);
        assert_eq!(it.log.count("invalid_attribute"), 1);
    });
}

#[test]
fn an_event_over_the_limit_is_never_sent_whether_body_or_attributes_take_it_there() {
    // What the body has around the text, and the attribute's name and type.
    let frame = r#"{"from_user_id":"a@h","to_user_id":"b@h","message":"x"}"#.len();
    let limit = LIMIT - frame - "name".len() - "String".len();
    let of = |bytes: usize| with_attribute("name", json!("x".repeat(bytes)));
    with_plugin(async |it| {
        it.publish([of(limit + 1), message("chat", "a@h", "b@h", &"x".repeat(LIMIT - frame + 2))]);
        it.settles(2).await;
        for (_, letter) in it.queue().dead_letters() {
            assert_eq!((letter.reason, letter.attempts), (Reason::TooLarge, 0));
            assert!(letter.error.starts_with("262145 bytes with attributes"), "{}", letter.error);
        }
        assert_eq!((it.queue().dead_letters().len(), it.sns.requests()), (2, 0));
        it.publish([of(limit)]);
        it.settles(3).await;
        assert_eq!(it.sns.of("pm").len(), 1);
    });
}

#[test]
fn ten_events_that_only_together_are_too_large_go_in_two_requests_and_none_is_refused() {
    let text = "x".repeat(LIMIT / 9);
    simulate("[sns]\nbatch_linger_ms = 2000\n", &Plugins::default(), async |it| {
        it.publish((0..10).map(|number| message("chat", &format!("u{number}@h"), "b@h", &text)));
        it.settles(10).await;
        assert_eq!(it.sns.requests(), 2);
        let first = it.sns.of("pm").iter().filter(|message| message.request == 1).count();
        assert_eq!(first, 8, "nine would be over the limit");
    });
}

#[test]
fn an_event_that_panics_the_code_is_dead_and_the_worker_lives_on() {
    let plugins = Plugins::default().register("buggy", Buggy);
    let presence = |user: &str| Envelope {
        message_id: Some(user.to_owned()),
        ..event(&json!({"type": "presence", "user_id": user, "present": true}))
    };
    let totals = simulate("[sns]\nplugin_module = \"buggy\"\n", &plugins, async |it| {
        it.publish(["ann@h", EVE, "bob@h"].map(presence));
        it.settles(3).await;
        let [(envelope, letter)] = &it.queue().dead_letters()[..] else { panic!("one letter") };
        assert_eq!(envelope.message_id.as_deref(), Some(EVE));
        assert_eq!(letter.reason, Reason::Panicked);
        let error = &letter.error;
        assert!(!error.contains("a bug"), "a panic's message may quote the event: {error}");
        it.publish([presence("carol@h")]);
        it.settles(4).await;
    });
    assert_eq!((totals.received, totals.published, totals.handed_back), (4, 3, 0), "{totals}");
}

#[test]
fn an_event_whose_request_panics_is_dead_and_the_worker_lives_on() {
    let totals = simulate("[sns]\nbatch_max_entries = 1\n", &Plugins::default(), async |it| {
        it.sns.fail_entries(|notification| {
            assert!(!notification.body.contains(EVE), "a bug");
            None
        });
        it.publish(["ann@h", EVE, "bob@h"].map(|user| message("chat", user, "carol@h", "hi")));
        it.settles(3).await;
        let [(_, letter)] = &it.queue().dead_letters()[..] else { panic!("one letter") };
        assert_eq!(letter.reason, Reason::RetriesExhausted, "its requests were tried again");
        assert!(!letter.error.contains("a bug"), "{}", letter.error);
    });
    assert_eq!((totals.received, totals.published, totals.handed_back), (3, 2, 0), "{totals}");
}

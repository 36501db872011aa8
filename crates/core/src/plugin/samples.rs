//! Common and unusual sample events for testing a plugin.

use jid::Jid;
use serde_json::json;

use crate::event::{Event, Message, MessageKind, Meta, Presence};

/// Long enough to show who goes through a text letter by letter.
const LONG: usize = 20_000;

/// A name that reads well after `on`, and the event.
pub(super) fn samples() -> Vec<(&'static str, Event<'static>)> {
    use MessageKind::{Chat, Groupchat};
    let (alice, bob) = ("alice@example.org/phone", "bob@example.org");
    let room = "room@conference.example.org";
    let mut all = vec![
        ("a presence", presence(alice, true)),
        ("a presence of a bare JID", presence("alice@example.org", false)),
        ("a presence of a server", presence("example.org", true)),
        ("a chat message", message(Chat, alice, bob, "Hi!")),
        ("a chat message of two bare JIDs", message(Chat, "alice@example.org", bob, "Hi!")),
        ("a chat message with an empty text", message(Chat, alice, bob, "")),
        ("a chat message to another server", message(Chat, alice, "carol@example.net/desk", "Hi!")),
        ("a chat message of a server", message(Chat, "example.org", bob, "Down at ten.")),
        ("a chat message in other letters", {
            message(
                Chat,
                "žofia@bücher.example/τηλ",
                "дима@пример.example",
                "שלום 😀\u{0}\u{ffff}\r\n\"\\",
            )
        }),
        ("a long chat message", message(Chat, alice, bob, &"x".repeat(LONG))),
        ("a chat message with a tab", message(Chat, alice, bob, "Name:\tAlice")),
        ("a group message", message(Groupchat, alice, room, "Hi all!")),
        ("a private message in a room", message(Chat, alice, &format!("{room}/nick"), "Psst!")),
    ];
    let mut full = message(Chat, alice, bob, "Hi!");
    *full.meta_mut() = Meta {
        id: Some("42".into()),
        timestamp: "2026-01-31T12:00:00Z".parse().ok(),
        metadata: metadata(),
        ..Meta::default()
    };
    all.push(("a chat message with id, time and metadata", full));
    all
}

fn metadata() -> serde_json::Map<String, serde_json::Value> {
    let serde_json::Value::Object(object) = json!({
        "tenant": "blue", "priority": 5, "ratio": 0.5, "urgent": true, "thread": null,
        "large": 18_446_744_073_709_551_615_u64, "tags": ["a", "b"], "device": {"os": "x"},
    }) else {
        unreachable!("an object was written above")
    };
    object
}

fn presence(user: &str, present: bool) -> Event<'static> {
    Event::Presence(Presence { user: jid(user), present, meta: Meta::default() })
}

fn message(kind: MessageKind, from: &str, to: &str, text: &str) -> Event<'static> {
    let (from, to, body) = (jid(from), jid(to), text.to_owned().into());
    Event::Message(Message { kind, from, to, body, meta: Meta::default() })
}

fn jid(jid: &str) -> Jid {
    Jid::new(jid).unwrap_or_else(|error| unreachable!("{jid} stands above: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_valid_and_have_names_of_their_own() {
        let samples = samples();
        let names: std::collections::BTreeSet<_> = samples.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), samples.len());
        assert!(samples.iter().all(|(_, event)| !event.host().is_empty()));
        assert!(samples.iter().any(|(_, event)| event.meta().timestamp.is_some()));
    }
}

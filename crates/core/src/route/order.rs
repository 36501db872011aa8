//! Ordering keys of events, and the message group and deduplication id for SNS.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::event::{Envelope, Event, Message, MessageKind, bare};
use crate::text::hexadecimal;

/// Longest `MessageGroupId` and `MessageDeduplicationId`; both are of ASCII letters, digits
/// and punctuation. Source: SNS API reference, "Publish".
const LONGEST_ID: usize = 128;

/// Events of the same key are published in the order in which they were delivered. It is a
/// valid `MessageGroupId`.
///
/// For a presence it is the user; for a message it is the conversation: the room, or the
/// two users, whichever of them speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(Arc<str>);

impl OrderKey {
    /// The key of an event.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Presence(presence) => Self::fit("presence/", &[bare(&presence.user)]),
            Event::Message(Message { kind: MessageKind::Groupchat, to, .. }) => {
                Self::fit("room/", &[bare(to)])
            }
            Event::Message(Message { kind: MessageKind::Chat, from, to, .. }) => {
                let mut users = [bare(from), bare(to)];
                users.sort_unstable();
                Self::fit("chat/", &users)
            }
        }
    }

    /// The key as SNS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn fit(kind: &str, parts: &[&str]) -> Self {
        // A comma stands in no domain, so that the parts can't run into each other.
        Self::from(format!("{kind}{}", parts.join(",")))
    }
}

impl From<String> for OrderKey {
    /// What does not fit into a `MessageGroupId` is hashed.
    fn from(key: String) -> Self {
        Self(if fits(&key) { key.into() } else { hash([key.as_bytes()]).into() })
    }
}

/// SNS drops a second message of the same id within five minutes: the event's own id, with its
/// source if it has one, else the AMQP message id, else a hash of what the producer published. So is it where parts of the
/// payload were replaced, as two ids may be one then.
pub(super) fn dedup_id(event: &Event<'_>, envelope: &Envelope) -> String {
    if event.meta().is_mended {
        return hash_of(envelope);
    }
    if let (Some(id), Some(source)) = (event.id(), &event.meta().source) {
        return hash([source.as_bytes(), id.as_bytes()]);
    }
    match event.id().or(envelope.message_id.as_deref()) {
        Some(id) if fits(id) => id.to_owned(),
        Some(id) => hash([id.as_bytes()]),
        None => hash_of(envelope),
    }
}

/// Where to, content type, headers and body. Not the headers that RabbitMQ and this program add to what comes
/// again: it must have the same id.
fn hash_of(envelope: &Envelope) -> String {
    let Envelope { exchange, routing_key, content_type, headers, payload, .. } = envelope;
    let content_type = content_type.as_deref().unwrap_or_default();
    let fixed = [exchange.as_bytes(), routing_key.as_bytes(), content_type.as_bytes(), payload];
    let is_added = |name: &str| ["x-", "event-pusher-"].iter().any(|it| name.starts_with(it));
    let headers = headers.iter().filter(|(name, _)| !is_added(name));
    let headers = headers.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    hash(fixed.into_iter().chain(headers))
}

fn fits(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// In hexadecimal digits. Lengths go in too, so that no two lists of parts look alike.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hexadecimal(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decoded, Format, decode};

    fn envelope(payload: &str) -> Envelope {
        Envelope { payload: payload.as_bytes().to_vec(), ..Envelope::default() }
    }

    fn key(payload: &str) -> String {
        with(payload, |event, _| OrderKey::of(event).as_str().to_owned())
    }

    fn with<T>(payload: &str, look: impl Fn(&Event<'_>, &Envelope) -> T) -> T {
        let envelope = envelope(payload);
        match decode(&envelope, Format::Native) {
            Ok(Decoded::Event(event)) => look(&event, &envelope),
            other => panic!("{other:?}"),
        }
    }

    fn message(kind: &str, from: &str, to: &str) -> String {
        format!(r#"{{"type":"{kind}","from_user_id":"{from}","to_user_id":"{to}","message":"ok"}}"#)
    }

    #[test]
    fn a_conversation_is_one_key_whoever_speaks_from_whichever_device() {
        let there = key(&message("chat", "alice@a/phone", "bob@b"));
        assert_eq!(there, "chat/alice@a,bob@b");
        assert_eq!(there, key(&message("chat", "bob@b/desk", "alice@a/phone")));
        assert_eq!(key(&message("groupchat", "alice@a", "room@muc")), "room/room@muc");
        assert_eq!(
            key(r#"{"type":"presence","user_id":"alice@a/x","present":true}"#),
            "presence/alice@a"
        );
    }

    #[test]
    fn what_sns_would_refuse_is_hashed() {
        for user in ["ü@a".to_owned(), format!("{}@a", "x".repeat(300))] {
            let key = key(&message("chat", &user, "bob@b"));
            assert!(fits(&key), "{key}");
        }
    }

    #[test]
    fn ids_that_became_one_when_they_were_read_are_two_dedup_ids() {
        let with_id = |id: &str| {
            message("chat", "alice@a", "bob@b").replacen('{', &format!(r#"{{"id":"{id}","#), 1)
        };
        let [first, second] = [r"\ud83d", r"\ud83e"].map(|id| with(&with_id(id), dedup_id));
        assert_ne!(first, second);
        assert_eq!(first, with(&with_id(r"\ud83d"), dedup_id));
    }

    #[test]
    fn the_dedup_id_is_the_producers_wherever_it_gave_one() {
        let plain = message("chat", "alice@a", "bob@b");
        let with_id = plain.replacen('{', r#"{"id":"42","#, 1);
        assert_eq!(with(&with_id, dedup_id), "42");
        let hashed = with(&plain, dedup_id);
        assert_eq!(hashed.len(), 64);
        with(&plain, |event, envelope| {
            let named = Envelope { message_id: Some("m-1".to_owned()), ..envelope.clone() };
            assert_eq!(dedup_id(event, &named), "m-1");
            let spaced = Envelope { message_id: Some("m 1".to_owned()), ..envelope.clone() };
            assert_eq!(dedup_id(event, &spaced).len(), 64);
            let header = |name: &str| vec![(name.to_owned(), "1".to_owned())];
            for another in [
                Envelope { exchange: "other".to_owned(), ..envelope.clone() },
                Envelope { routing_key: "other".to_owned(), ..envelope.clone() },
                Envelope { content_type: Some("text/plain".to_owned()), ..envelope.clone() },
                Envelope { headers: header("sequence"), ..envelope.clone() },
            ] {
                assert_ne!(dedup_id(event, &another), hashed, "{another:?}");
            }
            for added in ["x-delivery-count", "event-pusher-replays"] {
                let again = Envelope { headers: header(added), ..envelope.clone() };
                assert_eq!(dedup_id(event, &again), hashed, "{added}");
            }
        });
    }

    #[test]
    fn the_same_id_of_another_source_is_another_id() {
        let of = |source: &str| {
            let data = message("chat", "alice@a", "bob@b");
            let payload = format!(
                r#"{{"specversion":"1.0","id":"1","source":"{source}","type":"chat","data":{data}}}"#
            );
            let envelope = envelope(&payload);
            match decode(&envelope, Format::CloudEvents) {
                Ok(Decoded::Event(event)) => dedup_id(&event, &envelope),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of("/a"), of("/a"));
        assert_ne!(of("/a"), of("/b"));
    }
}

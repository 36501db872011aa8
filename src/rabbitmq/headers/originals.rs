//! The original bytes of a mended delivery, in headers, and their description.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray};

use super::header_room::text;
use crate::headers::{DROPPED, ORIGINAL};
use crate::limits::{MOST_HEADERS, MOST_HEADERS_OF_EVENTS};
use crate::rabbitmq::connection::wire::{Note, Part};

/// Why the delivery is no event: what was changed of it decides how events are read. `None`: nothing
/// that was changed makes a difference.
pub(in crate::rabbitmq) fn unreadable(note: &Note) -> Option<Box<str>> {
    let mut reasons = Vec::new();
    for altered in &note.0 {
        let reason = match altered.part {
            Part::Exchange => "the exchange's name is not UTF-8",
            Part::RoutingKey => {
                "the routing key is not UTF-8, or is cut at 255 bytes inside a character"
            }
            Part::Property("content_type") => "content_type is not UTF-8",
            Part::Property("message_id") => "message_id is not UTF-8",
            Part::HeaderName => "a header's name is not UTF-8",
            Part::Everything => "its properties are not as AMQP has them",
            Part::TooMany => return Some(too_many()),
            Part::TooLarge => "its properties have more bytes than a frame may have",
            // Nothing is read from these.
            Part::Property(_) | Part::Nested => continue,
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if reasons.is_empty() {
        return None;
    }
    Some(format!("{}; let the producer send UTF-8 and valid properties", reasons.join("; ")).into())
}

/// What is said of an event with more headers than it may have.
pub(crate) fn too_many() -> Box<str> {
    let said = format!(
        "its headers have more than {MOST_HEADERS_OF_EVENTS} entries; let the producer send fewer"
    );
    said.into()
}

/// Why the properties of a browsed message were not read.
pub(in crate::rabbitmq) fn unread(note: &Note) -> Option<String> {
    let why = note.0.iter().find_map(|altered| match altered.part {
        Part::Everything => Some("they are not as AMQP has them".to_owned()),
        Part::TooMany => Some(format!("their headers have more than {MOST_HEADERS} entries")),
        Part::TooLarge => Some("they have more bytes than a frame may have".to_owned()),
        _ => None,
    });
    why.map(|why| format!("none of its properties is read: {why}"))
}

/// Adds what the note has to the headers. What is too large to be sent on is left out later, as other
/// headers are; what was not kept is named.
pub(in crate::rabbitmq) fn keep(note: Note, properties: &mut BasicProperties) {
    let mut headers = properties.headers().clone().unwrap_or_default();
    let mut gone = Vec::new();
    for altered in note.0 {
        let name = format!("{ORIGINAL}{}", name(altered.part));
        match altered.original {
            Some(bytes) => {
                headers.insert(name.into(), AMQPValue::ByteArray(ByteArray::from(bytes)));
            }
            None => gone.push(name),
        }
    }
    if !gone.is_empty() {
        headers.insert(DROPPED.into(), text(&gone.join(", ")));
    }
    *properties = std::mem::take(properties).with_headers(headers);
}

fn name(part: Part) -> String {
    match part {
        Part::Exchange => "exchange".to_owned(),
        Part::RoutingKey => "routing-key".to_owned(),
        Part::Property(name) => name.replace('_', "-"),
        Part::HeaderName | Part::Nested => "headers".to_owned(),
        Part::Everything | Part::TooMany | Part::TooLarge => "properties".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::connection::wire::frames::Altered;

    fn note(parts: &[(Part, Option<&[u8]>)]) -> Note {
        let altered = |(part, original): &(Part, Option<&[u8]>)| Altered {
            part: *part,
            original: original.map(<[u8]>::to_vec),
        };
        Note(parts.iter().map(altered).collect())
    }

    #[test]
    fn what_events_are_read_by_makes_a_delivery_unreadable_and_nothing_else_does() {
        let told = |part| unreadable(&note(&[(part, None)]));
        for part in ["app_id", "type", "reply_to", "correlation_id", "content_encoding"] {
            assert_eq!(told(Part::Property(part)), None, "{part}");
        }
        assert_eq!(told(Part::Nested), None);
        let named = [
            (Part::Property("message_id"), "message_id is not UTF-8;"),
            (Part::Property("content_type"), "content_type is not UTF-8;"),
            (Part::RoutingKey, "the routing key is not UTF-8"),
            (Part::HeaderName, "a header's name is not UTF-8"),
            (Part::Everything, "its properties are not"),
        ];
        for (part, begin) in named {
            assert!(told(part).unwrap().starts_with(begin), "{part:?}");
        }
    }

    #[test]
    fn what_was_replaced_is_a_header_byte_for_byte() {
        let parts = [
            (Part::Property("message_id"), Some(&b"\xff"[..])),
            (Part::RoutingKey, Some(b"k\xc3")),
            (Part::Nested, None),
        ];
        let mut properties = BasicProperties::default().with_app_id("app".into());
        keep(note(&parts), &mut properties);
        assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "app");
        let headers = properties.headers().clone().unwrap();
        let bytes = |bytes: &[u8]| AMQPValue::ByteArray(ByteArray::from(bytes.to_vec()));
        let found = |name: &str| headers.inner().get(name).cloned();
        assert_eq!(found("event-pusher-original-message-id"), Some(bytes(b"\xff")));
        assert_eq!(found("event-pusher-original-routing-key"), Some(bytes(b"k\xc3")));
        assert_eq!(found("event-pusher-original-headers"), None);
        assert_eq!(found(DROPPED), Some(text("event-pusher-original-headers")));
    }
}

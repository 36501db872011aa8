//! Headers and properties of a parked event: those of the original, in a form that the broker does not
//! change, and its origin.
//!
//! The broker brings it back by dead-lettering it, which makes it meddle with properties and
//! headers. In particular it drops, without a word, what has been dead-lettered from the queue that it is
//! about to be dead-lettered to (tried on RabbitMQ 3.10, `x-death` being taken from clients
//! there), and sends copies to whatever `CC` and `BCC` name.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::header_room::{covered_headers, text};
use super::origin::{self, original_priority};
use crate::config::Parking;
use crate::event::Envelope;
use crate::headers::{
    EXCHANGE, OF_A_DEATH, PARKED, PARKED_COVER, PARKED_EXPIRATION, PARKED_PRIORITY, PARKED_USER_ID,
    QUEUE, ROUTING_KEY,
};
use crate::priority::OriginalPriority;
use crate::rabbitmq::headers::dead_letter::{PERSISTENT, kept_with_priority};
use crate::signature::SigningKey;

/// Whether dead-lettering reads or writes a header.
fn is_meddled(name: &str) -> bool {
    OF_A_DEATH.contains(&name) || matches!(name, "CC" | "BCC")
}

/// The properties of the copy to be parked. It is persistent, whatever the original was;
/// expiration and user id are put by, as for a dead letter, and so is the priority where parked events have one of their own.
pub(in crate::rabbitmq) fn parked_properties(
    original: &BasicProperties,
    envelope: &Envelope,
    queue: &str,
    parking: &Parking,
    key: Option<&SigningKey>,
) -> BasicProperties {
    let mut headers = covered_headers(original, PARKED_COVER, is_meddled);
    let mut set = |name: &str, value: &str| _ = headers.insert(name.into(), text(value));
    set(EXCHANGE, &envelope.exchange);
    set(ROUTING_KEY, &envelope.routing_key);
    set(QUEUE, queue);
    set(PARKED, &Timestamp::now().to_string());
    if let Some(expiration) = original.expiration() {
        set(PARKED_EXPIRATION, expiration.as_str());
    }
    if let Some(user_id) = original.user_id() {
        set(PARKED_USER_ID, user_id.as_str());
    }
    if parking.priority.is_some() {
        set(PARKED_PRIORITY, &OriginalPriority(*original.priority()).to_string());
    }
    let priority = parking.priority.or(*original.priority());
    let message_id = original.message_id().as_ref().map(ShortString::as_str);
    origin::sign(&mut headers, message_id, key);
    kept_with_priority(original, priority)
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
        .with_expiration(parking.time.as_millis().to_string().into())
}

/// The original's properties from those of a copy that has been parked. Anything else stays as it is.
pub(in crate::rabbitmq) fn unparked_properties(delivered: BasicProperties) -> BasicProperties {
    let Some(parked) = delivered.headers().as_ref().filter(|headers| has(headers, PARKED)) else {
        return delivered;
    };
    let priority = unparked_priority(&delivered, parked);
    let mut properties = kept_with_priority(&delivered, priority).with_delivery_mode(PERSISTENT);
    let mut headers = FieldTable::default();
    for (name, value) in parked {
        match (name.as_str(), value) {
            (PARKED | PARKED_PRIORITY | EXCHANGE | ROUTING_KEY | QUEUE, _) => {}
            (PARKED_EXPIRATION, AMQPValue::LongString(expiration)) => {
                properties = with(properties, expiration, BasicProperties::with_expiration);
            }
            (PARKED_USER_ID, AMQPValue::LongString(user_id)) => {
                properties = with(properties, user_id, BasicProperties::with_user_id);
            }
            // What the broker wrote itself in bringing it back.
            (name, _) if is_meddled(name) => {}
            (name, value) => {
                // Only what parking covers is uncovered: anybody can write such a name.
                let covered = name.strip_prefix(PARKED_COVER).filter(|it| is_meddled(it));
                let name = covered.unwrap_or(name);
                headers.insert(name.into(), value.clone());
            }
        }
    }
    properties.with_headers(headers)
}

/// A property that was put by. Anybody can write such a header; what no property can hold was none.
fn with(
    properties: BasicProperties,
    text: &LongString,
    set: fn(BasicProperties, ShortString) -> BasicProperties,
) -> BasicProperties {
    match ShortString::try_new(text.to_string()) {
        Ok(text) => set(properties, text),
        Err(_) => properties,
    }
}

/// The priority that the event had before it was parked.
fn unparked_priority(delivered: &BasicProperties, parked: &FieldTable) -> Option<u8> {
    let put_by = match parked.inner().get(PARKED_PRIORITY) {
        Some(AMQPValue::LongString(text)) => original_priority(text),
        _ => None,
    };
    put_by.map_or(*delivered.priority(), |OriginalPriority(priority)| priority)
}

fn has(headers: &FieldTable, name: &str) -> bool {
    headers.into_iter().any(|(it, _)| it.as_str() == name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lapin::types::FieldArray;

    use super::*;
    use crate::rabbitmq::headers::dead_letter::kept_properties;

    fn headers(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn parking(priority: Option<u8>) -> Parking {
        Parking { queue: "q.held".into(), time: Duration::from_secs(30), priority }
    }

    #[test]
    fn a_parked_event_has_the_priority_of_parked_events_until_it_is_back() {
        for own in [None, Some(0), Some(9)] {
            let event = kept_with_priority(&BasicProperties::default(), own)
                .with_headers(headers(&[("own", text("value"))]))
                .with_delivery_mode(PERSISTENT);
            let envelope = Envelope::default();
            let parked = parked_properties(&event, &envelope, "q", &parking(Some(1)), None);
            assert_eq!(*parked.priority(), Some(1));
            let headers = parked.headers().clone().unwrap();
            let brought_back = kept_properties(&parked).with_headers(headers);
            assert_eq!(unparked_properties(brought_back), event);
        }
    }

    #[test]
    fn what_parking_does_not_cover_is_not_uncovered() {
        let forged = "event-pusher-parked-event-pusher-topic";
        let delivered = BasicProperties::default()
            .with_headers(headers(&[(PARKED, text("now")), (forged, text("arn of another"))]));
        let back = unparked_properties(delivered);
        let back = back.headers().as_ref().unwrap();
        assert!(has(back, forged) && !has(back, "event-pusher-topic"));
    }

    #[test]
    fn nothing_of_an_event_is_changed_by_having_been_parked() {
        let deaths = AMQPValue::FieldArray(FieldArray::from(vec![text("of another queue")]));
        let original = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id("id".into())
            .with_expiration("60000".into())
            .with_user_id("producer".into())
            .with_priority(3)
            .with_delivery_mode(PERSISTENT)
            .with_headers(headers(&[
                ("x-death", deaths),
                ("x-first-death-queue", text("another")),
                ("CC", AMQPValue::FieldArray(FieldArray::from(vec![text("copies")]))),
                ("own", text("value")),
                ("event-pusher-replays", 2_i64.into()),
            ]));
        let envelope =
            Envelope { exchange: "e".into(), routing_key: "k".into(), ..Envelope::default() };
        let parked = parked_properties(&original, &envelope, "q", &parking(None), None);
        assert_eq!(parked.priority(), original.priority());
        assert_eq!(parked.expiration().as_ref().map(ToString::to_string), Some("30000".to_owned()));
        assert_eq!(parked.user_id(), &None);
        let seen = parked.headers().clone().unwrap();
        for name in ["x-death", "x-first-death-queue", "CC"] {
            assert!(!has(&seen, name), "the broker can see {name}");
        }

        // The broker takes the expiration away and adds headers of its own.
        let mut brought_back = seen;
        brought_back.insert("x-death".into(), text("of q.held"));
        brought_back.insert("x-first-death-reason".into(), text("expired"));
        let brought_back = kept_properties(&parked).with_headers(brought_back);
        assert_eq!(unparked_properties(brought_back), original);
    }

    #[test]
    fn headers_that_nobody_parked_can_have_are_survived() {
        let long = "x".repeat(256);
        let forged = headers(&[
            (PARKED, text("now")),
            (PARKED_EXPIRATION, text(&long)),
            (PARKED_USER_ID, text(&long)),
            (PARKED_PRIORITY, text("256")),
            ("own", text("value")),
        ]);
        let delivered = BasicProperties::default().with_headers(forged).with_priority(7);
        let unparked = unparked_properties(delivered);
        assert_eq!(*unparked.priority(), Some(7));
        assert_eq!((unparked.expiration(), unparked.user_id()), (&None, &None));
        assert_eq!(unparked.headers(), &Some(headers(&[("own", text("value"))])));

        let name = format!("CC{}", "x".repeat(253));
        let original = BasicProperties::default().with_headers(headers(&[(&name, text("own"))]));
        let parked = parked_properties(&original, &Envelope::default(), "q", &parking(None), None);
        assert!(has(parked.headers().as_ref().unwrap(), &name));
    }

    #[test]
    fn what_was_not_parked_is_left_alone() {
        let replayed = BasicProperties::default()
            .with_expiration("1".into())
            .with_headers(headers(&[(EXCHANGE, text("e")), ("x-death", text("d"))]));
        assert_eq!(unparked_properties(replayed.clone()), replayed);
    }
}

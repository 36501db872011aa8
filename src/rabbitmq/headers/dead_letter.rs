//! Headers and properties of a dead letter: those of the original, and the reason.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::header_room::{covered_headers, shortened, text};
use super::origin;
use crate::event::Envelope;
use crate::headers::{
    ATTEMPTS, COVER, ERROR, EXCHANGE, EXPIRATION, FAILED_AT, OF_A_DEATH, QUEUE, REASON, REPLAYS,
    ROUTING_KEY, TOPIC, USER_ID, WORKER,
};
use crate::outcome::DeadLetter;
use crate::signature::SigningKey;

pub(in crate::rabbitmq) const PERSISTENT: u8 = 2;

/// Where a dead letter came from, so that a replay goes home.
pub(in crate::rabbitmq) struct Origin<'a> {
    pub envelope: &'a Envelope,
    pub queue: &'a str,
    /// Host and version of this worker.
    pub worker: &'a str,
    /// What signs it.
    pub key: Option<&'a SigningKey>,
}

/// The original's properties, with the headers that say why and where from.
///
/// It is persistent, whatever the original was. Expiration and user id move to headers: the
/// first would let the dead letter vanish, and RabbitMQ refuses a user id that is not the
/// publishing connection's.
pub(in crate::rabbitmq) fn dead_letter_properties(
    original: &BasicProperties,
    origin: &Origin<'_>,
    letter: &DeadLetter,
) -> BasicProperties {
    let mut headers = covered_headers(original, COVER, |name| OF_A_DEATH.contains(&name));
    headers.insert(EXCHANGE.into(), text(&origin.envelope.exchange));
    headers.insert(ROUTING_KEY.into(), text(&origin.envelope.routing_key));
    headers.insert(QUEUE.into(), text(origin.queue));
    let mut set = |name: &str, value: AMQPValue| {
        headers.insert(name.into(), value);
    };
    set(REASON, text(letter.reason.label()));
    set(ERROR, text(shortened(&letter.error)));
    set(ATTEMPTS, i64::from(letter.attempts).into());
    if let Some(topic) = &letter.topic {
        set(TOPIC, text(topic.as_str()));
    }
    set(FAILED_AT, text(&Timestamp::now().to_string()));
    set(WORKER, text(origin.worker));
    if let Some(expiration) = original.expiration() {
        set(EXPIRATION, text(expiration.as_str()));
    }
    if let Some(user_id) = original.user_id() {
        set(USER_ID, text(user_id.as_str()));
    }
    if original.headers().as_ref().is_none_or(|headers| !has(headers, REPLAYS)) {
        set(REPLAYS, 0_i64.into());
    }
    let message_id = original.message_id().as_ref().map(ShortString::as_str);
    origin::sign(&mut headers, message_id, origin.key);
    kept_properties(original).with_headers(headers).with_delivery_mode(PERSISTENT)
}

/// All properties that a dead letter keeps as they came, other than its headers.
pub(in crate::rabbitmq) fn kept_properties(original: &BasicProperties) -> BasicProperties {
    kept_with_priority(original, *original.priority())
}

/// The same with another priority, or none.
pub(in crate::rabbitmq) fn kept_with_priority(
    original: &BasicProperties,
    priority: Option<u8>,
) -> BasicProperties {
    macro_rules! keep {
        ($($get:ident => $with:ident),+ $(,)?) => {{
            let mut kept = BasicProperties::default();
            $(if let Some(value) = original.$get() { kept = kept.$with(value.clone()); })+
            kept
        }};
    }
    let kept = keep! {
        content_type => with_content_type,
        content_encoding => with_content_encoding,
        correlation_id => with_correlation_id,
        reply_to => with_reply_to,
        message_id => with_message_id,
        timestamp => with_timestamp,
        kind => with_type,
        app_id => with_app_id,
        cluster_id => with_cluster_id,
    };
    match priority {
        Some(priority) => kept.with_priority(priority),
        None => kept,
    }
}

fn has(headers: &FieldTable, name: &str) -> bool {
    headers.into_iter().any(|(it, _)| it.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::super::header_room::LONGEST_ERROR;
    use super::*;
    use crate::headers::DROPPED;
    use crate::outcome::Reason;

    fn buried(original: &BasicProperties, error: &str) -> BasicProperties {
        let envelope = Envelope { exchange: "ex".into(), ..Envelope::default() };
        let origin = Origin { envelope: &envelope, queue: "q", worker: "w", key: None };
        let letter = DeadLetter {
            reason: Reason::Rejected,
            error: error.to_owned(),
            attempts: 3,
            topic: None,
        };
        dead_letter_properties(original, &origin, &letter)
    }

    fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
        properties.headers().iter().flatten().find(|(it, _)| it.as_str() == name).map(|it| it.1)
    }

    #[test]
    fn what_would_hurt_the_copy_is_kept_as_a_header() {
        let original = BasicProperties::default()
            .with_expiration("1000".into())
            .with_user_id("producer".into())
            .with_delivery_mode(1)
            .with_app_id("app".into());
        let copy = buried(&original, "no");
        assert_eq!((copy.expiration(), copy.user_id()), (&None, &None));
        assert_eq!(*copy.delivery_mode(), Some(PERSISTENT));
        assert_eq!(copy.app_id(), original.app_id());
        assert_eq!(header(&copy, "event-pusher-expiration"), Some(&text("1000")));
        assert_eq!(header(&copy, "event-pusher-user-id"), Some(&text("producer")));
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let copy = buried(&BasicProperties::default(), &"ü€".repeat(1000));
        let Some(AMQPValue::LongString(error)) = header(&copy, "event-pusher-error") else {
            panic!("no error header");
        };
        assert!(error.as_bytes().len() <= LONGEST_ERROR);
        assert!(std::str::from_utf8(error.as_bytes()).is_ok());
    }

    #[test]
    fn headers_that_fill_a_frame_leave_room_for_ours() {
        let mut headers = FieldTable::default();
        headers.insert("small".into(), text("kept"));
        headers.insert("huge".into(), text(&"x".repeat(130_000)));
        let copy = buried(&BasicProperties::default().with_headers(headers), "no");
        assert_eq!(header(&copy, "small"), Some(&text("kept")));
        assert_eq!(header(&copy, "huge"), None);
        assert_eq!(header(&copy, DROPPED), Some(&text("huge")));
    }

    #[test]
    fn a_replayed_event_that_dies_again_keeps_its_count_of_replays() {
        let mut headers = FieldTable::default();
        headers.insert("event-pusher-replays".into(), 2_i64.into());
        headers.insert("event-pusher-reason".into(), text("older"));
        headers.insert("x-delivery-count".into(), 1_i64.into());
        let copy = buried(&BasicProperties::default().with_headers(headers), "no");
        assert_eq!(header(&copy, "event-pusher-replays"), Some(&2_i64.into()));
        assert_eq!(header(&copy, "event-pusher-reason"), Some(&text("rejected")));
        assert_eq!(header(&copy, "x-delivery-count"), None);
    }
}

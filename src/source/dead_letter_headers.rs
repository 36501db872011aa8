//! What a dead letter carries: everything that the original had, and why it is dead.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::origin;
use crate::dead_letters::letter::{COVER, OF_A_DEATH};
use crate::event::Envelope;
use crate::outcome::DeadLetter;
use crate::signature::SigningKey;

/// Bytes of the error's text in its header.
const LONGEST_ERROR: usize = 1024;

/// Bytes that the original's headers may take. Together with ours and all other
/// properties they must fit into one frame, 128 KiB by default; a larger one would make the broker
/// close the connection, again and again.
const LARGEST_ORIGINAL: usize = 120 * 1024;

/// Names the headers that were left out.
pub(super) const DROPPED: &str = "event-pusher-dropped-headers";

/// Bytes of a content header besides the table of headers, at most: the frame around it, what is fixed, ten
/// short strings; and the header that names what was left out.
const BESIDE_HEADERS: usize = 64 + 10 * 256 + DROPPED.len() + LONGEST_ERROR;

pub(super) const PERSISTENT: u8 = 2;

/// Written by a quorum queue into what it delivers; the copy gets counts of its own.
const BROKERS_OWN: [&str; 2] = ["x-delivery-count", "x-acquired-count"];

/// Where a dead letter came from, so that a replay goes home.
pub(super) struct Origin<'a> {
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
pub(super) fn dead_letter_properties(
    original: &BasicProperties,
    origin: &Origin<'_>,
    letter: &DeadLetter,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &original_headers(original) {
        let is_death = OF_A_DEATH.contains(&name.as_str());
        let name = if is_death { format!("{COVER}{name}").into() } else { name.clone() };
        headers.insert(name, value.clone());
    }
    headers.insert(origin::EXCHANGE.into(), text(&origin.envelope.exchange));
    headers.insert(origin::ROUTING_KEY.into(), text(&origin.envelope.routing_key));
    headers.insert(origin::QUEUE.into(), text(origin.queue));
    let mut set = |name: &str, value: AMQPValue| {
        headers.insert(format!("event-pusher-{name}").into(), value);
    };
    set("reason", text(letter.reason.label()));
    set("error", text(shortened(&letter.error)));
    set("attempts", i64::from(letter.attempts).into());
    if let Some(topic) = &letter.topic {
        set("topic", text(topic.as_str()));
    }
    set("failed-at", text(&Timestamp::now().to_string()));
    set("worker", text(origin.worker));
    if let Some(expiration) = original.expiration() {
        set("expiration", text(expiration.as_str()));
    }
    if let Some(user_id) = original.user_id() {
        set("user-id", text(user_id.as_str()));
    }
    if original.headers().as_ref().is_none_or(|headers| !has(headers, "event-pusher-replays")) {
        set("replays", 0_i64.into());
    }
    let message_id = original.message_id().as_ref().map(ShortString::as_str);
    origin::sign(&mut headers, message_id, origin.key);
    kept_properties(original).with_headers(headers).with_delivery_mode(PERSISTENT)
}

/// The original's headers, less the broker's own, and, in the case that they fill a whole
/// frame, less the largest, which are named in a header.
pub(super) fn original_headers(original: &BasicProperties) -> FieldTable {
    let mut kept: Vec<_> = original
        .headers()
        .iter()
        .flatten()
        .filter(|(name, _)| !BROKERS_OWN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone(), name.as_str().len() + size(value)))
        .collect();
    let mut total: usize = kept.iter().map(|(_, _, size)| size).sum();
    // What it has lost before is lost still.
    let mut dropped = named_dropped(original);
    kept.sort_by_key(|(_, _, size)| *size);
    while total > LARGEST_ORIGINAL
        && let Some((name, _, size)) = kept.pop()
    {
        total -= size;
        dropped.push(name.as_str().to_owned());
    }
    let mut headers = FieldTable::default();
    for (name, value, _) in kept {
        headers.insert(name, value);
    }
    if !dropped.is_empty() {
        headers.insert(DROPPED.into(), text(shortened(&dropped.join(", "))));
    }
    headers
}

fn named_dropped(properties: &BasicProperties) -> Vec<String> {
    let headers = properties.headers().iter().flatten();
    let named = headers.filter(|(name, _)| name.as_str() == DROPPED);
    named
        .filter_map(|(_, value)| match value {
            AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
            _ => None,
        })
        .collect()
}

/// Less the largest headers, if they would not fit into a frame of so many bytes: RabbitMQ closes the
/// connection for a larger one, every time. Headers came in a frame themselves, and what was added here
/// comes on top.
pub(super) fn fitting(properties: BasicProperties, frame_max: u32) -> BasicProperties {
    let room = match frame_max {
        0 => usize::MAX,
        most => (most as usize).saturating_sub(BESIDE_HEADERS),
    };
    let Some(headers) = properties.headers() else { return properties };
    let mut total: usize = headers.into_iter().map(|(name, it)| entry_bytes(name, it)).sum();
    if total <= room {
        return properties;
    }
    let mut kept: Vec<_> =
        headers.into_iter().map(|(name, value)| (name, value, entry_bytes(name, value))).collect();
    // Where it came from, why it is dead and a worker's signature are the last to go.
    kept.sort_by_key(|(name, _, bytes)| (!says_why(name.as_str()), *bytes));
    let mut dropped = named_dropped(&properties);
    while total > room
        && let Some((name, _, bytes)) = kept.pop()
    {
        total -= bytes;
        dropped.push(name.as_str().to_owned());
    }
    let mut fitting = FieldTable::default();
    for (name, value, _) in kept {
        fitting.insert(name.clone(), value.clone());
    }
    fitting.insert(DROPPED.into(), text(shortened(&dropped.join(", "))));
    properties.with_headers(fitting)
}

/// Whether a header is one that workers write, other than the original bytes or the cover of another.
fn says_why(name: &str) -> bool {
    name.starts_with("event-pusher-")
        && !name.starts_with("event-pusher-original-")
        && !name.starts_with(COVER)
}

/// Bytes of a header on the wire.
fn entry_bytes(name: &ShortString, value: &AMQPValue) -> usize {
    1 + name.as_str().len() + value_bytes(value)
}

/// Bytes of a value on the wire, with its type.
fn value_bytes(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(array) => 4 + array.as_slice().iter().map(value_bytes).sum::<usize>(),
        AMQPValue::FieldTable(table) => {
            4 + table.into_iter().map(|(name, value)| entry_bytes(name, value)).sum::<usize>()
        }
    }
}

/// All properties that a dead letter keeps as they came, other than its headers.
pub(super) fn kept_properties(original: &BasicProperties) -> BasicProperties {
    macro_rules! keep {
        ($($get:ident => $with:ident),+ $(,)?) => {{
            let mut kept = BasicProperties::default();
            $(if let Some(value) = original.$get() { kept = kept.$with(value.clone()); })+
            kept
        }};
    }
    keep! {
        content_type => with_content_type,
        content_encoding => with_content_encoding,
        priority => with_priority,
        correlation_id => with_correlation_id,
        reply_to => with_reply_to,
        message_id => with_message_id,
        timestamp => with_timestamp,
        kind => with_type,
        app_id => with_app_id,
        cluster_id => with_cluster_id,
    }
}

fn has(headers: &FieldTable, name: &str) -> bool {
    headers.into_iter().any(|(it, _)| it.as_str() == name)
}

pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn shortened(error: &str) -> &str {
    &error[..error.floor_char_boundary(LONGEST_ERROR)]
}

/// Bytes of a value on the wire, or a few more.
fn size(value: &AMQPValue) -> usize {
    const LARGEST_FIXED: usize = 16;
    LARGEST_FIXED
        + match value {
            AMQPValue::LongString(text) => text.as_bytes().len(),
            AMQPValue::ShortString(text) => text.as_str().len(),
            AMQPValue::ByteArray(bytes) => bytes.as_slice().len(),
            AMQPValue::FieldArray(array) => array.as_slice().iter().map(size).sum(),
            AMQPValue::FieldTable(table) => {
                table.into_iter().map(|(name, value)| name.as_str().len() + size(value)).sum()
            }
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn what_does_not_fit_into_a_frame_is_left_out_and_named() {
        let properties = |bytes: usize| {
            let mut headers = FieldTable::default();
            headers.insert("small".into(), text("kept"));
            headers.insert("huge".into(), text(&"x".repeat(bytes)));
            BasicProperties::default().with_headers(headers)
        };
        let small = entry_bytes(&"small".into(), &text("kept"));
        let around = entry_bytes(&"huge".into(), &text(""));
        let most = 131_072 - BESIDE_HEADERS - small - around;
        assert_eq!(fitting(properties(most), 131_072), properties(most));
        assert_eq!(fitting(properties(most + 1), 0), properties(most + 1), "there is no limit");
        let fitted = fitting(properties(most + 1), 131_072);
        assert_eq!(header(&fitted, "small"), Some(&text("kept")));
        assert_eq!(header(&fitted, "huge"), None);
        assert_eq!(header(&fitted, DROPPED), Some(&text("huge")));
        // However many others there are, and however small.
        let mut headers = FieldTable::default();
        for number in 0..2000 {
            headers.insert(format!("h{number}").into(), text("x"));
        }
        headers.insert(origin::EXCHANGE.into(), text(&"e".repeat(200)));
        let fitted = fitting(BasicProperties::default().with_headers(headers), 16_384);
        assert!(header(&fitted, origin::EXCHANGE).is_some());
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

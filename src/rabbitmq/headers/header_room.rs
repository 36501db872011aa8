//! Makes headers fit into one frame, since RabbitMQ closes the connection for a larger one. The largest are left
//! out, and named.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::headers::{COUNTS, COVER, DROPPED, ORIGINAL, PREFIX};

/// Bytes of the error's text in its header.
pub(in crate::rabbitmq) const LONGEST_ERROR: usize = 1024;

/// Bytes that the original's headers may take. Together with ours and all other
/// properties they must fit into one frame, 128 KiB by default; a larger one would make the broker
/// close the connection, again and again.
const LARGEST_ORIGINAL: usize = 120 * 1024;

/// Bytes of a content header besides the table of headers, at most: the frame around it, what is fixed, ten
/// short strings; and the header that names what was left out.
const BESIDE_HEADERS: usize = 64 + 10 * 256 + DROPPED.len() + LONGEST_ERROR;

/// [`original_headers`] with `cover` before the names of those that are meant.
pub(in crate::rabbitmq) fn covered_headers(
    original: &BasicProperties,
    cover: &str,
    is_meant: impl Fn(&str) -> bool,
) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in &original_headers(original) {
        let name =
            if is_meant(name.as_str()) { format!("{cover}{name}").into() } else { name.clone() };
        headers.insert(name, value.clone());
    }
    headers
}

/// The original's headers, less the broker's own, and, in the case that they fill a whole
/// frame, less the largest, which are named in a header.
pub(in crate::rabbitmq) fn original_headers(original: &BasicProperties) -> FieldTable {
    let headers = original.headers().iter().flatten();
    let mut kept: Vec<_> = headers
        // The copy gets counts of its own.
        .filter(|(name, _)| !COUNTS.contains(&name.as_str()))
        .map(|(name, value)| (name, value, name.as_str().len() + size(value)))
        .collect();
    kept.sort_by_key(|(_, _, size)| *size);
    // What it has lost before is lost still.
    without_last(kept, LARGEST_ORIGINAL, named_dropped(original))
}

/// Headers with their sizes, less as many of the last as exceed the room. All that were dropped are named in one more.
fn without_last(
    mut kept: Vec<(&ShortString, &AMQPValue, usize)>,
    room: usize,
    mut dropped: Vec<String>,
) -> FieldTable {
    let mut total: usize = kept.iter().map(|(_, _, size)| size).sum();
    while total > room
        && let Some((name, _, size)) = kept.pop()
    {
        total -= size;
        dropped.push(name.as_str().to_owned());
    }
    let mut headers = FieldTable::default();
    for (name, value, _) in kept {
        headers.insert(name.clone(), value.clone());
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
pub(in crate::rabbitmq) fn fitting(properties: BasicProperties, frame_max: u32) -> BasicProperties {
    let room = match frame_max {
        0 => usize::MAX,
        most => (most as usize).saturating_sub(BESIDE_HEADERS),
    };
    let Some(headers) = properties.headers() else { return properties };
    let mut kept: Vec<_> =
        headers.into_iter().map(|(name, value)| (name, value, entry_bytes(name, value))).collect();
    if kept.iter().map(|(_, _, bytes)| bytes).sum::<usize>() <= room {
        return properties;
    }
    // Where it came from, why it is dead and a worker's signature are the last to go.
    kept.sort_by_key(|(name, _, bytes)| (!says_why(name.as_str()), *bytes));
    let fitting = without_last(kept, room, named_dropped(&properties));
    properties.with_headers(fitting)
}

/// Whether a header is one that workers write, other than the original bytes or the cover of another.
fn says_why(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(ORIGINAL) && !name.starts_with(COVER)
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

pub(in crate::rabbitmq) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

pub(in crate::rabbitmq) fn shortened(error: &str) -> &str {
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
    use crate::headers::EXCHANGE;

    fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
        properties.headers().iter().flatten().find(|(it, _)| it.as_str() == name).map(|it| it.1)
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
        headers.insert(EXCHANGE.into(), text(&"e".repeat(200)));
        let fitted = fitting(BasicProperties::default().with_headers(headers), 16_384);
        assert!(header(&fitted, EXCHANGE).is_some());
    }
}

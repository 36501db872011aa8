//! Converts a delivery's AMQP headers to the types of the pure crate.

pub(crate) mod amqp_message;
pub(crate) mod dead_letter;
pub(crate) mod header_room;
pub(crate) mod origin;
pub(crate) mod originals;
pub(crate) mod outcome_report;
pub(crate) mod parked;
pub(crate) mod sorted;

use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable};

/// All headers of simple kinds, by [`crate::event::Envelope::headers`]' rules. Tables, lists and
/// bytes that are no text have no such form and are left out.
pub(crate) fn texts(headers: &FieldTable) -> Vec<(String, String)> {
    let text = |(name, value)| Some((ToString::to_string(name), text(value)?));
    headers.into_iter().filter_map(text).collect()
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        AMQPValue::Boolean(it) => Some(it.to_string()),
        AMQPValue::ShortShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortShortUInt(it) => Some(it.to_string()),
        AMQPValue::ShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortUInt(it) => Some(it.to_string()),
        AMQPValue::LongInt(it) => Some(it.to_string()),
        AMQPValue::LongUInt(it) => Some(it.to_string()),
        AMQPValue::LongLongInt(it) => Some(it.to_string()),
        // In seconds, since AMQP 0-9-1.
        AMQPValue::Timestamp(seconds) => {
            let seconds = i64::try_from(*seconds).ok()?;
            Timestamp::from_second(seconds).ok().map(|time| time.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_simple_kinds_become_canonical_texts() {
        let cases = [
            ("text", AMQPValue::LongString("Grüezi".into()), Some("Grüezi")),
            ("bytes", AMQPValue::LongString(b"\xff".to_vec().into()), None),
            ("short", AMQPValue::ShortString("x".into()), Some("x")),
            ("flag", AMQPValue::Boolean(true), Some("true")),
            ("tiny", AMQPValue::ShortShortInt(-1), Some("-1")),
            ("long", AMQPValue::LongLongInt(i64::MIN), Some("-9223372036854775808")),
            ("time", AMQPValue::Timestamp(1_769_850_000), Some("2026-01-31T09:00:00Z")),
            ("never", AMQPValue::Timestamp(u64::MAX), None),
            ("table", AMQPValue::FieldTable(FieldTable::default()), None),
            ("nothing", AMQPValue::Void, None),
        ];
        let mut headers = FieldTable::default();
        for (name, value, _) in &cases {
            headers.insert((*name).into(), value.clone());
        }
        let texts = texts(&headers);
        for (name, _, expected) in cases {
            let found = texts.iter().find(|(it, _)| it == name).map(|(_, text)| text.as_str());
            assert_eq!(found, expected, "{name}");
        }
    }
}

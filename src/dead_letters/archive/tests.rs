use proptest::prelude::*;

use super::*;
use crate::rabbitmq::message::{Headers, Value};

fn message(number: u8) -> Message {
    let properties = Properties {
        headers: Some([("n".to_owned(), Value::U8(number))].into()),
        message_id: Some(format!("m-{number}")),
        ..Properties::default()
    };
    let body = if number.is_multiple_of(2) {
        vec![0xff, number]
    } else {
        b"{\"a\": \"\\u00e9\n\"}".to_vec()
    };
    Message { exchange: "e".into(), routing_key: "k".into(), properties, body, unread: None }
}

fn archive(messages: &[Message]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "q").unwrap();
    for message in messages {
        writer.add(message.clone()).unwrap();
    }
    writer.finish().unwrap()
}

fn read(archive: &[u8]) -> Result<Vec<Message>, ArchiveError> {
    let mut reader = ArchiveReader::new(archive)?;
    let mut messages = Vec::new();
    while let Some(message) = reader.next_letter()? {
        messages.push(message);
    }
    Ok(messages)
}

/// The number of the line that is complained about.
fn broken_line(archive: &[u8]) -> u64 {
    match read(archive) {
        Err(ArchiveError::Broken { line, .. }) => line,
        other => panic!("{other:?} from\n{}", String::from_utf8_lossy(archive)),
    }
}

#[test]
fn an_archive_on_a_terminal_drives_nothing_and_has_the_letters_as_they_were() {
    let text = "a\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{2066}\u{e0041}\n\"ü€";
    let mut letter = message(1);
    letter.body = text.into();
    letter.routing_key = text.to_owned();
    letter.properties.message_id = Some(text.to_owned());
    letter.properties.headers =
        Some([("n\u{202e}".to_owned(), Value::Text(text.to_owned()))].into());
    let whole = archive(std::slice::from_ref(&letter));
    let shown = String::from_utf8(whole.clone()).unwrap();
    assert!(!shown.lines().any(|line| line.contains(crate::text::is_unprintable)), "{shown:?}");
    assert_eq!(read(&whole).unwrap(), [letter]);
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let whole = archive(&[message(1), message(2), message(3)]);
    assert_eq!(read(&whole).unwrap().len(), 3);
    for end in 0..whole.len() {
        let lines = whole[..end].split(|byte| *byte == b'\n').count() as u64;
        assert_eq!(broken_line(&whole[..end]), lines, "cut at {end}");
    }
}

#[test]
fn a_file_in_which_any_byte_was_changed_is_refused() {
    let whole = archive(&[message(1), message(2)]);
    for place in 0..whole.len() {
        let mut edited = whole.clone();
        edited[place] ^= 1;
        assert!(read(&edited).is_err(), "byte {place} changed: {}", edited.escape_ascii());
    }
}

#[test]
fn lines_that_are_gone_doubled_or_have_changed_places_are_missed() {
    let whole = String::from_utf8(archive(&[message(1), message(3), message(5)])).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let with = |order: &[usize]| order.iter().map(|it| lines[*it]).collect::<String>();
    assert_eq!(with(&[0, 1, 2, 3, 4]), whole);
    for order in [&[0, 1, 3, 4][..], &[0, 1, 1, 2, 3, 4], &[0, 2, 1, 3, 4]] {
        assert_eq!(broken_line(with(order).as_bytes()), order.len() as u64, "{order:?}");
    }
    assert_eq!(broken_line(with(&[1, 2, 3, 4]).as_bytes()), 1);
    assert_eq!(broken_line(with(&[0, 1, 2, 3, 4, 3]).as_bytes()), 6);
    assert_eq!(broken_line(with(&[0, 1, 2, 3, 4, 4]).as_bytes()), 6);
}

#[test]
fn an_edited_letter_is_named_by_its_line_without_a_word_of_it() {
    let whole = String::from_utf8(archive(&[message(1), message(3)])).unwrap();
    let edits = [
        ("\"m-3\"", "\"m-4\""),
        (
            "\"routing_key\":\"k\",\"properties\":{\"headers\":{\"n\":{\"u8\":3",
            "\"routing_key\":\"k\",\"properties\":{\"headers\":{\"n\":{\"u8\":4",
        ),
        ("{\"u8\":3}", "{\"u8\":300}"),
        ("\"message_id\":\"m-3\"", "\"secret\":\"m-3\""),
        ("\"m-3\"}", "\"m-3\""),
    ];
    for (old, new) in edits {
        let edited = whole.replacen(old, new, 1);
        assert_ne!(edited, whole);
        assert_eq!(broken_line(edited.as_bytes()), 3, "{old} → {new}");
        let said = read(edited.as_bytes()).unwrap_err().to_string();
        assert!(!said.contains("m-") && !said.contains("secret"), "{said}");
    }
    let other = whole.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(broken_line(other.as_bytes()), 1);
    for foreign in ["", "\n", "{}\n", "[amqp]\nuri = 1\n", "\u{0}\u{1}"] {
        assert_eq!(broken_line(foreign.as_bytes()), 1, "{foreign:?}");
    }
    assert_eq!(broken_line(&vec![b'x'; 1_000_000]), 1);
}

#[test]
fn what_amqp_has_no_room_for_is_refused_before_it_is_sent() {
    let mut long = message(1);
    long.properties.app_id = Some("x".repeat(256));
    assert_eq!(broken_line(&archive(&[long])), 2);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        any::<u64>().prop_map(Value::Timestamp),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Binary),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        Just(Value::Void),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z é]{0,5}", inner, 0..4).prop_map(Value::Table),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_exported_is_imported_bit_for_bit(
        headers in prop::option::of(prop::collection::btree_map("[a-z-]{0,9}", value(), 0..5)),
        texts in prop::collection::vec(prop::option::of("\\PC{0,20}"), 10),
        numbers in any::<(Option<u8>, Option<u8>, Option<u64>)>(),
        body in any::<Vec<u8>>(),
    ) {
        let headers: Option<Headers> = headers;
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        let properties = Properties {
            headers,
            content_type: text(), content_encoding: text(), correlation_id: text(),
            reply_to: text(), expiration: text(), message_id: text(), kind: text(),
            user_id: text(), app_id: text(), cluster_id: text(),
            delivery_mode: numbers.0, priority: numbers.1, timestamp: numbers.2,
        };
        let message = Message { exchange: "e".into(), routing_key: "k".into(), properties, body, unread: None };
        let read = read(&archive(std::slice::from_ref(&message))).unwrap();
        prop_assert_eq!(read.len(), 1);
        // What is not a number equals nothing, not even itself.
        prop_assert_eq!(bits(&read[0]), bits(&message));
    }
}

/// The message without its floating-point numbers, and those by their bits.
fn bits(message: &Message) -> (Message, Vec<u64>) {
    let mut copy = message.clone();
    let mut floats = Vec::new();
    copy.properties.headers.iter_mut().flatten().for_each(|(_, it)| take_floats(it, &mut floats));
    (copy, floats)
}

fn take_floats(value: &mut Value, floats: &mut Vec<u64>) {
    match value {
        Value::F32(it) => floats.push(it.to_bits().into()),
        Value::F64(it) => floats.push(it.to_bits()),
        Value::Array(values) => return values.iter_mut().for_each(|it| take_floats(it, floats)),
        Value::Table(table) => return table.values_mut().for_each(|it| take_floats(it, floats)),
        _ => return,
    }
    *value = Value::Void;
}

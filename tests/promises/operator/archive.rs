//! Dead letters in a file: nothing of them is lost, and nothing is half imported.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable};
use lapin::{BasicProperties, types::LongString};

use super::{expect, ids, on_both, stand};
use crate::support::{COUNTS, Ended, Letter, Stand, dlq_program};

async fn within(directory: &Path, stand: &Stand, arguments: &[&str]) -> Ended {
    std::fs::write(directory.join("stand.toml"), stand.configuration()).unwrap();
    dlq_program(stand, arguments).within(directory).run().await
}

/// A header of each type that AMQP has, and all properties.
fn everything(stand: &Stand) -> Letter {
    let mut nested = FieldTable::default();
    nested.insert("empty".into(), FieldTable::default().into());
    nested.insert("list".into(), FieldArray::from(vec![AMQPValue::Void, 7_i64.into()]).into());
    let values = [
        ("bool", AMQPValue::Boolean(true)),
        ("i8", AMQPValue::ShortShortInt(-8)),
        ("u8", AMQPValue::ShortShortUInt(200)),
        ("i16", AMQPValue::ShortInt(-16_000)),
        ("u16", AMQPValue::ShortUInt(60_000)),
        ("i32", AMQPValue::LongInt(i32::MIN)),
        ("u32", AMQPValue::LongUInt(u32::MAX)),
        ("i64", AMQPValue::LongLongInt(i64::MIN)),
        ("float", AMQPValue::Float(0.1)),
        ("double", AMQPValue::Double(-1.0e-300)),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 12345 })),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
        ("text", AMQPValue::LongString("ünïcode \u{0} \"quoted\"".into())),
        ("binary text", AMQPValue::LongString(LongString::from(&[0, 255, 128][..]))),
        ("bytes", AMQPValue::ByteArray(ByteArray::from(vec![0, 255, 128]))),
        ("void", AMQPValue::Void),
        ("table", nested.into()),
    ];
    let properties = BasicProperties::default()
        .with_content_type("application/octet-stream".into())
        .with_content_encoding("identity".into())
        .with_message_id("everything".into())
        .with_timestamp(1_700_000_000)
        .with_correlation_id("correlation-1".into())
        .with_reply_to("replies".into())
        .with_type("chat-event".into())
        .with_app_id("server".into())
        .with_cluster_id("cluster".into())
        .with_priority(7)
        .with_delivery_mode(1);
    let letter = Letter { properties, body: (0..=255).collect(), ..Letter::number(stand, 0) };
    values.into_iter().fold(letter, |letter, (name, value)| letter.with(name, value))
}

/// All of a delivery but its place.
fn content(delivery: &Delivery) -> (Vec<u8>, String, String, BasicProperties) {
    let mut headers = delivery.properties.headers().clone().unwrap_or_default().inner().clone();
    for count in COUNTS {
        headers.remove(count);
    }
    let properties = delivery.properties.clone().with_headers(FieldTable::from(headers));
    let address = (delivery.exchange.to_string(), delivery.routing_key.to_string());
    (delivery.data.clone(), address.0, address.1, properties)
}

#[tokio::test]
async fn what_is_exported_and_imported_is_the_same_to_the_last_header() {
    on_both(async |queue_type| {
        let directory = tempfile::tempdir().unwrap();
        let stand = stand("archive", queue_type).await;
        let letters = || [everything(&stand), Letter::foreign("bare"), Letter::number(&stand, 1)];
        stand.bury(letters()).await;
        let original = stand.drain(&stand.dead_letter_queue(), 3).await;
        stand.bury(letters()).await;
        let exported = within(directory.path(), &stand, &["export", "letters.jsonl"]).await;
        expect(
            &exported,
            0,
            &["exported 3 dead letters to letters.jsonl; they are still in the queue"],
        );
        let file = directory.path().join("letters.jsonl");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        stand.drain_dead_letters(3).await;
        let imported = within(directory.path(), &stand, &["import", "letters.jsonl"]).await;
        expect(&imported, 0, &["imported 3 of 3 dead letters from letters.jsonl"]);
        let again = within(directory.path(), &stand, &["import", "letters.jsonl"]).await;
        expect(&again, 0, &["imported 0 of 3 dead letters", "3 were already in the queue"]);
        let back = stand.drain(&stand.dead_letter_queue(), 3).await;
        for (before, after) in original.iter().zip(&back) {
            assert_eq!(content(after), content(before), "{queue_type}");
        }
        stand.leave_nothing().await;
    })
    .await;
}

/// From 4.3 on a quorum queue delivers what has a higher priority first.
#[tokio::test]
async fn an_archive_keeps_the_order_within_one_priority() {
    on_both(async |queue_type| {
        let directory = tempfile::tempdir().unwrap();
        let stand = stand("archive-priority", queue_type).await;
        let letter = |number: usize| {
            let letter = Letter::number(&stand, number);
            let priority = if number.is_multiple_of(2) { 1 } else { 9 };
            Letter { properties: letter.properties.with_priority(priority), ..letter }
        };
        let by_priority = ids([1, 3, 5, 0, 2, 4]);
        let is_sorted = stand.is_newest() && queue_type == "quorum";
        let expected = if is_sorted { by_priority } else { ids(0..6) };
        stand.bury((0..6).map(letter)).await;
        within(directory.path(), &stand, &["export", "letters.jsonl"]).await;
        assert_eq!(stand.drain_dead_letters(6).await, expected, "{queue_type}");
        within(directory.path(), &stand, &["import", "letters.jsonl"]).await;
        assert_eq!(stand.drain_dead_letters(6).await, expected, "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}

/// A producer chooses the texts, and an operator's terminal shows them.
#[tokio::test]
async fn what_is_exported_to_a_terminal_does_not_drive_it_and_is_the_same_when_imported() {
    let directory = tempfile::tempdir().unwrap();
    let stand = stand("archive-terminal", "quorum").await;
    let text = "a\u{7f}\u{9b}2J\u{202e}\u{2066}\u{e0041}";
    let letter = || Letter { body: text.as_bytes().into(), ..Letter::number(&stand, 1) };
    stand.bury([letter()]).await;
    let original = stand.drain(&stand.dead_letter_queue(), 1).await;
    stand.bury([letter()]).await;
    let exported = within(directory.path(), &stand, &["export", "-"]).await;
    expect(&exported, 0, &["\\u007f\\u009b2J\\u202e\\u2066\\udb40\\udc41"]);
    let obeyed = ['\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{e0041}'];
    assert!(!exported.all().contains(obeyed), "{exported:?}");
    stand.drain_dead_letters(1).await;
    std::fs::write(directory.path().join("letters.jsonl"), &exported.stdout).unwrap();
    let imported = within(directory.path(), &stand, &["import", "letters.jsonl"]).await;
    expect(&imported, 0, &["imported 1 of 1 dead letter from letters.jsonl"]);
    let back = stand.drain(&stand.dead_letter_queue(), 1).await;
    assert_eq!(content(&back[0]), content(&original[0]));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_import_that_was_cut_short_is_finished_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let stand = stand("archive-twice", "quorum").await;
    stand.bury_numbers(0..50).await;
    within(directory.path(), &stand, &["export", "letters.jsonl"]).await;
    // As if it had stopped here.
    stand.drain_dead_letters(50).await;
    stand.bury_numbers(0..20).await;
    let imported = within(directory.path(), &stand, &["import", "letters.jsonl"]).await;
    expect(&imported, 0, &["imported 30 of 50 dead letters", "20 were already in the queue"]);
    assert_eq!(stand.drain_dead_letters(50).await, ids(0..50));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_file_that_was_cut_or_edited_is_refused_with_its_line_and_nothing_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let stand = stand("archive-edited", "quorum").await;
    stand.bury_numbers(0..5).await;
    within(directory.path(), &stand, &["export", "letters.jsonl"]).await;
    stand.drain_dead_letters(5).await;
    let whole = std::fs::read_to_string(directory.path().join("letters.jsonl")).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let cases = [
        (whole[..whole.len() - 20].to_owned(), "line 7: the file is cut off within this line"),
        (lines[..4].concat(), "line 5: the file is cut off: its last line is missing"),
        (whole.replacen("\"m-2\"", "\"m-9\"", 1), "line 4: the line was edited"),
        (
            whole.replacen("\"message_id\":\"m-4\"", "\"message_id\":5", 1),
            "line 6: the line does not have",
        ),
        ([&lines[..3], &lines[4..]].concat().concat(), "line 6: the file had 5 letters, and has 4"),
        (String::new(), "line 1: `dead-letters export` did not write this file"),
        (stand.configuration(), "line 1: `dead-letters export` did not write this file"),
    ];
    for (text, said) in cases {
        std::fs::write(directory.path().join("edited.jsonl"), text).unwrap();
        let ended = within(directory.path(), &stand, &["import", "edited.jsonl"]).await;
        expect(&ended, 1, &["edited.jsonl: ", said, "Nothing was imported"]);
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 0);
    }
    let gone = within(directory.path(), &stand, &["import", "gone.jsonl"]).await;
    expect(&gone, 1, &["cannot read gone.jsonl: No such file"]);
    let pipe = within(directory.path(), &stand, &["import", "/dev/null"]).await;
    expect(&pipe, 1, &["/dev/null is not a regular file"]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_export_overwrites_nothing_and_leaves_no_half_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let stand = stand("archive-files", "quorum").await;
    stand.bury_numbers(0..5).await;
    std::fs::write(directory.path().join("there.jsonl"), "mine").unwrap();
    let refused = within(directory.path(), &stand, &["export", "there.jsonl"]).await;
    expect(&refused, 1, &["there.jsonl already exists"]);
    assert_eq!(std::fs::read(directory.path().join("there.jsonl")).unwrap(), b"mine");
    let nowhere = within(directory.path(), &stand, &["export", "gone/letters.jsonl"]).await;
    expect(&nowhere, 1, &["cannot create gone/letters.jsonl: No such file"]);
    let none =
        within(directory.path(), &stand, &["export", "none.jsonl", "--reason", "panicked"]).await;
    expect(&none, 0, &["none of the 5 dead letters"]);
    assert!(!directory.path().join("none.jsonl").exists());
    let some = within(directory.path(), &stand, &["export", "-", "--limit", "2"]).await;
    expect(&some, 0, &["exported 2 dead letters"]);
    assert_eq!(some.stdout.lines().count(), 4);
    assert_eq!(stand.drain_dead_letters(5).await, ids(0..5));
    stand.leave_nothing().await;
}

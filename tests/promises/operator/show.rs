//! What `show` says of one letter, and what it would become now.

use lapin::types::AMQPValue;
use serde_json::Value;

use super::{expect, stand};
use crate::support::{Letter, Stand, Worker, dlq, dlq_program};

#[tokio::test]
async fn a_letter_shows_why_it_failed_and_what_it_would_become_now() {
    let stand = stand("show", "quorum").await;
    stand.bury_numbers(0..3).await;
    let late = Letter::number(&stand, 3).with("trace", AMQPValue::LongLongInt(7));
    stand.bury([late]).await;
    let ended = dlq(&stand, &["show", "m-3"]).await;
    let pm = stand.topic_arn("pm");
    let said = [
        "message id     m-3\n",
        "reason         retries_exhausted\n",
        "error          gave up after 3 attempts: Throttling: Rate exceeded\n",
        "attempts       3\n",
        "failed at      2026-01-31T02:00:03Z\n",
        &format!("topic          {pm}\n"),
        "routing key    some.key\n",
        "source         events\n",
        "replays        0\n",
        "header         trace = 7\n",
        &format!("now            would be published to {pm}: "),
        " bytes; --body shows the body\n",
    ];
    expect(&ended, 0, &said);
    assert!(!ended.stdout.contains("\"message\""), "a body shows: {}", ended.stdout);
    // By its id, or by the beginning of that.
    let id = ended.line("id             ").split_whitespace().last().unwrap().to_owned();
    for name in [&id[..], &id[..8], &id.to_uppercase()] {
        expect(&dlq(&stand, &["show", name]).await, 0, &["m-3"]);
    }
    let ended = dlq(&stand, &["show", &id, "--body"]).await;
    expect(
        &ended,
        0,
        &["\"message\":\"3\"", "notification:\n{\"from_user_id\":\"user-3@localhost\""],
    );
    let ended = dlq(&stand, &["show", &id, "--body", "--json"]).await;
    expect(&ended, 0, &["\"body\":{\"from_user_id\":\"user-3@localhost\",\"to_user_id\":"]);
    let ended = dlq(&stand, &["show", &id, "--json"]).await;
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&json["now"]["outcome"], &json["now"]["topic"]), (&"published".into(), &pm.into()));
    assert_eq!(json["properties"]["headers"]["trace"]["i64"], 7);
    assert!(json.get("body").is_none());
    stand.drain_dead_letters(4).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_it_would_become_follows_the_configuration() {
    let stand = stand("show-now", "quorum").await;
    stand.bury_numbers(0..1).await;
    let broken = Letter { body: b"{\"type\":\"chat\",".into(), ..Letter::number(&stand, 1) };
    stand.bury([broken]).await;
    let cases = [
        (
            "SNS__PM_MESSAGES_TOPIC",
            "other",
            "would be published to arn:aws:sns:us-east-1:123456789012:other: ",
        ),
        ("SNS__PM_MESSAGES_TOPIC", "", "would be skipped: topic_unset"),
        ("SNS__MAX_MESSAGE_BYTES", "1", "would be dead-lettered again: too_large: "),
        ("SNS__ORDERING", "per-key", "in order with chat/bob@localhost,user-0@localhost"),
    ];
    for (key, value, text) in cases {
        let show = dlq_program(&stand, &["show", "m-0"]).with(key, value);
        expect(&show.run().await, 0, &["now            ", text]);
    }
    let undecodable = "would be dead-lettered again: undecodable: line 1, column ";
    expect(&dlq(&stand, &["show", "m-1"]).await, 0, &[undecodable]);
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_terminal_is_not_told_what_to_do_by_what_a_letter_holds() {
    let stand = stand("show-escapes", "quorum").await;
    let nasty = "\u{1b}]0;owned\u{7}\r\u{9b}2J\u{202e}";
    let letter = Letter { body: nasty.into(), ..Letter::number(&stand, 0) }
        .with(nasty, AMQPValue::LongString(nasty.into()))
        .saying("error", nasty)
        .saying("reason", nasty)
        .saying("topic", nasty);
    stand.bury([letter]).await;
    let binary = Letter { body: vec![0, 255, 27], ..Letter::number(&stand, 1) };
    stand.bury([binary]).await;
    for arguments in [
        &["show", "m-0", "--body"][..],
        &["show", "m-1", "--body"],
        &["list"],
        &["list", "--each"],
        &["list", "--json"],
        &["show", "m-0", "--json", "--body"],
    ] {
        let ended = dlq(&stand, arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.all().find(obeyed), None, "{arguments:?}: {ended:?}");
    }
    let ended = dlq(&stand, &["show", "m-1", "--body"]).await;
    expect(&ended, 0, &["\\x00\\xff\\x1b"]);
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}

/// What a terminal obeys.
fn obeyed(c: char) -> bool {
    c != '\n' && (c.is_control() || c == '\u{202e}')
}

/// A queue's name may be a letter's, and a refusal repeats it.
#[tokio::test]
async fn nor_by_a_refusal_of_a_name_that_a_letter_holds() {
    let stand = stand("show-answers", "quorum").await;
    let nasty = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
    let letter = |number, name| Letter::number(&stand, number).saying(name, nasty);
    stand.bury([letter(0, "queue"), letter(1, "exchange").saying("routing-key", nasty)]).await;
    for arguments in [
        &["replay", "--dry-run"][..],
        &["replay", "--to-exchange", "--id", "m-1"],
        &["replay", "--to-exchange", "--id", "m-1", "--json"],
        &["replay", "--canary", "1", "--id", "m-0"],
    ] {
        let ended = dlq(&stand, arguments).await;
        expect(&ended, 1, &["belongs to no configured source", "9b"]);
        assert_eq!(ended.all().find(obeyed), None, "{arguments:?}: {ended:?}");
    }
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_name_that_means_none_or_many_is_said_to() {
    let stand = stand("show-names", "quorum").await;
    let twice = Letter::number(&stand, 0);
    stand.bury([twice.clone(), twice.saying("worker", "another"), Letter::number(&stand, 1)]).await;
    expect(&dlq(&stand, &["show", "gone"]).await, 1, &["no dead letter in `", "has the id `gone`"]);
    let ended = dlq(&stand, &["show", "m-0"]).await;
    expect(&ended, 1, &["more than one dead letter has the message id `m-0`"]);
    assert_eq!(ended.stderr.matches("user-0@localhost → bob@localhost").count(), 2, "{ended:?}");
    stand.drain_dead_letters(3).await;
    stand.leave_nothing().await;
}

/// A letter that somebody has put there, with so many headers of his own.
fn with_headers(stand: &Stand, number: usize, headers: usize) -> Letter {
    let letter = Letter::number(stand, number);
    (0..headers).fold(letter, |letter, at| letter.with(&format!("h{at}"), AMQPValue::Boolean(true)))
}

#[tokio::test]
async fn a_letter_with_more_headers_than_a_worker_reads_is_shown_to_die_again_and_does() {
    let stand = stand("show-headers", "quorum").await;
    // An event may have 1,000 entries, and a hundred more with a replay's own, which are four.
    let (most, more) = (1096, 1097);
    stand.bury([with_headers(&stand, 0, most), with_headers(&stand, 1, more)]).await;
    let within: Vec<AMQPValue> = (0..more).map(|_| AMQPValue::Void).collect();
    let list = AMQPValue::FieldArray(within.into());
    stand.bury([Letter::number(&stand, 2).with("list", list)]).await;
    expect(&dlq(&stand, &["show", "m-0"]).await, 0, &["now            would be published to "]);
    let again =
        "would be dead-lettered again: undecodable: its headers have more than 1000 entries";
    for dead in ["m-1", "m-2"] {
        expect(&dlq(&stand, &["show", dead]).await, 0, &[again]);
    }
    let worker = Worker::start(&stand).await;
    expect(&dlq(&stand, &["replay", "--watch", "0s"]).await, 0, &["replayed 3 of 3"]);
    worker.settles(3).await;
    stand.has_ready(&stand.dead_letter_queue(), 2).await;
    expect(&dlq(&stand, &["list"]).await, 0, &["2  undecodable: its headers have more than 1000"]);
    worker.stop().await;
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_letter_with_more_headers_than_are_read_says_why_nothing_is_known_of_it() {
    let stand = stand("show-unread", "quorum").await;
    stand.bury([with_headers(&stand, 0, 4101)]).await;
    let why = "none of its properties is read: their headers have more than 4000 entries";
    expect(&dlq(&stand, &["list"]).await, 0, &[&format!("unknown: {why}\n")]);
    let each = dlq(&stand, &["list", "--each"]).await;
    expect(&each, 0, &["unknown", why]);
    let id = each.stdout.split_whitespace().next().unwrap();
    expect(&dlq(&stand, &["show", id]).await, 0, &["reason         unknown\n", why]);
    stand.drain(&stand.dead_letter_queue(), 1).await;
    stand.leave_nothing().await;
}

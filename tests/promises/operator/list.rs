//! What `list` shows, and which letters the filters mean.

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use serde_json::Value;

use super::{expect, on_both, stand};
use crate::support::{Event, Letter, dlq, dlq_program};

#[tokio::test]
async fn letters_are_grouped_by_reason_and_error_with_all_that_tells_them_apart() {
    let stand = stand("list", "quorum").await;
    stand.bury_numbers(0..40).await;
    let undecodable = |number: usize| {
        Letter { body: b"no event".into(), ..Letter::number(&stand, number) }
            .saying("reason", "undecodable")
            .saying(
                "error",
                &format!("line 1, column {number}: the payload is not JSON: \u{1b}[31m"),
            )
            .saying("failed-at", "2026-02-01T00:00:00Z")
    };
    stand.bury((40..50).map(undecodable)).await;
    let ended = dlq(&stand, &["list"]).await;
    let said = [
        "     40  retries_exhausted: gave up after 3 attempts: Throttling: Rate exceeded\n",
        "died       2026-01-31T02:00:00Z to 2026-01-31T02:00:39Z\n",
        "kinds      chat 40\n",
        &format!("topics     {} 40\n", stand.topic_arn("pm")),
        "sources    events 40\n",
        "     10  undecodable: line …, column …: the payload is not JSON: \\u{1b}[31m\n",
        "kinds      other 10\n",
        &format!("50 dead letters in `{}`\n", stand.dead_letter_queue()),
    ];
    expect(&ended, 0, &said);
    let json = dlq(&stand, &["list", "--json", "--reason", "undecodable"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["letters"], &json["matching"]), (&50.into(), &10.into()));
    assert_eq!(json["groups"][0]["count"], 10);
    assert_eq!(json["groups"][0]["kinds"]["other"], 10);
    let each = dlq(&stand, &["list", "--each", "--json", "--limit", "3"]).await;
    let each: Vec<Value> =
        each.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(each.len(), 3);
    assert_eq!(each[1]["message_id"], "m-1");
    assert_eq!(each[1]["origin"]["routing_key"], "some.key");
    assert_eq!(each[1]["from"], "user-1@localhost");
    assert_eq!(each[1]["failed_at"], "2026-01-31T02:00:01Z");
    stand.drain_dead_letters(50).await;
    let ended = dlq(&stand, &["list"]).await;
    expect(&ended, 0, &["no dead letters in `"]);
    stand.leave_nothing().await;
}

/// A worker's errors are cut; a foreign program's may be as long as a frame.
#[tokio::test]
async fn an_endless_error_fills_no_screen_and_shows_whole_where_it_is_asked_for() {
    let stand = stand("list-endless", "quorum").await;
    let error = "no ".repeat(20_000);
    stand.bury([Letter::number(&stand, 0).saying("error", &error)]).await;
    for arguments in [&["list"][..], &["list", "--each"]] {
        let ended = dlq(&stand, arguments).await;
        expect(&ended, 0, &["no no …", "1 dead letter in"]);
        assert!(ended.stdout.len() < 2000, "{ended:?}");
    }
    expect(&dlq(&stand, &["show", "m-0"]).await, 0, &[error.trim_end()]);
    expect(&dlq(&stand, &["list", "--each", "--json"]).await, 0, &[&error]);
    stand.drain_dead_letters(1).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_filter_is_given_as_people_write_it() {
    let stand = stand("filters", "quorum").await;
    stand.bury_numbers(0..20).await;
    let cases: [(&[&str], usize); 6] = [
        (&["--user", "User-3@LOCALHOST/desk", "--kind", "chat"], 2),
        (&["--room", "bob@localhost"], 0),
        (&["--since", "2026-01-31T03:00:05+01:00", "--until", "2026-01-31T02:00:15Z"], 10),
        (&["--since", "2h"], 0),
        (&["--id", "m-3", "--id", "m-17", "--error", "rate EXCEEDED", "--source", "events"], 2),
        (&["--reason", "rejected", "--reason", "retries_exhausted", "--limit", "7"], 7),
    ];
    for (filter, count) in cases {
        let ended = dlq(&stand, &[&["list"], filter].concat()).await;
        let said = match count {
            0 => "none of the 20 dead letters in".to_owned(),
            count => format!(", {count} of them match the filter"),
        };
        expect(&ended, 0, &[&said]);
    }
    for wrong in [
        &["--since", "yesterday"][..],
        &["--user", "not a @ jid @"],
        &["--kind", "headline"],
        &["--limit", "0"],
        &["--limit", "many"],
    ] {
        let ended = dlq(&stand, &[&["list"], wrong].concat()).await;
        expect(&ended, 2, &[wrong[0]]);
    }
    stand.drain_dead_letters(20).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_rabbitmq_dead_lettered_shows_its_reason_and_what_nobody_explains_is_unknown() {
    on_both(async |queue_type| {
        let stand = stand("list-broker", queue_type).await;
        let properties = BasicProperties::default().with_expiration("1".into());
        let late = Event { properties, ..Event::chat("alice@localhost", "bob@localhost", "late") };
        stand.publish(late.identified("late")).await;
        stand.has_ready(&stand.dead_letter_queue(), 1).await;
        stand.bury([Letter::foreign("who am I?")]).await;
        let odd = Letter::foreign("odd")
            .with("event-pusher-reason", AMQPValue::LongInt(7))
            .with("event-pusher-attempts", AMQPValue::LongString("three".into()))
            .with("event-pusher-queue", AMQPValue::Void);
        stand.bury([odd]).await;
        let ended = dlq(&stand, &["list"]).await;
        expect(&ended, 0, &["  1  expired (by RabbitMQ)\n", "  2  unknown\n", "kinds      chat 1"]);
        let each = dlq(&stand, &["list", "--each", "--json", "--reason", "expired"]).await;
        let late: Value = serde_json::from_str(&each.stdout).unwrap();
        assert_eq!((&late["by"], &late["message_id"]), (&"broker".into(), &"late".into()));
        assert_eq!(late["source"], "events");
        assert_eq!(late["origin"]["exchange"], stand.exchange());
        assert_eq!(late["deaths"][0]["queue"], stand.queue());
        let each = dlq(&stand, &["list", "--each", "--json", "--reason", "unknown"]).await;
        let odd: Value = serde_json::from_str(each.stdout.lines().last().unwrap()).unwrap();
        let odd_headers = ["event-pusher-reason", "event-pusher-queue", "event-pusher-attempts"];
        let mut said: Vec<_> = odd["odd_headers"].as_array().unwrap().clone();
        said.sort_by_key(|name| odd_headers.iter().position(|it| name == it));
        assert_eq!(said, odd_headers);
        stand.drain_dead_letters(3).await;
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn a_long_list_keeps_no_bodies() {
    const COUNT: usize = 10_000;
    /// All bodies together take more than this.
    const MEMORY_KIB: usize = 64 * 1024;
    let stand = stand("list-long", "quorum").await;
    let body = serde_json::json!({
        "type": "chat", "from_user_id": "a@localhost", "to_user_id": "b@localhost",
        "message": "x".repeat(8192),
    });
    for part in 0..20 {
        let body = body.to_string();
        let letter =
            |number| Letter { body: body.clone().into(), ..Letter::number(&stand, number) };
        stand.bury((part * COUNT / 20..(part + 1) * COUNT / 20).map(letter)).await;
    }
    let list = dlq_program(&stand, &["list"]).with_memory(MEMORY_KIB);
    expect(&list.run().await, 0, &["10000 dead letters in", "kinds      chat 10000"]);
    stand.has_ready(&stand.dead_letter_queue(), 10_000).await;
    stand.purge(&stand.dead_letter_queue()).await;
    stand.leave_nothing().await;
}

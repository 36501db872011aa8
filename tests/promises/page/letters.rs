//! Dead letters that an operator exports or discards on the page, all of a filter or some that were chosen.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{Answer, bearer};
use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Letter, Stand, dlq, dlq_program};

const DISCARD: &str = "/api/dead-letters/discard";
const EXPORT: &str = "/api/dead-letters/export";

/// The content of an answer that came in chunks; `None` if it broke off.
fn whole(answer: &Answer) -> Option<String> {
    assert!(answer.head.contains("transfer-encoding: chunked"), "{answer:?}");
    let (mut text, mut rest) = (String::new(), &*answer.body);
    loop {
        let (length, after) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return Some(text);
        }
        text.push_str(after.get(..length)?);
        rest = after.get(length..)?.strip_prefix("\r\n")?;
    }
}

async fn discards(admin: &Admin, order: &Value) -> (u16, Value) {
    let answer = admin.write(DISCARD, &[&bearer()], order).await;
    (answer.status, answer.json())
}

/// A page that is open: the worker counts the letters for it.
pub(super) async fn open_page(admin: &Admin) -> TcpStream {
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    let request = format!("GET /api/stream HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    stream
}

#[tokio::test]
async fn letters_are_discarded_only_by_their_number_typed_in() {
    let (stand, sns) = (Stand::new("page-discard").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..5).await;
    stand.bury([Letter::foreign("{"), Letter::foreign("[")]).await;
    let page = open_page(&admin).await;
    let dead =
        async || admin.read("/api/status", &[]).await.json()["frame"]["dead_letters"].clone();
    crate::support::wait_for("the count", async || (dead().await == 7).then_some(())).await;
    let filter = json!({"reason": ["retries_exhausted"]});
    for order in [json!({"filter": filter}), json!({"count": "5"}), json!({"count": 5, "all": 1})] {
        assert_eq!(discards(&admin, &order).await.0, 400, "{order}");
    }
    let order = json!({"filter": {"raeson": ["x"]}, "count": 7});
    assert_eq!(discards(&admin, &order).await.0, 400, "{order}");
    for count in [0, 4, 7] {
        let (status, answer) = discards(&admin, &json!({"filter": filter, "count": count})).await;
        let error = answer["error"].as_str().unwrap();
        assert_eq!(status, 409, "{answer}");
        assert!(error.contains("nothing was discarded") && error.contains(" is 5;"), "{error}");
    }
    assert_eq!(worker.count("page_discarded"), 0);
    let cookie = admin.log_in().await;
    let order = json!({"filter": filter, "count": 5});
    let foreign = admin.write(DISCARD, &[&cookie, "Sec-Fetch-Site: cross-site"], &order).await;
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let done = admin.write(DISCARD, &[&cookie, "Sec-Fetch-Site: same-origin"], &order).await;
    assert_eq!((done.status, &done.json()["discarded"]), (200, &5.into()), "{done:?}");
    assert_eq!(dead().await, 2, "the number is right at once");
    let log = worker.logged("page_discarded").await;
    assert_eq!((&log["discarded"], log["peer"].is_string()), (&5.into(), true), "{log}");
    assert_eq!(log["filter"], "--reason retries_exhausted", "{log}");
    assert!(log["by"].as_str().unwrap().starts_with("session "), "{log}");
    drop(page);
    worker.stop().await;
    stand.take_dead_letters(2).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn letters_that_were_chosen_are_exported_and_discarded_and_no_others() {
    let (stand, sns) = (Stand::new("page-chosen").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..6).await;
    let each = admin.read("/api/dead-letters/each", &[&bearer()]).await.json();
    let ids: Vec<_> = each["rows"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    let chosen = [ids[1].clone(), ids[4].clone()];
    let query = chosen.iter().map(|it| format!("id={}", it.as_str().unwrap()));
    let query = query.collect::<Vec<_>>().join("&");
    let exported = whole(&admin.read(&format!("{EXPORT}?{query}"), &[&bearer()]).await).unwrap();
    assert_eq!(exported.lines().count(), 1 + 2 + 1, "{exported}");
    assert!(exported.contains("m-1") && exported.contains("m-4"), "{exported}");
    let order = json!({"filter": {"id": chosen}, "count": 2});
    assert_eq!(discards(&admin, &order).await.0, 200);
    worker.stop().await;
    assert_eq!(stand.drain_dead_letters(4).await, ["m-0", "m-2", "m-3", "m-5"]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_export_from_the_page_is_an_archive_that_import_puts_back() {
    let (stand, sns) = (Stand::new("page-export").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    // More than one part of it.
    stand.bury_numbers(0..500).await;
    for headers in [&[][..], &["Authorization: Bearer wrong-token-of-some-length"]] {
        let refused = admin.read(EXPORT, headers).await;
        assert!(refused.status == 401 && !refused.body.contains("m-1"), "{refused:?}");
    }
    let foreign = admin.read(EXPORT, &[&bearer(), "Sec-Fetch-Site: cross-site"]).await;
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let wrong = admin.read(&format!("{EXPORT}?kind=poke"), &[&bearer()]).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let answer = admin.read(EXPORT, &[&bearer()]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for part in ["attachment; filename=\"dead-letters-", "nosniff", "no-store"] {
        assert!(answer.head.contains(part), "no {part}: {}", answer.head);
    }
    let archive = whole(&answer).unwrap();
    assert!(archive.len() > 128 * 1024, "{}", archive.len());
    let log = worker.logged("page_exported").await;
    let bytes = archive.len();
    assert_eq!((&log["letters"], &log["bytes"]), (&500.into(), &bytes.into()), "{log}");
    stand.has_ready(&stand.dead_letter_queue(), 500).await;
    let discarded = dlq(&stand, &["discard", "--all", "--yes"]).await;
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    let import = dlq_program(&stand, &["import", "page.jsonl"]).with_file("page.jsonl", &archive);
    let imported = import.run().await;
    assert!(imported.stdout.contains("imported 500 of 500"), "{imported:?}");
    worker.stop().await;
    let expected: Vec<_> = (0..500).map(|it| format!("m-{it}")).collect();
    assert_eq!(stand.drain_dead_letters(500).await, expected);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_export_that_nobody_takes_ends_and_the_letters_stay() {
    let (stand, sns) = (Stand::new("page-export-slow").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    // More than the network takes for nobody.
    let large = |number| {
        let letter = Letter::number(&stand, number);
        Letter { body: vec![b'x'; 1 << 20], ..letter }
    };
    stand.bury((0..40).map(large)).await;
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    let head =
        format!("GET {EXPORT} HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n", admin.address(), bearer());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert!(first.ends_with(b"200"), "{first:?}");
    for path in ["/api/dead-letters", EXPORT] {
        let busy = admin.read(path, &[&bearer()]).await;
        assert!(busy.status == 409 && busy.body.contains("an export"), "{path}: {busy:?}");
    }
    let log = worker.logged("page_export_failed").await;
    assert!(log["error"].as_str().unwrap().contains("took no further part"), "{log}");
    stand.has_ready(&stand.dead_letter_queue(), 40).await;
    drop(stream);
    // One whose client leaves ends, too.
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut first).await.unwrap();
    drop(stream);
    worker.logged_times("page_export_failed", 2).await;
    stand.has_ready(&stand.dead_letter_queue(), 40).await;
    let seen = admin.read("/api/dead-letters", &[&bearer()]).await;
    assert_eq!(seen.json()["letters"], 40, "the queue is free again: {seen:?}");
    worker.stop().await;
    stand.take_dead_letters(40).await;
    stand.leave_nothing().await;
}

/// Not when its grace is over, and not as if that were all.
#[tokio::test]
async fn an_export_ends_with_the_worker_that_stops_and_the_client_notices() {
    let (stand, sns) = (Stand::new("page-export-stop").await, FakeSns::start());
    let settings = [("SNS__ATTEMPT_TIMEOUT_MS", "60000")];
    let (worker, admin) = worker_on(&stand, &sns, &settings).await;
    let large = |number| {
        let letter = Letter::number(&stand, number);
        Letter { body: vec![b'x'; 1 << 20], ..letter }
    };
    stand.bury((0..40).map(large)).await;
    // It has something to finish, for longer than the export takes to end.
    sns.set_latency(Duration::from_secs(15));
    stand.publish(crate::support::Event::chat("ann@h", "bob@h", "hi")).await;
    sns.until(|counts| counts.in_flight == 1).await;
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    let head =
        format!("GET {EXPORT} HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n", admin.address(), bearer());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = vec![0; 12];
    stream.read_exact(&mut text).await.unwrap();
    assert!(text.ends_with(b"200"), "{text:?}");
    worker.signal(Signal::SIGTERM);
    let log = worker.logged("page_export_failed").await;
    let error = log["error"].as_str().unwrap();
    assert!(error.contains("worker stops") || error.contains("stopped before"), "{log}");
    stand.has_ready(&stand.dead_letter_queue(), 40).await;
    let late = admin.read("/api/dead-letters", &[&bearer()]).await;
    assert!(late.status == 409 && late.body.contains("is stopping"), "{late:?}");
    // Reset or closed, and without the chunk that ends a transfer.
    let _ = stream.read_to_end(&mut text).await;
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let answer = Answer { status: 200, head: head.to_owned(), body: body.to_owned() };
    assert_eq!(whole(&answer), None, "it looks like the whole archive");
    let exit = worker.wait().await;
    assert_eq!((exit.status.code(), exit.totals().published), (Some(0), 1), "{exit:?}");
    stand.take_dead_letters(40).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn the_logs_last_lines_are_those_of_causes_and_not_of_people() {
    let (stand, sns) = (Stand::new("page-log").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..2).await;
    sns.fail_requests(crate::fake_sns::next(
        u64::MAX,
        crate::fake_sns::RequestFault::INVALID_TOKEN,
    ));
    stand.publish(crate::support::Event::chat("ann@h", "bob@h", "hi")).await;
    stand.publish(crate::support::Event::new("{")).await;
    worker.logged("held").await;
    worker.logged("first_dead_lettered").await;
    let order = json!({"filter": {"user": ["ann@h"]}});
    let started = admin.write("/api/dead-letters/replay", &[&bearer()], &order).await;
    assert_eq!(started.status, 202, "{started:?}");
    worker.logged("page_replay_started").await;
    admin.replay_ends().await;
    let answer = admin.read("/api/log", &[]).await;
    assert!(!answer.body.contains("page_") && !answer.body.contains("ann@h"), "{answer:?}");
    let answer = answer.json();
    let line = |event: &str| {
        let lines = answer["lines"].as_array().unwrap();
        let line = lines.iter().find(|it| it["event"] == event);
        line.unwrap_or_else(|| panic!("no {event} in {answer}")).clone()
    };
    let (held, dead) = (line("held"), line("first_dead_lettered"));
    assert_eq!((&held["topic"], &held["level"]), (&"service".into(), &"WARN".into()), "{held}");
    assert!(held["error"].as_str().unwrap().contains("InvalidClientTokenId"), "{held}");
    assert_eq!(dead["reason"], "undecodable", "{dead}");
    let frame = admin.read("/api/status", &[]).await.json()["frame"].clone();
    assert_eq!(frame["runbook"], "all-topics-are-held", "{frame}");
    let events = frame["headline"]["points"][0]["log_events"].as_array().unwrap();
    assert!(events.contains(&"held".into()), "{frame}");
    sns.heal();
    // The event that was held, and the one that was none.
    worker.settles(2).await;
    worker.stop().await;
    stand.take_dead_letters(3).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_canary_that_is_watched_shows_how_many_were_sent() {
    let (stand, sns) = (Stand::new("page-watched").await, FakeSns::start());
    // Nobody knows what becomes of it before SNS answers.
    sns.set_latency(Duration::from_secs(20));
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..30).await;
    let answer = admin.write("/api/dead-letters/replay", &[&bearer()], &json!({"canary": 3})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let job = crate::support::wait_for("the watch", async || {
        Some(admin.replay().await).filter(|job| job["watching"] == true)
    })
    .await;
    let report = &job["report"];
    assert_eq!((&job["canary"], &report["replayed"]), (&3.into(), &3.into()), "{job}");
    assert_eq!(report["matching"], 30, "{job}");
    admin.write("/api/dead-letters/replay/stop", &[&bearer()], &json!({})).await;
    admin.replay_ends().await;
    sns.set_latency(Duration::ZERO);
    worker.stop().await;
    stand.take_dead_letters(27).await;
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

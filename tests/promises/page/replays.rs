//! Replays that an operator begins on the page.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::http::bearer;
use super::letters::open_page;
use super::worker_on;
use crate::fake_sns::{EntryFault, FakeSns, RequestFault};
use crate::support::{Admin, Letter, PATIENCE, Stand, on_both_brokers, wait_for};

/// What an open page is told, update by update.
struct Frames {
    stream: TcpStream,
    /// What has come and was not read.
    text: String,
}

impl Frames {
    async fn open(admin: &Admin) -> Self {
        Self { stream: open_page(admin).await, text: String::new() }
    }

    async fn next(&mut self) -> Value {
        let mut part = vec![0; 64 * 1024];
        loop {
            if let Some((_, rest)) = self.text.split_once("event: frame\ndata: ")
                && let Some((frame, rest)) = rest.split_once("\n\n")
            {
                let (frame, rest) = (serde_json::from_str(frame).unwrap(), rest.to_owned());
                self.text = rest;
                return frame;
            }
            let reading = tokio::time::timeout(PATIENCE, self.stream.read(&mut part));
            let read = reading.await.expect("no update comes").unwrap();
            assert!(read > 0, "the stream has ended");
            self.text.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
    }

    /// Those up to the first one that is as wanted, with that one.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|it| !wanted(it)) {
            frames.push(self.next().await);
        }
        frames
    }
}

/// How many letters a page's replay has sent, and how many there are by what the page says.
fn sent_and_left(frame: &Value) -> (u64, Option<u64>) {
    let replayed = frame["replay"]["report"]["replayed"].as_u64().unwrap_or(0);
    (replayed, frame["dead_letters"].as_u64())
}

on_both_brokers! {
    /// At two in the morning, with the page open.
    async fn a_replay_of_many_shows_its_canary_and_each_number_is_right_at_once(stand: Stand) {
        const MANY: u64 = 2000;
        let sns = FakeSns::start();
        // The canary is watched for so long.
        sns.set_latency(Duration::from_secs(3));
        let (worker, admin) = worker_on(&stand, &sns, &[]).await;
        stand.bury_numbers(0..MANY.try_into().unwrap()).await;
        let mut page = Frames::open(&admin).await;
        page.until(|frame| frame["dead_letters"] == MANY).await;
        let order = json!({"canary": 10});
        let answer = admin.write("/api/dead-letters/replay", &[&bearer()], &order).await;
        assert_eq!(answer.status, 202, "{answer:?}");

        let is_watched = |frame: &Value| frame["replay"]["watching"] == true;
        let before = page.until(is_watched).await;
        for frame in &before {
            let (sent, left) = sent_and_left(frame);
            assert!(sent <= 10 && left == Some(MANY - sent), "{frame}");
        }
        let watched = before.last().unwrap();
        let (replay, headline) = (&watched["replay"], &watched["headline"]);
        assert_eq!((&replay["canary"], &replay["running"]), (&10.into(), &true.into()), "{replay}");
        let report = &replay["report"];
        assert_eq!((&report["replayed"], &report["matching"]), (&10.into(), &MANY.into()));
        assert_eq!(watched["dead_letters"], MANY - 10);
        let title = headline["title"].as_str().unwrap();
        assert!(title.starts_with("1,990 dead letters"), "{headline}");

        sns.set_latency(Duration::ZERO);
        let ended = |frame: &Value| frame["replay"]["running"] == false;
        for frame in page.until(ended).await {
            let (sent, left) = sent_and_left(&frame);
            assert_eq!(left, Some(MANY - sent), "{frame}");
            let points = frame["headline"]["points"].to_string();
            let counts = points.contains("dead letter in") || points.contains("dead letters in");
            assert_eq!(counts, sent < MANY, "{points}");
            if ended(&frame) {
                let report = &frame["replay"]["report"];
                let end = (&report["ended"], &report["replayed"], &report["came_back"]);
                assert_eq!(end, (&"done".into(), &MANY.into(), &0.into()), "{frame}");
            }
        }
        // Nor does an old number come back.
        for _ in 0..5 {
            let frame = page.next().await;
            assert_eq!(frame["dead_letters"], 0, "{frame}");
        }
        worker.settles(MANY.try_into().unwrap()).await;
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn a_replay_goes_by_its_order_shows_how_far_it_is_and_can_be_stopped() {
    let (stand, sns) = (Stand::new("page-replay").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..40).await;
    stand.bury([Letter::foreign("{")]).await;
    let token = bearer();
    let bad = [
        json!({"canary": 0}),
        json!({"rate": "fast"}),
        json!({"filter": {"kind": ["poke"]}}),
        json!({"filter": {"raeson": ["x"]}}),
        json!({"everything": true}),
        json!([]),
    ];
    for order in bad {
        let answer = admin.write("/api/dead-letters/replay", &[&token], &order).await;
        assert_eq!(answer.status, 400, "{order}: {answer:?}");
    }
    let order = json!({"filter": {"reason": ["retries_exhausted"]}, "rate": 5});
    assert_eq!(admin.write("/api/dead-letters/replay", &[&token], &order).await.status, 202);
    assert_eq!(
        admin.write("/api/dead-letters/replay", &[&token], &order).await.status,
        409,
        "one at a time"
    );
    wait_for("some to be replayed", async || {
        let report = &admin.replay().await["report"];
        (report["matching"] == 40 && report["replayed"].as_u64() >= Some(2)).then_some(())
    })
    .await;
    for (headers, by) in [(&[][..], "somebody who is logged in"), (&[&*token], "token")] {
        let status = admin.read("/api/status", headers).await;
        let seen: serde_json::Value = serde_json::from_str(&status.body).unwrap();
        assert_eq!(seen["frame"]["replay"]["by"], by, "{seen}");
        assert!(!status.body.contains("127.0.0.1"), "it tells from where: {status:?}");
    }
    assert_eq!(
        admin.read("/api/dead-letters", &[&token]).await.status,
        409,
        "it holds all letters"
    );
    assert_eq!(
        admin.write("/api/dead-letters/replay/stop", &[&token], &json!({})).await.status,
        202
    );
    let job = admin.replay_ends().await;
    assert_eq!(job["report"]["ended"], "stopped", "{job}");
    let replayed = usize::try_from(job["report"]["replayed"].as_u64().unwrap()).unwrap();
    assert!((2..40).contains(&replayed), "{job}");
    worker.settles(replayed).await;
    worker.stop().await;
    stand.take_dead_letters(41 - replayed).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_replay_from_the_page_stops_at_its_canary_or_at_so_many_failures() {
    const REFUSED: EntryFault = EntryFault::Failed { code: "InvalidParameter", sender_fault: true };
    let (stand, sns) = (Stand::new("page-canary").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    sns.fail_entries(|_| Some(REFUSED));
    stand.bury_numbers(0..30).await;
    for (order, ended, most) in [
        (json!({"canary": 3, "rate": "auto"}), "canary_failed", 3),
        (json!({"max_failures": 2, "rate": 2}), "too_many_failures", 29),
    ] {
        let answer = admin.write("/api/dead-letters/replay", &[&bearer()], &order).await;
        assert_eq!(answer.status, 202, "{order}: {answer:?}");
        let job = admin.replay_ends().await;
        assert_eq!(job["report"]["ended"], ended, "{order}: {job}");
        let replayed = job["report"]["replayed"].as_u64().unwrap();
        assert!((1..=most).contains(&replayed), "{order}: {job}");
        // What a letter says is for who is logged in.
        assert_eq!(job["report"].get("came_back_as"), None, "{job}");
        let trusted = admin.read("/api/status", &[&bearer()]).await.json();
        let texts = &trusted["frame"]["replay"]["report"]["came_back_as"];
        assert!(texts.as_object().is_some_and(|it| !it.is_empty()), "{trusted}");
        stand.has_ready(&stand.dead_letter_queue(), 30).await;
    }
    worker.stop().await;
    stand.take_dead_letters(30).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_replay_into_a_hold_says_so_and_waits_until_it_is_over() {
    let (stand, sns) = (Stand::new("page-replay-held").await, FakeSns::start());
    sns.fail_requests(|_| Some(RequestFault::NOT_FOUND));
    let (worker, admin) = worker_on(&stand, &sns, &[("OUTAGE__PROBE_MAX_MS", "300")]).await;
    stand.bury_numbers(0..40).await;
    let order = json!({"rate": 5});
    let answer = admin.write("/api/dead-letters/replay", &[&bearer()], &order).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let topic = stand.topic_arn("pm");
    let job = wait_for("a replay that waits", async || {
        Some(admin.replay().await).filter(|job| job["report"]["held"] == *topic)
    })
    .await;
    assert_eq!(job["running"], true, "{job}");
    assert!(job["report"]["replayed"].as_u64() < Some(40), "{job}");
    sns.heal();
    let job = admin.replay_ends().await;
    assert_eq!(
        (&job["report"]["ended"], &job["report"]["replayed"]),
        (&json!("done"), &json!(40)),
        "{job}"
    );
    worker.settles(40).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

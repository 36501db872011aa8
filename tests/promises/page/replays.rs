//! Replays that an operator begins on the page.

use serde_json::json;

use super::http::bearer;
use super::worker_on;
use crate::fake_sns::{EntryFault, FakeSns, RequestFault};
use crate::support::{Letter, Stand, wait_for};

#[tokio::test]
async fn a_replay_goes_by_its_order_shows_how_far_it_is_and_can_be_stopped() {
    let (stand, sns) = (Stand::new("page-replay").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..40).await;
    stand.bury([Letter::foreign("{")]).await;
    let token = bearer();
    let bad = [
        json!({"canary": 0}),
        json!({"rate": -1}),
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
        (json!({"canary": 3}), "canary_failed", 3),
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

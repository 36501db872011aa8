//! Operators pause and resume on the page, by their own tokens.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use serde_json::json;

use super::http::bearer;
use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Event, on_both_brokers, wait_for};

on_both_brokers! {
    async fn an_operator_pauses_by_her_own_token_and_the_page_says_who(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "anns-token-is-long-enough-for-her\n").unwrap();
        let settings = [("FLEET__PAUSE", "true"), ("ADMIN__TOKENS__ANN_FILE", file.path().to_str().unwrap())];
        let (worker, admin) = worker_on(&stand, &sns, &settings).await;
        let ann = "Authorization: Bearer anns-token-is-long-enough-for-her";
        let topic = stand.topic_arn("pm");
        let body = json!({"scope": "topic", "name": topic, "for": "10m", "reason": "moving"});
        assert_eq!(admin.write("/api/pause", &[], &body).await.status, 401);
        let evil = "Authorization: Bearer bobs-token-is-long-enough-for-him";
        assert_eq!(admin.write("/api/pause", &[evil], &body).await.status, 401);
        for (wrong, status) in [
            (json!({"scope": "topic", "name": "nowhere", "for": "10m", "reason": "x"}), 404),
            (json!({"scope": "topic", "name": topic, "for": "8d", "reason": "x"}), 400),
            (json!({"scope": "topic", "name": topic, "for": "10m", "reason": " "}), 400),
            (json!({"scope": "galaxy", "name": "", "for": "10m", "reason": "x"}), 400),
        ] {
            assert_eq!(admin.write("/api/pause", &[ann], &wrong).await.status, status, "{wrong}");
        }
        let done = admin.write("/api/pause", &[ann], &body).await;
        assert_eq!(done.status, 200, "{done:?}");
        let line = worker.logged("page_paused").await;
        assert_eq!(line["by"], "token of ann", "{line}");
        let frame = wait_for("a headline", async || {
            let frame = admin.read("/api/status", &[]).await.json()["frame"].clone();
            (frame["paused"][0]["by"] == "ann").then_some(frame)
        })
        .await;
        let point = &frame["headline"]["points"][0];
        assert!(point["what"].as_str().unwrap().contains("paused by ann until"), "{point}");
        assert_eq!((&frame["headline"]["level"], &point["runbook"]), (&"attention".into(), &"paused-by-an-operator".into()));
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        let target = json!({"scope": "topic", "name": topic});
        assert_eq!(admin.write("/api/resume", &[&bearer()], &target).await.status, 200);
        wait_for("the event", async || (sns.accepted().len() == 1).then_some(())).await;
        let resumed = worker.logged("resumed").await;
        assert_eq!(resumed["by"], "admin", "{resumed}");
        worker.stop().await;
        let control = format!("{}.fleet.control", stand.id);
        stand.channel.queue_delete(control.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        stand.channel.exchange_delete(control.into(), ExchangeDeleteOptions::default()).await.unwrap();
        stand.leave_nothing().await;
    }
}

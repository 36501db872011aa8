//! A replay whose rate follows how live events fare.

use std::time::Duration;

use serde_json::Value;

use super::replays::{TOKEN, replays};
use super::{member, shows};
use crate::fake_sns::FakeSns;
use crate::support::{Event, dlq_program, on_both_brokers};

/// SNS takes so long that live events are old while they are in flight.
const SLOW: Duration = Duration::from_secs(5);

on_both_brokers! {
    async fn an_automatic_rate_falls_while_live_events_are_old_and_rises_again_to_the_end(stand: Stand) {
        let sns = FakeSns::start();
        let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__ATTEMPT_TIMEOUT_MS", "60000"), TOKEN];
        let (worker, admin) = member(&stand, &settings).await;
        stand.bury_numbers(0..200).await;
        let replay = dlq_program(&stand, &["replay", "--rate", "auto", "--json"]).start();
        // Live events are young before, so that they are not to be older.
        shows(&admin, "a rate that rises", |it| {
            replays(it).first().is_some_and(|it| it["limit"].as_f64() > Some(10.5))
        })
        .await;
        sns.set_latency(SLOW);
        stand.publish_all((0..20).map(|it| Event::chat("ann@h", "bob@h", &it.to_string()))).await;
        let fleet = shows(&admin, "a rate that has fallen", |it| {
            replays(it).first().is_some_and(|it| it["limit"].as_f64() < Some(3.0))
        });
        let fleet = fleet.await;
        let seen = &fleet["replays"][0];
        assert_eq!((&seen["is_auto"], &seen["state"]), (&true.into(), &"sending".into()), "{seen}");
        let why = seen["slowed"].as_str().unwrap();
        let known = ["event in flight is", "are queued for", "replayed events wait for"];
        assert!(known.iter().any(|it| why.contains(it)), "{why}");
        assert!(seen["done"].as_u64() < Some(200), "{seen}");
        sns.heal();
        sns.set_latency(Duration::ZERO);
        shows(&admin, "a rate that has risen", |it| {
            let replay = replays(it).first();
            replay.is_some_and(|it| it["limit"].as_f64() > Some(4.0) && it["slowed"].is_null())
        })
        .await;
        let report: Value = serde_json::from_str(&replay.wait().await.stdout).unwrap();
        assert_eq!((&report["ended"], &report["replayed"]), (&"done".into(), &200.into()), "{report}");
        assert!(report["slowed"].is_null() && report["rate"].as_f64() > Some(4.0), "{report}");
        worker.settles(220).await;
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

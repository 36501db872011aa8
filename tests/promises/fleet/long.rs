//! What is told of a worker that has died takes its time.

use super::{member, shows, workers};
use crate::support::on_both_brokers;

on_both_brokers! {
    async fn a_worker_that_dies_is_silent_and_then_gone(stand: Stand) {
        let (one, admin) = member(&stand, &[]).await;
        let (two, _) = member(&stand, &[]).await;
        shows(&admin, "two workers", |it| workers(it).len() == 2).await;
        two.crash().await;
        let fleet = shows(&admin, "a silent worker", |it| it["sums"]["silent"] == 1).await;
        let silent: Vec<_> = workers(&fleet).iter().filter(|it| it["is_silent"] == true).collect();
        assert!(silent.len() == 1 && silent[0]["heard_seconds"].as_f64() > Some(4.9), "{fleet}");
        admin.shows("one that is heard", |it| it.sum("fleet_workers", &[]) == 1).await;
        shows(&admin, "one worker", |it| workers(it).len() == 1).await;
        one.stop().await;
        stand.leave_nothing().await;
    }
}

//! Workers that come and go while events flow, for half a minute and more.

mod deaths;
mod freeze;
mod holds;
mod nodes;
mod silence;

use std::time::Duration;

use tokio::time::sleep;

use super::{Crew, FEW, FEW_PARTITIONS, PER_KEY, leave_nothing, recording_sns, while_events_flow};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{distinct, routed_event_of};
use crate::support::{Worker, on_both_brokers};

/// As many as ten workers share evenly.
const MANY: u32 = 40;
const MANY_SETTING: &str = "40";

fn sns_with_latency(latency: Duration) -> FakeSns {
    let sns = recording_sns();
    sns.set_latency(latency);
    sns
}

/// Longer than a session with heartbeats of a second lasts to which nothing comes.
const NOTHING_COMES: Duration = Duration::from_secs(30);

on_both_brokers! {
    async fn a_source_to_which_nothing_comes_keeps_its_connection(stand: Stand) {
        let uri = format!("{}?heartbeat=1", stand.amqp_uri);
        let settings = [FEW_PARTITIONS, PER_KEY, ("AMQP__URI", &*uri)];
        let worker = Worker::start_with(&stand, &settings).await;
        sleep(NOTHING_COMES).await;
        assert!(worker.find("consuming_again").is_none());
        stand.publish(routed_event_of(0, 0)).await;
        stand.receive("pm", 1).await;
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    async fn workers_that_come_and_go_share_evenly_and_overtake_and_repeat_nothing(stand: Stand) {
        let sns = sns_with_latency(Duration::from_millis(5));
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[]);
        crew.grow(1).await;
        let said = while_events_flow(&stand, 0, async {
            crew.settles().await;
            crew.grow(10).await;
            crew.settles().await;
            crew.shrink(3).await;
            crew.settles().await;
        })
        .await;
        crew.ends_in_order(&said).await;
        let came = sns.accepted();
        assert_eq!(came.len(), distinct(&came), "who comes and goes in order repeats nothing");
        leave_nothing(stand, MANY).await;
    }
}

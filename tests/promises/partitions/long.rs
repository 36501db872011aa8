//! Workers that come and go while events flow, for half a minute and more.

mod deaths;
mod freeze;
mod holds;
mod nodes;

use std::time::Duration;

use super::{Crew, leave_nothing, while_events_flow};
use crate::fake_sns::FakeSns;
use crate::order::conversations::distinct;
use crate::support::on_both_brokers;

/// As many as ten workers share evenly.
const MANY: u32 = 40;
const MANY_SETTING: &str = "40";

fn sns_with_latency(latency: Duration) -> FakeSns {
    let sns = FakeSns::start();
    sns.record();
    sns.set_latency(latency);
    sns
}

on_both_brokers! {
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

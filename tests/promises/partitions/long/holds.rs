//! What SNS does not take for a while waits in its partition, and workers come and go meanwhile.

use std::time::Duration;

use tokio::time::sleep;

use super::super::{Crew, leave_nothing, while_events_flow};
use super::{MANY, MANY_SETTING, sns_with_latency};
use crate::fake_sns::{FakeSns, Request, RequestFault};
use crate::support::{Stand, on_both_brokers};

/// Held events are soon given back, and soon tried again; and a worker that stops does not wait for them long.
const SHORT: [(&str, &str); 7] = [
    // Not one event uses up its retries before all are held.
    ("OUTAGE__THRESHOLD", "1"),
    ("SNS__CONNECT_TIMEOUT_MS", "1000"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "1000"),
    ("SNS__PUBLISH_RETRY_COUNT", "1"),
    ("OUTAGE__HAND_BACK_AFTER_S", "3"),
    ("OUTAGE__PROBE_MAX_MS", "300"),
    ("SHUTDOWN__GRACE_MS", "1000"),
];

/// A few times as long as an event is held before it is given back.
const HELD: Duration = Duration::from_secs(6);

/// Workers come, go and die while SNS takes nothing of what `fails` says.
async fn hand_over_while(
    stand: Stand,
    fault: RequestFault,
    fails: impl Fn(&Request) -> bool + Send + 'static,
) {
    let sns: FakeSns = sns_with_latency(Duration::from_millis(5));
    let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &SHORT);
    crew.grow(3).await;
    let said = while_events_flow(&stand, 0, async {
        crew.settles().await;
        sns.fail_requests(move |request| fails(request).then_some(fault));
        for worker in &crew.workers {
            worker.logged("held").await;
        }
        sleep(HELD).await;
        crew.grow(5).await;
        sleep(HELD).await;
        crew.shrink(3).await;
        crew.kill(0).await;
        sleep(HELD).await;
        crew.grow(3).await;
        sns.heal();
        crew.settles().await;
    })
    .await;
    crew.ends_in_order(&said).await;
    leave_nothing(stand, MANY).await;
}

on_both_brokers! {
    async fn a_held_topic_and_hand_overs_meanwhile_overtake_and_lose_nothing(stand: Stand) {
        let rooms = stand.topic_arn("muc");
        hand_over_while(stand, RequestFault::NOT_FOUND, move |it| it.topic == rooms).await;
    }

    async fn an_outage_and_hand_overs_meanwhile_overtake_and_lose_nothing(stand: Stand) {
        hand_over_while(stand, RequestFault::UNAVAILABLE, |_| true).await;
    }
}

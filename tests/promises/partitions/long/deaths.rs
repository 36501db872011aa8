//! Workers that are killed, and those that are killed while they take what the dead ones held.

use std::time::Duration;

use super::super::{Crew, leave_nothing, while_events_flow};
use super::{MANY, MANY_SETTING, sns_with_latency};
use crate::fake_sns::FakeSns;
use crate::order::storm::Storm;
use crate::support::{on_both_brokers, wait_for};

const DEATHS: usize = 3;

/// Each conversation has so many messages waiting, and so there is much that a dead worker held.
const WAITING: usize = 12;

/// Waits until a worker is active on more than it was, since it has taken what is a dead one's.
async fn heir(crew: &Crew<'_>, before: &[u32]) -> usize {
    wait_for("a worker that takes over", async || {
        let shares = crew.shares().await;
        shares.iter().zip(before).position(|(now, before)| now > before)
    })
    .await
}

on_both_brokers! {
    async fn killed_workers_in_a_storm_of_sns_overtake_and_lose_nothing(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let _storm = Storm::begin_without_silence(&sns);
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[]);
        crew.grow(4).await;
        let said = while_events_flow(&stand, 2, async {
            crew.settles().await;
            for _ in 0..DEATHS {
                crew.kill(0).await;
                crew.settles().await;
                crew.grow(4).await;
                crew.settles().await;
            }
        })
        .await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MANY).await;
    }

    async fn a_second_death_before_all_is_taken_again_overtakes_and_loses_nothing(stand: Stand) {
        let sns = sns_with_latency(Duration::from_millis(500));
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[]);
        crew.create_queues().await;
        let said = while_events_flow(&stand, WAITING, async {
            crew.grow(4).await;
            crew.settles().await;
            for _ in 0..2 {
                let before = crew.shares().await;
                crew.kill(0).await;
                // Of what came back to it a request's time ago it has published little.
                let heir = heir(&crew, &before[1..]).await;
                crew.kill(heir).await;
                crew.settles().await;
                crew.grow(4).await;
                crew.settles().await;
            }
            sns.set_latency(Duration::from_millis(5));
        })
        .await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MANY).await;
    }
}

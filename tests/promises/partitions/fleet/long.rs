//! The promise, with all that is to be cleared away whatever comes of it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::Size;
use super::drive::drive;
use super::plan::Plan;
use super::report::Report;
use super::workers::Workers;
use crate::fake_sns::FakeSns;
use crate::partitions::{all_partitions, hash_exchange_of, marker_of};
use crate::support::{Stand, on_both_brokers};

/// For all that comes after the last event: workers that stop, and what still waits.
const AFTERWARDS: Duration = Duration::from_mins(6);

/// A broker may be gone, too, when somebody has interrupted the run.
const CLEARING: Duration = Duration::from_secs(30);

on_both_brokers! {
    async fn arrivals_deaths_stops_freezes_and_faults_of_sns_overtake_and_lose_nothing(stand: Stand) {
        let size = Size::from_environment();
        let plan = Plan::draw(&size);
        println!("fleet: {size:?}");
        let sns = FakeSns::start();
        let workers = Workers::new(&stand, &sns, &size);
        let limit = size.lasts + AFTERWARDS;
        let mut terminated = signal(SignalKind::terminate()).unwrap();
        let driven = async {
            tokio::select! {
                driven = timeout(limit, drive(&plan, &stand, &sns, &workers)) => {
                    let late = |_| panic!("not over after {limit:?}; seed {}", size.seed);
                    Some(driven.unwrap_or_else(late))
                }
                _ = tokio::signal::ctrl_c() => None,
                _ = terminated.recv() => None,
            }
        };
        let driven = AssertUnwindSafe(driven).catch_unwind().await;
        workers.end().await;
        if !timeout(CLEARING, clear(stand, size.partitions)).await.is_ok_and(|it| it.is_ok()) {
            println!("the queues are not removed, since RabbitMQ did not answer");
        }
        // One that was interrupted is nobody's fault.
        if !driven.as_ref().is_ok_and(|it| it.as_ref().is_none_or(Report::is_well)) {
            println!("the plan and the workers' logs: {}", workers.keep_logs(&plan).display());
        }
        let report = driven.unwrap_or_else(|panic| resume_unwind(panic));
        let report = report.unwrap_or_else(|| panic!("interrupted; seed {}", size.seed));
        println!("{report}");
        assert!(report.is_well(), "events are lost or overtaken, or a worker ended by itself");
    }
}

/// Removes what the stand, the workers and the run have made, with whatever is left in it.
async fn clear(stand: Stand, partitions: u32) -> lapin::Result<()> {
    let queues = all_partitions(&stand, partitions).into_iter().chain([
        marker_of(&stand),
        format!("{}.suspects", stand.queue()),
        stand.queue(),
        stand.held_queue(),
        stand.dead_letter_queue(),
    ]);
    for queue in queues {
        stand.channel.queue_delete(queue.into(), <_>::default()).await?;
    }
    let exchanges =
        [hash_exchange_of(&stand, partitions), stand.exchange(), stand.dead_letter_queue()];
    for exchange in exchanges {
        stand.channel.exchange_delete(exchange.into(), <_>::default()).await?;
    }
    Ok(())
}

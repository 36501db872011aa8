//! Everything at once: workers killed, brokers crashed, networks cut and SNS at its worst, while
//! events flow and every kind of poison among them. Then everything heals, and every event is accounted for.
//!
//! `make check-long` runs a short and fixed plan; `make chaos` draws a long one from a seed.

mod account;
mod alone;
mod events;
mod feed;
mod fleet;
mod plan;
mod report;
mod storm;
mod weather;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use self::plan::Plan;
use crate::support::number_from;

/// Of a short storm.
const FEW: u32 = 3000;

/// An event has so much of a long storm, and all of them together no more than the second.
const PER_EVENT: Duration = Duration::from_millis(3);
const LONGEST: Duration = Duration::from_mins(5);

/// For a long one in all. It ends what it has started, then.
const LIMIT: Duration = Duration::from_secs(9 * 60 + 30);

/// `EVENT_PUSHER_CHAOS_EVENTS` makes it a long one, `EVENT_PUSHER_CHAOS_SEED` one that was before.
#[tokio::test]
async fn a_storm_of_every_fault_loses_nothing_and_repeats_no_more_than_was_in_flight() {
    let (plan, events) = match number_from("EVENT_PUSHER_CHAOS_EVENTS") {
        None => (Plan::short(), FEW),
        Some(events) => {
            let seed = number_from("EVENT_PUSHER_CHAOS_SEED")
                .unwrap_or_else(|| u64::from(fastrand::u32(..)));
            let events = u32::try_from(events).expect("too many events");
            (Plan::draw(seed, (PER_EVENT * events).min(LONGEST)), events)
        }
    };
    println!("chaos: {events} events, seed {}", plan.seed);
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    let report = tokio::select! {
        report = tokio::time::timeout(LIMIT, storm::survive(&plan, events)) => report,
        _ = tokio::signal::ctrl_c() => panic!("interrupted"),
        _ = terminated.recv() => panic!("terminated"),
    };
    let report = report.unwrap_or_else(|_| panic!("not over after {LIMIT:?}; seed {}", plan.seed));
    println!("{report}");
    report.check();
}

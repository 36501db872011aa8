//! Events that come at an even pace while something happens.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::{MissedTickBehavior, interval};

use crate::order::conversations::{Conversations, routed_event_of};
use crate::support::{Event, Stand};

/// Conversations. So many that each of forty partitions has some of them.
pub(super) const KEYS: usize = 300;

/// All of them say something in turn, so many together at each tick: 200 events a second, and one of each in 1.5 s.
const TOGETHER: usize = 20;
const TICK: Duration = Duration::from_millis(100);

/// Every conversation says `before` messages at once, and goes on as long as `acts` lasts. Returns what was said.
pub(super) async fn while_events_flow(
    stand: &Stand,
    before: usize,
    acts: impl Future<Output = ()>,
) -> Conversations {
    while_events_of(routed_event_of, stand, before, acts).await
}

/// The same with other events, each by its conversation and number.
pub(super) async fn while_events_of(
    event_of: impl Fn(usize, usize) -> Event,
    stand: &Stand,
    before: usize,
    acts: impl Future<Output = ()>,
) -> Conversations {
    let is_over = Cell::new(false);
    let flow = async {
        stand.publish_all(Conversations::in_turn(KEYS, before).events_as(&event_of)).await;
        let (mut number, mut ticks) = (before, interval(TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over.get() {
            for from in (0..KEYS).step_by(TOGETHER) {
                ticks.tick().await;
                let together = from..(from + TOGETHER).min(KEYS);
                stand.publish_all(together.map(|key| event_of(key, number))).await;
            }
            number += 1;
        }
        number
    };
    let acts = async {
        acts.await;
        is_over.set(true);
    };
    let (each, ()) = join(flow, acts).await;
    println!("{KEYS} conversations of {each} messages");
    Conversations::in_turn(KEYS, each)
}

//! Events that come at an even pace while something happens.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::{MissedTickBehavior, interval};

use crate::order::conversations::{Conversations, routed_event_of};
use crate::support::Stand;

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
    while_noted_events_flow(stand, before, |_, _| {}, acts).await
}

/// The same, and `note` gets key and number of each event that comes at the even pace, just before it is published.
pub(super) async fn while_noted_events_flow(
    stand: &Stand,
    before: usize,
    note: impl Fn(usize, usize),
    acts: impl Future<Output = ()>,
) -> Conversations {
    let is_over = Cell::new(false);
    let flow = async {
        stand.publish_all(Conversations::in_turn(KEYS, before).routed_events()).await;
        let (mut number, mut ticks) = (before, interval(TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over.get() {
            for from in (0..KEYS).step_by(TOGETHER) {
                ticks.tick().await;
                let together = from..(from + TOGETHER).min(KEYS);
                together.clone().for_each(|key| note(key, number));
                stand.publish_all(together.map(|key| routed_event_of(key, number))).await;
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

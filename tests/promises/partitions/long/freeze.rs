//! Workers that the broker gives up while they live: one that stands still, and one that is cut off. Others take over what they
//! hold, and they must not publish it behind their backs.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use super::super::sorting::sorter_of;
use super::super::{Crew, FEW, leave_nothing, while_events_flow, while_events_of};
use super::{MANY, MANY_SETTING, sns_with_latency};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{number_of, spoken_event_of};
use crate::support::{Door, Proxy, on_both_brokers};

const LATENCY: Duration = Duration::from_millis(500);

/// Each conversation has so many messages waiting, so that the worker has much in hand.
const WAITING: usize = 8;

/// By which the worker signs, so that its requests are known.
const KEY: &str = "GIVENUP";
const SIGNED: (&str, &str) = ("SNS__ACCESS_KEY_ID", KEY);

/// Of what SNS took from the worker, what it had taken from others before.
fn stale(sns: &FakeSns) -> Vec<(usize, usize)> {
    let (signers, mut of_others, mut stale) = (sns.signers(), BTreeSet::new(), Vec::new());
    for message in sns.accepted() {
        let number = number_of(&message);
        if signers[&message.request] != KEY {
            of_others.insert(number);
        } else if of_others.contains(&number) {
            stale.push(number);
        }
    }
    stale
}

fn is_not_stale(sns: &FakeSns) {
    let stale = stale(sns);
    assert!(stale.is_empty(), "{} are published after others had: {stale:?}", stale.len());
}

on_both_brokers! {
    async fn a_frozen_worker_publishes_nothing_of_what_others_have_taken_over(stand: Stand) {
        let sns = sns_with_latency(LATENCY);
        let uri = format!("{}?heartbeat=2", stand.amqp_uri);
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[("AMQP__URI", &uri)]);
        crew.create_queues().await;
        let said = while_events_flow(&stand, WAITING, async {
            crew.grow_with(1, &[SIGNED]).await;
            crew.grow(4).await;
            crew.settles().await;
            let frozen = crew.workers.remove(0);
            frozen.signal(Signal::SIGSTOP);
            // The broker misses it after some heartbeats, and then others publish what it has in hand.
            crew.settles().await;
            sleep(4 * LATENCY).await;
            frozen.signal(Signal::SIGCONT);
            crew.workers.push(frozen);
            crew.settles().await;
            sns.set_latency(Duration::from_millis(5));
        })
        .await;
        crew.ends_in_order(&said).await;
        is_not_stale(&sns);
        leave_nothing(stand, MANY).await;
    }

    async fn a_frozen_sorter_overtakes_nothing_when_it_wakes(stand: Stand) {
        let sns = sns_with_latency(Duration::from_millis(5));
        let uri = format!("{}?heartbeat=2", stand.amqp_uri);
        let by = ("AMQP__SOURCES__EVENTS__PARTITION_BY", "conversation");
        let mut crew = Crew::new(&stand, &sns, "4", &[("AMQP__URI", &uri), by]);
        crew.grow(1).await;
        let said = while_events_of(spoken_event_of, &stand, WAITING, async {
            crew.workers[0].logged("sorting").await;
            crew.grow(3).await;
            crew.settles().await;
            for _ in 0..2 {
                let sorter = sorter_of(&crew.workers).await;
                let frozen = crew.workers.remove(sorter);
                frozen.signal(Signal::SIGSTOP);
                let successor = sorter_of(&crew.workers).await;
                crew.workers[successor].logged("sorting").await;
                sleep(4 * LATENCY).await;
                frozen.signal(Signal::SIGCONT);
                // Here it is nobody's choice any more.
                crew.workers.push(frozen);
                crew.settles().await;
                crew.workers.pop().unwrap().crash().await;
                crew.grow(3).await;
            }
        })
        .await;
        crew.ends_in_order(&said).await;
        stand.delete_exchange(&format!("{}.sorted", stand.queue())).await;
        leave_nothing(stand, FEW).await;
    }

    async fn a_worker_that_is_cut_off_publishes_nothing_of_what_others_have_taken_over(stand: Stand) {
        let sns = sns_with_latency(LATENCY);
        let network = Proxy::start(&stand.amqp_uri, Door::Open).await;
        let near = format!("{}?heartbeat=2", stand.amqp_uri);
        let far = format!("{}?heartbeat=2", network.instead_of(&stand.amqp_uri));
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[("AMQP__URI", &near)]);
        crew.create_queues().await;
        let said = while_events_flow(&stand, WAITING, async {
            crew.grow_with(1, &[SIGNED, ("AMQP__URI", &far)]).await;
            crew.grow(4).await;
            crew.settles().await;
            let cut_off = crew.workers.remove(0);
            network.set(Door::Silent);
            crew.settles().await;
            sleep(4 * LATENCY).await;
            network.set(Door::Open);
            crew.workers.push(cut_off);
            crew.settles().await;
            sns.set_latency(Duration::from_millis(5));
        })
        .await;
        crew.ends_in_order(&said).await;
        is_not_stale(&sns);
        leave_nothing(stand, MANY).await;
    }
}

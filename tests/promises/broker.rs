//! Brokers that restart, fail over, refuse and fall silent: the worker goes on by itself, says so
//! once, and loses nothing.

mod long;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fake_sns::FakeSns;
use crate::support::{
    Door, Event, OwnBroker, Proxy, Stand, Worker, number_in, on_both_brokers, wait_for,
};

fn chat(number: u32) -> Event {
    Event::chat("alice@localhost", "bob@localhost", &number.to_string())
}

/// The numbers that SNS has accepted, each once.
fn accepted(sns: &FakeSns) -> BTreeSet<u32> {
    let number = |body: &str| number_in(&serde_json::from_str(body).unwrap());
    sns.accepted().iter().map(|message| number(&message.body)).collect()
}

async fn accepts(sns: &FakeSns, count: u32) {
    let enough = async || (accepted(sns).len() >= count as usize).then_some(());
    wait_for(&format!("SNS to accept {count} events"), enough).await;
}

/// An answer takes so long, so that a fault finds events at every place.
const SLOW: Duration = Duration::from_millis(20);

/// From then on, since the broker takes its time to end, and events are to be left.
const MUCH_SLOWER: Duration = Duration::from_secs(1);

fn slow_sns(fast: u32) -> FakeSns {
    let sns = FakeSns::start();
    sns.record();
    sns.set_latency(SLOW);
    sns.set_latency_after(u64::from(fast), MUCH_SLOWER);
    sns
}

/// A worker that has published a quarter of the events when SNS becomes slow: the others are in the queue and in flight.
async fn worker_with_events_left(stand: &Stand, nodes: &str, events: u32) -> (Worker, FakeSns) {
    let sns = slow_sns(events / 4);
    let url = sns.url();
    let uris = [("AMQP__URI", ""), ("AMQP__URIS", nodes)];
    let settings = [&uris[..], &[("SNS__SNS_HOST", &url), ("SNS__POOL_SIZE", "4")]].concat();
    let worker = Worker::start_with(stand, &settings).await;
    stand.publish_all((0..events).map(chat)).await;
    accepts(&sns, events / 4).await;
    (worker, sns)
}

/// As an operator does for an upgrade: the broker sends everybody away, and takes nobody for a while.
#[tokio::test]
async fn a_broker_that_restarts_in_order_is_found_again() {
    const EVENTS: u32 = 1000;
    let (broker, _guard) = OwnBroker::alone().await;
    let stand = Stand::on("restarted", &broker.uri(0)).await;
    let (worker, sns) = worker_with_events_left(&stand, &broker.uri(0), EVENTS).await;
    broker.restart(0).await;
    sns.set_latency(SLOW);
    accepts(&sns, EVENTS).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.again().await.leave_nothing().await;
}

on_both_brokers! {
    /// As one that is switched off, and whose address nobody answers for.
    async fn the_next_node_is_tried_beside_one_that_is_silent(stand: Stand) {
        let silent = Proxy::start(&stand.amqp_uri, Door::Silent).await;
        let good = Proxy::start(&stand.amqp_uri, Door::Open).await;
        // Were it waited for alone, the worker would not consume in the time that this test has.
        let hour = "?connection_timeout=3600000";
        let uris = [&silent, &good].map(|node| format!("{}{hour}", node.instead_of(&stand.amqp_uri)));
        let uris = uris.join(",");
        // The connections of the source alone are counted.
        let settings = [("AMQP__URI", ""), ("AMQP__URIS", &uris), ("FLEET__VIEW", "false")];
        let worker = Worker::start_with(&stand, &settings).await;
        assert_eq!(worker.count("not_consuming"), 0, "{:#?}", worker.log());
        assert_eq!(silent.taken(), 1);
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

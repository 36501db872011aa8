//! Brokers that restart, fail over, refuse and fall silent: the worker goes on by itself, says so
//! once, and loses nothing.

mod long;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fake_sns::FakeSns;
use crate::support::{Door, Event, OwnBroker, Proxy, Stand, Worker, number_in, wait_for};

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

/// While the broker is being ended, which takes its time, so that events are left.
const MUCH_SLOWER: Duration = Duration::from_secs(1);

fn slow_sns() -> FakeSns {
    let sns = FakeSns::start();
    sns.record();
    sns.set_latency(SLOW);
    sns
}

/// As an operator does for an upgrade: the broker sends everybody away, and takes nobody for a while.
#[tokio::test]
async fn a_broker_that_restarts_in_order_is_found_again() {
    const EVENTS: u32 = 1000;
    let (broker, _guard) = OwnBroker::alone().await;
    let (stand, sns) = (Stand::on("restarted", &broker.uri(0)).await, slow_sns());
    let url = sns.url();
    let settings = [("SNS__SNS_HOST", &*url), ("SNS__POOL_SIZE", "4")];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    accepts(&sns, EVENTS / 4).await;
    sns.set_latency(MUCH_SLOWER);
    broker.restart(0).await;
    sns.set_latency(SLOW);
    accepts(&sns, EVENTS).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.again().await.leave_nothing().await;
}

#[tokio::test]
async fn a_node_that_is_gone_or_silent_is_passed_over_and_the_one_that_answered_comes_first_next_time()
 {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("uris", &broker.uri(0)).await;
    let gone = Proxy::start(&stand.amqp_uri, Door::Refusing).await;
    let silent = Proxy::start(&stand.amqp_uri, Door::Silent).await;
    let good = Proxy::start(&stand.amqp_uri, Door::Open).await;
    let uris = [&gone, &silent, &good].map(|node| {
        format!("{}?connection_timeout=2000&heartbeat=2", node.instead_of(&stand.amqp_uri))
    });
    let uris = uris.join(",");
    let settings = [("AMQP__URI", ""), ("AMQP__URIS", &*uris)];
    let worker = Worker::start_with(&stand, &settings).await;
    assert_eq!((gone.taken(), silent.taken(), good.taken()), (1, 1, 1));
    assert_eq!(worker.count("not_consuming"), 0, "{:#?}", worker.log());
    stand.publish(chat(0)).await;
    worker.settles(1).await;
    broker.keeps(&stand.queue(), 0).await;

    // It is lost, and nobody answers for a while.
    good.set(Door::Silent);
    let nobody = worker.logged_times("not_consuming", 2).await["error"].to_string();
    assert!(nobody.contains("cannot connect"), "{nobody}");
    for node in [&gone, &silent, &good] {
        assert!(nobody.contains(&node.address().to_string()), "{nobody}");
    }
    good.set(Door::Open);
    stand.publish(chat(1)).await;
    worker.settles(2).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    // It was asked first each time, so the one that it was found at did not ask the others.
    assert_eq!(good.taken() - 1, gone.taken());
    worker.stop().await;
    stand.leave_nothing().await;
}

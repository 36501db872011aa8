//! Brokers that crash: each is ready after ten seconds, and a cluster after half a minute. And nodes that are found
//! missing one after the other.

mod rolling;

use super::{SLOW, accepts, chat, worker_with_events_left};
use crate::support::{Door, OwnBroker, Proxy, Stand, Worker};

#[tokio::test]
async fn a_broker_that_crashes_is_found_again_and_nothing_is_lost() {
    const EVENTS: u32 = 2000;
    let broker = OwnBroker::single().await;
    let stand = Stand::on("crashed", &broker.uri(0)).await;
    let (worker, sns) = worker_with_events_left(&stand, &broker.uri(0), EVENTS).await;
    broker.kill(0).await;
    sns.set_latency(SLOW);
    worker.logged("not_consuming").await;
    broker.start_again(0).await;
    accepts(&sns, EVENTS).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    let exit = worker.stop().await;
    assert_eq!(exit.status.code(), Some(0));
    stand.again().await.leave_nothing().await;
}

#[tokio::test]
async fn a_cluster_that_loses_the_queues_leader_is_consumed_through_another_node() {
    const EVENTS: u32 = 2000;
    let broker = OwnBroker::cluster().await;
    let stand = Stand::on("failover", &broker.uri(1)).await;
    let (worker, sns) = worker_with_events_left(&stand, &broker.uris(), EVENTS).await;
    // The worker has declared the queue at the first node, so that is the one which leads it.
    assert_eq!(broker.leader_of(&stand.queue()).await, 0);
    broker.kill(0).await;
    sns.set_latency(SLOW);
    accepts(&sns, EVENTS).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.leave_nothing().await;
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
    // The connections of the source alone are counted.
    let settings = [("AMQP__URI", ""), ("AMQP__URIS", &*uris), ("FLEET__VIEW", "false")];
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

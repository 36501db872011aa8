//! Brokers that crash: each is ready after ten seconds, and a cluster after half a minute.

use super::{MUCH_SLOWER, SLOW, accepts, chat, slow_sns};
use crate::support::{OwnBroker, Stand, Worker};

#[tokio::test]
async fn a_broker_that_crashes_is_found_again_and_nothing_is_lost() {
    const EVENTS: u32 = 2000;
    let (broker, sns) = (OwnBroker::single().await, slow_sns());
    let stand = Stand::on("crashed", &broker.uri(0)).await;
    let url = sns.url();
    let worker =
        Worker::start_with(&stand, &[("SNS__SNS_HOST", &url), ("SNS__POOL_SIZE", "4")]).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    accepts(&sns, EVENTS / 4).await;
    sns.set_latency(MUCH_SLOWER);
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
    let (broker, sns) = (OwnBroker::cluster().await, slow_sns());
    let stand = Stand::on("failover", &broker.uri(1)).await;
    let (uris, url) = (broker.uris(), sns.url());
    let settings = [
        ("AMQP__URI", ""),
        ("AMQP__URIS", &*uris),
        ("SNS__SNS_HOST", &url),
        ("SNS__POOL_SIZE", "4"),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    // The worker has declared the queue at the first node, so that is the one which leads it.
    assert_eq!(broker.leader_of(&stand.queue()).await, 0);
    stand.publish_all((0..EVENTS).map(chat)).await;
    accepts(&sns, EVENTS / 4).await;
    sns.set_latency(MUCH_SLOWER);
    broker.kill(0).await;
    sns.set_latency(SLOW);
    accepts(&sns, EVENTS).await;
    assert_eq!(worker.count("consuming"), 2, "{:#?}", worker.log());
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.leave_nothing().await;
}

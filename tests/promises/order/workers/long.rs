//! A node is lost, with the queue's leader and the connection of the active worker: what that one held comes back before
//! anything later is delivered.

use std::time::Duration;

use super::super::conversations::{Conversations, distinct};
use super::super::worker_on;
use super::{ADMIN, FakeSns, PER_KEY, Stand, Worker, wait_for};
use crate::support::OwnBroker;

/// Many more than are in flight when the node is lost, and more than come before that.
const LOST_AFTER: usize = 1500;

#[tokio::test]
async fn of_8000_events_none_is_overtaken_when_the_node_of_leader_and_connection_is_lost() {
    let broker = OwnBroker::cluster().await;
    let (stand, sns) = (Stand::on("node-loss", &broker.uri(1)).await, FakeSns::start());
    sns.record();
    let (all, others) = (broker.uris(), [broker.uri(1), broker.uri(2)].join(","));
    let at = |uris| [("AMQP__URI", ""), ("AMQP__URIS", uris), ADMIN];
    let (first, others) = (at(&*all), at(&*others));
    let said = Conversations::new(400, 20, 11);
    Worker::create_queue(&stand, &[&first[..], &[PER_KEY]].concat()).await;
    // The queue was declared at the first node, so that one leads it.
    assert_eq!(broker.leader_of(&stand.queue()).await, 0);
    stand.publish_all(said.events()).await;
    sns.set_latency(Duration::from_millis(400));
    let active = worker_on(&stand, &sns, &first).await;
    active.logged("first_published").await;
    let standby = worker_on(&stand, &sns, &others).await;
    wait_for("the middle of it", async || (distinct(&sns.accepted()) >= LOST_AFTER).then_some(()))
        .await;
    broker.kill(0).await;
    wait_for("all messages, and an empty queue", async || {
        let came = said.have_all_come(&sns.accepted());
        (came && stand.ready(&stand.queue()).await == 0).then_some(())
    })
    .await;
    for worker in [active, standby] {
        let exit = worker.stop().await;
        assert_eq!(exit.totals().dead_lettered, 0, "{exit:?}");
    }
    said.came_in_order(&sns.accepted());
    stand.leave_nothing().await;
}

//! Brokers that are lost: a node of a cluster, with the leaders of all partitions and the connections of two workers, and one that is
//! alone.

use std::time::Duration;

use super::super::{Crew, leave_nothing, partition_of};
use super::{MANY, MANY_SETTING, sns_with_latency};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{Conversations, distinct};
use crate::support::{OwnBroker, Stand, wait_for};

/// Many more than are in flight when the node is lost, and more than come before that.
const LOST_AFTER: usize = 1500;

async fn is_in_the_middle(sns: &FakeSns) {
    let middle = async || {
        let enough = sns.counts().messages >= LOST_AFTER as u64;
        (enough && distinct(&sns.accepted()) >= LOST_AFTER).then_some(())
    };
    wait_for("the middle of it", middle).await;
}

#[tokio::test]
async fn of_8000_events_in_partitions_none_is_overtaken_or_lost_when_the_node_of_their_leaders_is_lost()
 {
    let broker = OwnBroker::cluster().await;
    let stand = Stand::on("partitions-node", &broker.uri(1)).await;
    let sns = sns_with_latency(Duration::from_millis(400));
    let (all, others) = (broker.uris(), [broker.uri(1), broker.uri(2)].join(","));
    let mut crew =
        Crew::new(&stand, &sns, MANY_SETTING, &[("AMQP__URI", ""), ("AMQP__URIS", &all)]);
    let said = Conversations::new(400, 20, 11);
    crew.create_queues().await;
    // They were declared at the first node, so that one leads them.
    assert_eq!(broker.leader_of(&partition_of(&stand, MANY, 0)).await, 0);
    stand.publish_all(said.routed_events()).await;
    crew.grow(2).await;
    crew.grow_with(3, &[("AMQP__URIS", &others)]).await;
    is_in_the_middle(&sns).await;
    broker.kill(0).await;
    crew.ends_in_order(&said).await;
    leave_nothing(stand, MANY).await;
}

#[tokio::test]
async fn of_8000_events_in_partitions_none_is_overtaken_or_lost_when_the_broker_crashes() {
    let broker = OwnBroker::single().await;
    let stand = Stand::on("partitions-crash", &broker.uri(0)).await;
    let sns = sns_with_latency(Duration::from_millis(400));
    let said = Conversations::new(400, 20, 11);
    let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[]);
    crew.create_queues().await;
    stand.publish_all(said.routed_events()).await;
    crew.grow(3).await;
    is_in_the_middle(&sns).await;
    broker.kill(0).await;
    broker.start_again(0).await;
    crew.ends_in_order(&said).await;
    leave_nothing(stand.again().await, MANY).await;
}

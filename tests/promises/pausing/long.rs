//! What takes long: a broker that restarts.

use super::{chats, knows, pause, pauses, resume, stop_all, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{OwnBroker, Stand, wait_for};

#[tokio::test]
async fn a_pause_outlives_the_broker_and_a_worker_that_begins_with_it() {
    let broker = OwnBroker::single().await;
    let stand = Stand::on("pause-restart", &broker.uri(0)).await;
    let sns = FakeSns::start();
    sns.record();
    let worker = worker_on(&stand, &sns, &[]).await;
    worker.logged("consuming").await;
    pause(&stand, &["--all"]).await;
    knows(&worker, "all", true).await;
    broker.kill(0).await;
    let later = worker_on(&stand, &sns, &[]).await;
    broker.start_again(0).await;
    let stand = stand.again().await;
    stand.publish_all(chats(10)).await;
    for worker in [&worker, &later] {
        knows(worker, "all", true).await;
    }
    assert_eq!(pauses(&stand).await.len(), 1);
    // A queue that has just come back may be asked before it knows what is in it.
    wait_for("events that wait", async || (stand.ready(&stand.queue()).await == 10).then_some(()))
        .await;
    assert_eq!((sns.accepted().len(), later.count("consuming")), (0, 0));
    resume(&stand, &["--all"]).await;
    super::are_accepted(&sns, "-pm", 10).await;
    stop_all(stand, [worker, later]).await;
}

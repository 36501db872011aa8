//! What is noticed only because nothing comes: ten looks at a queue, two heartbeats apart.

use lapin::options::QueueDeleteOptions;

use super::{chat, consumes, troubles};
use crate::support::{Stand, Worker, quorum, wait_for};

#[tokio::test]
async fn somebody_elses_queue_that_is_deleted_is_consumed_again_when_it_is_back() {
    let stand = Stand::new("recreated").await;
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    stand.declare_events_by_hand().await;
    let uri = format!("{}?heartbeat=1", stand.amqp_uri);
    let settings = [("AMQP__DECLARE", "false"), ("AMQP__URI", &*uri)];
    let worker = Worker::start_with(&stand, &settings).await;
    // On a busy machine a heartbeat of a second may be missed, which is another trouble.
    let troubles = |worker: &Worker| {
        let mut all = troubles(worker);
        all.retain(|it| !it.contains("heartbeat"));
        all
    };
    let delete = async || {
        let options = QueueDeleteOptions::default();
        stand.channel.queue_delete(stand.queue().into(), options).await.unwrap();
    };
    // Recreated at once, it is another queue all the same. RabbitMQ 3.10 says nothing, counts the
    // consumer as one of the new queue, and delivers nothing to it.
    delete().await;
    stand.declare_events_by_hand().await;
    stand.publish(chat(0)).await;
    worker.settles(1).await;
    // Unless RabbitMQ says something after all, since its channel looked in between.
    let (deleted, gone) = ("the queue was deleted", format!("no queue '{}'", stand.queue()));
    let before = troubles(&worker);
    let is_known = |it: &String| {
        it.contains(deleted)
            || it.contains("it was deleted and created again")
            || it.contains(&gone)
    };
    assert!(before.len() <= 2 && before.iter().all(is_known), "{before:#?}");
    // It stays away for a while.
    let sessions = worker.count("consuming");
    delete().await;
    let new = async || (troubles(&worker).len() >= before.len() + 2).then_some(());
    wait_for("both troubles", new).await;
    stand.declare_queue(&stand.queue(), quorum()).await;
    stand.bind(&stand.queue(), &stand.exchange(), "#").await;
    consumes(&worker, sessions + 1).await;
    stand.publish(chat(1)).await;
    worker.settles(2).await;
    let said = troubles(&worker).split_off(before.len());
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains(deleted) && said[1].contains(&gone), "{said:#?}");
    worker.stop().await;
    stand.leave_nothing().await;
}

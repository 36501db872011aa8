//! A broker without the plugin, as an operator installs it.

use super::super::{FEW, FEW_PARTITIONS, PER_KEY, check, leave_nothing};
use crate::order::conversations::routed_event_of;
use crate::support::{ADMIN, Admin, HASH_PLUGIN, OwnBroker, Stand, Worker, binary};

#[tokio::test]
async fn a_missing_plugin_is_named_with_the_command_that_enables_it_and_then_the_source_consumes() {
    let broker = OwnBroker::without_plugins().await;
    let stand = Stand::on("partitions-plugin", &broker.uri(0)).await;
    let settings = [FEW_PARTITIONS, PER_KEY, ADMIN];
    let command = format!("rabbitmq-plugins enable {HASH_PLUGIN}");
    let worker = Worker::spawn(&stand, binary(), &settings);
    let line = worker.logged("not_consuming").await["error"].to_string();
    assert!(line.contains(&command), "{line}");
    let problem = Admin::of(&worker).await.is_not_ready("disconnected").await;
    assert!(problem.to_string().contains(&command), "{problem}");
    let checked = check(&stand, &settings).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    checked.line(&command);
    // No event has nowhere to go meanwhile: the exchange has the queue that was.
    broker.enable(HASH_PLUGIN).await;
    worker.logged("consuming").await;
    stand.publish(routed_event_of(0, 0)).await;
    stand.receive("pm", 1).await;
    worker.stop().await;
    leave_nothing(stand, FEW).await;
}

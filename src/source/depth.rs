//! How much waits in a queue, asked for every few seconds.

use std::rc::Rc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::sleep;

use super::SourceError;
use super::connection::bounded;
use crate::monitor::Monitor;

/// Autoscalers look every ten to thirty seconds.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Asks as long as the channel lives. What the broker said last is a better guess than nothing.
pub(super) async fn watch(channel: Channel, queue: String, monitor: Rc<Monitor>) {
    while channel.status().connected() {
        match ask(&channel, &queue).await {
            Ok(depth) => monitor.queue(Some(depth)),
            Err(error) => tracing::debug!(queue, %error, "cannot tell how much is in the queue"),
        }
        sleep(ASK_EVERY).await;
    }
}

async fn ask(channel: &Channel, queue: &str) -> Result<(u32, u32), SourceError> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
    let queue = bounded("asking for the queue's depth", declared).await?;
    Ok((queue.message_count(), queue.consumer_count()))
}

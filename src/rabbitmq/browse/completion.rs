//! Checks whether a browser has received all messages of the queue, and is the only consumer.
//!
//! The message count of a queue does not show this: a busy queue reports 0,
//! and messages may expire. But a consumer with a free prefetch gets all messages; so once
//! the queue reports that no message is ready, all of them have been sent. That answer may overtake
//! messages within the broker's channel; the answer to a second request can't.

use std::sync::atomic::Ordering;

use lapin::Channel;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::consumers::{Arrival, Consumers};
use crate::outcome::SourceError;
use crate::rabbitmq::topology::queue_state::{ASK_AGAIN, QueueState};

/// Asks on the look's own channel, beside the look; what it finds arrives in line with the messages.
#[derive(Debug)]
pub(super) struct CompletionCheck(JoinHandle<()>);

impl CompletionCheck {
    pub(super) fn begin<T: Send + 'static>(
        channel: &Channel,
        queue: &str,
        consumers: &Consumers<T>,
    ) -> Self {
        let (channel, queue) = (channel.clone(), queue.to_owned());
        let (ours, most) = (consumers.count(), consumers.room());
        let (arrived, tell) = (consumers.arrived(), consumers.sender());
        Self(tokio::spawn(async move {
            let is_full = || arrived.load(Ordering::SeqCst) >= most;
            let found = take(&channel, &queue, ours, is_full).await;
            // A look that has been closed needs no more.
            let _ = tell.send(match found {
                Ok(beyond) => Arrival::HandedOut { beyond },
                Err(why) => Arrival::End(why),
            });
        }))
    }
}

/// Returns how many messages there are beyond those that the look has room for. Each answer comes
/// after what was handed out before, however long that takes; so there is no bound here.
async fn take(
    channel: &Channel,
    queue: &str,
    ours: u32,
    is_full: impl Fn() -> bool,
) -> Result<u32, SourceError> {
    loop {
        let state = QueueState::unbounded(channel, queue).await?;
        if state.consumers > ours {
            let why = "another command began to browse at the same moment; try again";
            return Err(SourceError::Failed(why.to_owned()));
        }
        if !state.is_doubtful() && (state.ready == 0 || is_full()) {
            QueueState::unbounded(channel, queue).await?;
            return Ok(state.ready);
        }
        sleep(ASK_AGAIN).await;
    }
}

impl Drop for CompletionCheck {
    fn drop(&mut self) {
        self.0.abort();
    }
}

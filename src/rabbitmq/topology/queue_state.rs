//! The state of a queue, as far as the broker reports it.

use std::time::Duration;

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep};

use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::{CALL_TIMEOUT, bounded};

/// Between two questions to a queue.
pub(in crate::rabbitmq) const ASK_AGAIN: Duration = Duration::from_millis(150);

/// Between two questions to a queue by a browser that waits until others have ended.
pub(in crate::rabbitmq) const ASK_IN_LINE: Duration = Duration::from_millis(50);

/// How often a queue that seems to be empty, and perhaps is only busy, is asked.
const ASK_EMPTY: u32 = 3;

/// A queue's depth is known for so long after an answer. Then nobody knows it, until there is another one.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(30);

/// Numbers that a queue gives.
///
/// A quorum queue whose leader is busy for a quarter of a second, or isn't there, gives none,
/// and RabbitMQ answers with zeros instead (`rabbit_quorum_queue:stat`). So zeros may be
/// wrong, and other numbers are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueState {
    /// Messages that nobody holds.
    pub(crate) ready: u32,
    pub(crate) consumers: u32,
}

impl QueueState {
    /// Asks, without a claim on anything.
    pub(in crate::rabbitmq) async fn of(
        channel: &Channel,
        queue: &str,
    ) -> Result<Self, SourceError> {
        bounded(&format!("queue `{queue}`"), Self::ask(channel, queue)).await
    }

    /// Asks on a channel of its own, which a refusal closes.
    pub(crate) async fn on(
        connection: &BrokerConnection,
        queue: &str,
    ) -> Result<Self, SourceError> {
        let channel = connection.channel().await?;
        let state = Self::of(&channel, queue).await?;
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(state)
    }

    /// As [`Self::of`], without a timeout.
    pub(in crate::rabbitmq) async fn unbounded(
        channel: &Channel,
        queue: &str,
    ) -> Result<Self, SourceError> {
        Self::ask(channel, queue).await.map_err(|error| refused(&error, |said| said))
    }

    async fn ask(channel: &Channel, queue: &str) -> lapin::Result<Self> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        Ok(Self { ready: found.message_count(), consumers: found.consumer_count() })
    }

    /// As [`Self::of`], for a queue that may have no consumer: one that seems to be empty is asked more than once.
    pub(in crate::rabbitmq) async fn confirmed(
        channel: &Channel,
        queue: &str,
    ) -> Result<Self, SourceError> {
        let mut state = Self::of(channel, queue).await?;
        for _ in 1..ASK_EMPTY {
            if !state.is_doubtful() {
                break;
            }
            sleep(ASK_AGAIN).await;
            state = Self::of(channel, queue).await?;
        }
        Ok(state)
    }

    /// Waits until the queue has no consumer, and says so once if it has one.
    pub(in crate::rabbitmq) async fn wait_for_no_consumer(
        channel: &Channel,
        queue: &str,
        deadline: Instant,
        mut waits: impl FnMut(bool),
    ) -> Result<Self, SourceError> {
        let mut is_told = false;
        loop {
            let state = Self::confirmed(channel, queue).await?;
            if state.consumers == 0 {
                if is_told {
                    waits(false);
                }
                return Ok(state);
            }
            if !std::mem::replace(&mut is_told, true) {
                waits(true);
            }
            if Instant::now() > deadline {
                waits(false);
                return Err(taken(queue));
            }
            // Often, since the pause between two that look one after the other is short.
            sleep(ASK_IN_LINE).await;
        }
    }

    /// An answer that is one, from a queue that has a consumer.
    pub(in crate::rabbitmq) async fn answered(
        channel: &Channel,
        queue: &str,
    ) -> Result<Self, SourceError> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        loop {
            let state = Self::of(channel, queue).await?;
            if !state.is_doubtful() {
                return Ok(state);
            }
            if Instant::now() > deadline {
                return Err(SourceError::Failed(format!(
                    "queue `{queue}` does not answer; check that it has a leader (`rabbitmq-queues quorum_status`)"
                )));
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Whether this may be no answer at all.
    pub(crate) const fn is_doubtful(self) -> bool {
        self.ready == 0 && self.consumers == 0
    }
}

/// The error of a browser that has waited in vain.
pub(in crate::rabbitmq) fn taken(queue: &str) -> SourceError {
    SourceError::Failed(format!(
        "queue `{queue}` is being read by another consumer: another command, the operator's page, or another program. Two \
         readers would hide messages from each other and change their order; try again when the other has ended"
    ))
}

/// Debounces the answers of one queue: zeros are believed when they come twice in a row.
#[derive(Debug, Default)]
pub(crate) struct EmptyDebounce {
    empty_before: bool,
}

impl EmptyDebounce {
    /// Whether what it says now is to be believed.
    pub(crate) fn accepts(&mut self, state: QueueState) -> bool {
        let empty_before = std::mem::replace(&mut self.empty_before, state.is_doubtful());
        empty_before || !state.is_doubtful()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_believed_only_when_it_is_said_twice_in_a_row() {
        let mut debounce = EmptyDebounce::default();
        let said = [(0, 0), (0, 0), (3, 0), (0, 0), (0, 1), (0, 0), (0, 0)];
        let believed =
            said.map(|(ready, consumers)| debounce.accepts(QueueState { ready, consumers }));
        assert_eq!(believed, [false, true, true, false, true, false, true]);
    }
}

//! A standby: a consumer that gets nothing since another one is the single active consumer of the queue.
//!
//! RabbitMQ tells no consumer whether it is the active one, and a quorum queue counts only that one. So a queue is asked for its
//! arguments when messages wait there and do not come.

use super::{BrokerReply, SourceConsumer};
use crate::observe::monitor::State;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::topology::arguments::{self, Learnt, SINGLE_ACTIVE_CONSUMER};

impl SourceConsumer {
    /// Messages wait and do not come. Finds out whether they may go to another consumer alone; on a connection of its own, since a
    /// refusal closes its channel.
    pub(super) fn ask_for_single_active(&mut self, waiting: u32) {
        let (broker, queue) = (self.options.broker.clone(), self.options.queue.clone());
        let known = self.options.single_active;
        self.pending_request = Some(Box::pin(async move {
            let single_active = match known {
                Some(known) => Some(known),
                None => is_single_active(&broker, &queue).await,
            };
            Ok(BrokerReply::Passed(waiting, single_active))
        }));
    }

    /// Where that can't be told, another session shows it: a consumer that was forgotten is followed by one that is not, and a standby
    /// by a standby.
    pub(super) fn passed(
        &mut self,
        waiting: u32,
        single_active: Option<bool>,
    ) -> Result<(), SourceError> {
        self.options.single_active = single_active;
        match single_active {
            Some(false) => return Err(self.forgotten(waiting)),
            None if !self.watchdog.is_silent_again() => return Err(SourceError::Renewal),
            None | Some(true) => {}
        }
        if self.watchdog.stand_by() {
            self.tell(State::Standby);
            tracing::info!(
                event = "standby",
                queue = self.options.queue,
                waiting,
                "standby: another consumer is the single active one of the queue; deliveries come when that one ends"
            );
        }
        Ok(())
    }

    /// Deliveries come to what was a standby.
    pub(super) fn take_over(&self) {
        self.tell(State::Consuming);
        tracing::info!(
            event = "standby_over",
            queue = self.options.queue,
            "standby over: this consumer is the active one of the queue now"
        );
    }

    pub(super) fn forgotten(&self, waiting: u32) -> SourceError {
        let queue = &self.options.queue;
        SourceError::Failed(format!(
            "the broker delivers nothing from `{queue}`, where {waiting} messages wait; it seems to have forgotten the consumer"
        ))
    }

    fn tell(&self, state: State) {
        if let Some(monitor) = &self.options.monitor {
            monitor.is(state);
        }
    }
}

/// `None`: the user may not ask, or the broker does not answer.
async fn is_single_active(broker: &Broker, queue: &str) -> Option<bool> {
    let connection = broker.connect("asks for arguments").await.ok()?;
    let learnt = arguments::learn(&connection, queue).await;
    connection.close().await;
    match learnt {
        Ok(Learnt::Known(known)) => Some(known.is_set(SINGLE_ACTIVE_CONSUMER)),
        _ => None,
    }
}

//! A standby: a consumer that gets nothing since another one is the single active consumer of the queue.
//!
//! RabbitMQ tells no consumer whether it is the active one, and a quorum queue counts only that one. So a queue is asked for its
//! arguments when messages wait there and do not come.

use lapin::types::DeliveryTag;

use super::{BrokerReply, SourceConsumer};
use crate::observe::monitor::State;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::topology::arguments::{self, Learnt, SINGLE_ACTIVE_CONSUMER};

/// What is known of messages that wait and do not come.
pub(super) struct Passed {
    waiting: u32,
    /// The last delivery before the question.
    last: DeliveryTag,
    /// Whether only one consumer of the queue gets messages; `None`: that can't be told.
    single_active: Option<bool>,
}

impl SourceConsumer {
    /// Messages wait and do not come. Finds out whether they may go to another consumer alone; on a connection of its own, since a
    /// refusal closes its channel.
    pub(super) fn ask_for_single_active(&mut self, waiting: u32) {
        let (broker, queue) = (self.options.broker.clone(), self.options.queue.clone());
        let (known, last) = (self.options.single_active, self.last);
        self.pending_request = Some(Box::pin(async move {
            let single_active = match known {
                Some(known) => Some(known),
                None => is_single_active(&broker, &queue).await,
            };
            Ok(BrokerReply::Passed(Passed { waiting, last, single_active }))
        }));
    }

    /// Where that can't be told, another session shows it: a consumer that was forgotten is followed by one that is not, and a standby
    /// by a standby.
    pub(super) fn passed(&mut self, passed: &Passed) -> Result<(), SourceError> {
        let Passed { waiting, last, single_active } = *passed;
        self.options.single_active = single_active;
        if self.last != last {
            // Something has come since the question.
            return Ok(());
        }
        if self.options.is_lane {
            // Another worker is the active one, or this consumer is forgotten: what is open is finished, and a new session begins.
            return Err(SourceError::HandOver);
        }
        match single_active {
            Some(false) => return Err(self.forgotten(waiting)),
            // To this consumer something has come, so it is the active one.
            Some(true) if last > 0 => return Err(self.forgotten(waiting)),
            None if !self.watchdog.is_silent_again() => return Err(SourceError::Renewal),
            None | Some(true) => {}
        }
        if self.watchdog.stand_by() {
            self.tell(State::Standby);
            if single_active.is_none() {
                tracing::warn!(
                    event = "standby_assumed",
                    queue = self.options.queue,
                    waiting,
                    "events wait and do not come, to no session: probably another consumer is the single active one of the queue; only \
                     a user with the configure permission on the queue can ask RabbitMQ for that. If no other worker consumes the \
                     queue, see whether it is paused"
                );
                return Ok(());
            }
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
        if self.options.is_lane {
            return;
        }
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

    pub(super) fn tell(&self, state: State) {
        if let Some(monitor) = &self.options.monitor {
            monitor.is(state);
        }
    }
}

/// `None`: the user may not ask, or the broker does not answer, or is none that can be asked.
async fn is_single_active(broker: &Broker, queue: &str) -> Option<bool> {
    let connection = broker.connect("asks for arguments").await.ok()?;
    let learnt = if connection.server().refuses_wrong_arguments() {
        Some(arguments::learn(&connection, queue, true).await)
    } else {
        None
    };
    connection.close().await;
    match learnt? {
        Ok(Learnt::Known(known)) => Some(known.is_set(SINGLE_ACTIVE_CONSUMER)),
        _ => None,
    }
}

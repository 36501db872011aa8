//! Publishes what is to be safe in a queue: mandatory and confirmed, on a connection of its own.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::time::{Instant, timeout_at};

use super::amqp_message::basic_properties;
use super::connection::{Broker, CALL_TIMEOUT, bounded};
use super::line::Line;
use super::queue_state::QueueState;
use super::refusal::explain;
use super::{SourceError, topology};
use crate::dead_letters::message::Message;

/// An open way into the broker.
#[derive(Debug)]
pub(crate) struct Outlet {
    line: Line,
    channel: Channel,
}

/// Why a message is in no queue, or may be in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// No queue is bound there for it.
    Unroutable,
    /// A queue said no.
    Refused,
    /// The channel is gone, or does not answer.
    Lost(SourceError),
}

impl Outlet {
    pub(crate) async fn open(broker: &Broker, purpose: &str) -> Result<Self, SourceError> {
        let line = Line::open(broker, purpose).await?;
        let channel = line.channel().await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("asking for confirms", confirms).await?;
        Ok(Self { line, channel })
    }

    /// Publishes; whether that has worked is told by what is returned.
    pub(crate) async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Message,
    ) -> Result<Sent, SourceError> {
        let sent = self.channel.basic_publish(
            exchange.into(),
            routing_key.into(),
            BasicPublishOptions { mandatory: true, ..Default::default() },
            &message.body,
            basic_properties(&message.properties),
        );
        let confirm = bounded("publishing", sent).await?;
        Ok(Sent { confirm, deadline: Instant::now() + CALL_TIMEOUT })
    }

    /// Whether an exchange is there. To publish to one that isn't would end the channel, and so does the
    /// answer: it comes on another.
    pub(crate) async fn find_exchange(&self, exchange: &str) -> Result<(), SourceError> {
        // The default exchange can't be asked for, and is always there.
        if exchange.is_empty() {
            return Ok(());
        }
        topology::find_exchange(&self.line.channel().await?, exchange).await
    }

    /// How a queue is now.
    pub(crate) async fn queue(&self, queue: &str) -> Result<QueueState, SourceError> {
        let channel = self.line.channel().await?;
        let state = QueueState::of(&channel, queue).await?;
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(state)
    }

    pub(crate) async fn close(self) {
        self.line.close().await;
    }
}

/// A message that is on its way.
#[derive(Debug)]
pub(crate) struct Sent {
    confirm: PublisherConfirm,
    deadline: Instant,
}

impl Sent {
    /// Waits until the broker has it safe in a queue. May be dropped while it waits, and
    /// asked again.
    pub(crate) async fn taken(&mut self) -> Result<(), NotTaken> {
        match timeout_at(self.deadline, &mut self.confirm).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => Err(NotTaken::Unroutable),
            Ok(Ok(Confirmation::Nack(_))) => Err(NotTaken::Refused),
            Ok(Ok(Confirmation::NotRequested)) => lost("the broker does not confirm"),
            Ok(Err(error)) => lost(&explain(&error)),
            Err(_) => lost(&format!(
                "the broker did not confirm within {} s; has it a memory or disk alarm?",
                CALL_TIMEOUT.as_secs()
            )),
        }
    }
}

fn lost(why: &str) -> Result<(), NotTaken> {
    Err(NotTaken::Lost(SourceError(format!("publishing: {why}"))))
}

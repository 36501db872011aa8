//! The confirmed publisher: publishes mandatory messages with confirms, on a connection of its own: dead letters, parked
//! events, replays, imports, fed events, probes.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use lapin::{BasicProperties, Channel};
use tokio::sync::{OnceCell, Semaphore};

use super::alarm::Alarm;
use super::confirm_channel::{ConfirmChannel, PendingConfirm};
use super::error::{PublishError, in_order};
use super::pending_confirms::PendingConfirms;
use crate::config::Source;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{BLOCKED, Broker};
use crate::rabbitmq::headers::amqp_message::basic_properties;
use crate::rabbitmq::message::Message;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// Channels with one message each: enough for a broker that takes milliseconds for a confirm, and few beside the 2,047
/// that RabbitMQ allows a connection.
const MOST_SINGLE: usize = 64;

/// Publishes in order on one channel, or each message on a channel of its own.
///
/// In order, many messages are unconfirmed at once, and a refusal that closes the channel takes all of their confirms
/// along. Messages that have nothing to do with each other, such as dead letters of several sources, get a channel each
/// while they are unconfirmed: what is wrong with one keeps no other, and a message that is returned can only be that one
/// (`pending_confirms.rs` says why it may be another one's otherwise).
#[derive(Debug)]
pub(crate) struct ConfirmedPublisher {
    /// Opened with the first message that is sent in order.
    in_order: OnceCell<ConfirmChannel>,
    /// Without an unconfirmed message.
    idle: Mutex<Vec<ConfirmChannel>>,
    single: Semaphore,
    alarm: Alarm,
    connection: BrokerConnection,
}

impl ConfirmedPublisher {
    /// `purpose` is how the connection shows on RabbitMQ's side.
    pub(crate) async fn open(broker: &Broker, purpose: &str) -> Result<Self, SourceError> {
        broker.connect(purpose).await.map(Self::new)
    }

    pub(in crate::rabbitmq) fn new(connection: BrokerConnection) -> Self {
        let alarm = Alarm::new(connection.status().clone());
        let (in_order, idle, single) =
            (OnceCell::new(), Mutex::default(), Semaphore::new(MOST_SINGLE));
        Self { in_order, idle, single, alarm, connection }
    }

    pub(in crate::rabbitmq) const fn connection(&self) -> &BrokerConnection {
        &self.connection
    }

    /// Tells whether the broker takes messages.
    pub(crate) const fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// Publishes in order: messages arrive in the order in which they are sent. While earlier messages of which some are
    /// confirmed wait for the rest of their confirms, this waits, too.
    pub(crate) async fn publish(
        &self,
        to: (&str, &str),
        message: &Message,
    ) -> Result<PendingConfirm, SourceError> {
        self.publish_in_order(to, (&message.body, basic_properties(&message.properties))).await
    }

    /// As [`Self::publish`], of a message in parts.
    pub(in crate::rabbitmq) async fn publish_in_order(
        &self,
        to: (&str, &str),
        message: (&[u8], BasicProperties),
    ) -> Result<PendingConfirm, SourceError> {
        let open = || self.open_channel(PendingConfirms::of_many());
        let channel = self.in_order.get_or_try_init(open).await?;
        let sent = channel.publish(to, message, drop).await;
        sent.map_err(|error| in_order(&error))
    }

    /// As [`Self::publish`], and tells of alarms: `told` gets what blocks whenever that is no longer what it was, which is
    /// `blocked` at first. Returns `None` if `stop` was ready while an alarm lasted; without an alarm a message that is
    /// being sent is not given up.
    pub(crate) async fn publish_unless_stopped(
        &self,
        to: (&str, &str),
        message: &Message,
        stop: impl Future<Output = ()>,
        mut blocked: Option<&'static str>,
        mut told: impl FnMut(Option<&'static str>),
    ) -> Result<Option<PendingConfirm>, SourceError> {
        let (mut sending, mut stop) = (pin!(self.publish(to, message)), pin!(stop));
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map(Some),
                () = &mut stop, if blocked.is_some() => return Ok(None),
                () = self.alarm.changes(blocked) => {
                    blocked = self.alarm.blocked();
                    told(blocked);
                }
            }
        }
    }

    /// Publishes on a channel with no other message and waits for the confirm; before that for a channel, if all are in
    /// use. `blocked` is told of an alarm, which is waited for. Errors do not say what was published.
    pub(in crate::rabbitmq) async fn publish_single(
        &self,
        to: (&str, &str),
        message: (&[u8], BasicProperties),
        mut blocked: impl FnMut(&'static str),
    ) -> Result<(), PublishError> {
        let _permit = self.single.acquire().await;
        let channel = if let Some(channel) = self.take_idle() {
            channel
        } else {
            let opened = self.open_channel(PendingConfirms::default()).await;
            opened.map_err(PublishError::Lost)?
        };
        let sent = channel.publish(to, message, &mut blocked).await;
        let outcome = sent.map_err(PublishError::Lost)?.outcome(blocked).await;
        // A channel whose confirm did not come, or was not awaited to the end, is dropped: it may come yet.
        if !matches!(outcome, Err(PublishError::Lost(_))) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        }
        outcome
    }

    /// As [`Self::publish_single`], but an alarm is an error.
    pub(in crate::rabbitmq) async fn publish_unless_blocked(
        &self,
        to: (&str, &str),
        message: (&[u8], BasicProperties),
    ) -> Result<(), PublishError> {
        tokio::select! {
            outcome = self.publish_single(to, message, drop) => outcome,
            () = self.alarm.changes(None) => {
                Err(PublishError::Lost(SourceError::Failed(BLOCKED.to_owned())))
            }
        }
    }

    async fn open_channel(&self, pending: PendingConfirms) -> Result<ConfirmChannel, SourceError> {
        ConfirmChannel::open(&self.connection, &self.alarm, pending).await
    }

    fn take_idle(&self) -> Option<ConfirmChannel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(ConfirmChannel::is_open)
    }

    /// Fails if an exchange is not there. The answer comes on another channel, since a refusal closes its channel, and
    /// so would a message to an exchange that is not there. Who may not ask finds out by publishing.
    pub(crate) async fn find_exchange(&self, exchange: &str) -> Result<(), SourceError> {
        // The default exchange can't be asked for, and is always there.
        if exchange.is_empty() {
            return Ok(());
        }
        let find = async |it: &Channel| topology::find_exchange(it, exchange).await;
        topology::look(&self.connection, find).await.map(drop)
    }

    /// Fails if a queue is not there. Who may not ask finds out by publishing: what reaches no queue comes back.
    pub(crate) async fn find_queue(&self, queue: &str) -> Result<(), SourceError> {
        let find = async |it: &Channel| topology::find_queue(it, queue).await;
        topology::look(&self.connection, find).await.map(drop)
    }

    /// Makes sure of a source's exchange. Where the worker declares, this declares, too: exchange and queue, so that
    /// what is published is kept for a worker.
    pub(crate) async fn ensure(&self, broker: &Broker, source: &Source) -> Result<(), SourceError> {
        let (connection, amqp) = (&self.connection, broker.config());
        if !amqp.declare {
            return self.find_exchange(&source.exchange).await.map_err(|error| {
                error.reworded(|said| format!("{said}; create it, or set amqp.declare = true"))
            });
        }
        let Err(error) = topology::declare(connection, amqp, source, None).await else {
            return Ok(());
        };
        let events = (Purpose::Events, &*source.queue);
        let queues = std::iter::once(events).chain(stream::targets(amqp, source));
        Err(stream::cause_of(error, connection, queues).await)
    }

    /// How many messages and consumers a queue has now.
    pub(crate) async fn queue_state(&self, queue: &str) -> Result<QueueState, SourceError> {
        QueueState::on(&self.connection, queue).await
    }

    /// Closes the connection; not while an alarm lasts, since the broker reads nothing then.
    pub(crate) async fn close(&self) {
        if self.alarm.blocked().is_none() {
            self.connection.close().await;
        }
    }
}

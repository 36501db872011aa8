//! A channel in confirm mode: publishes mandatory messages and awaits the broker's confirms.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel};
use tokio::time::{Instant, timeout};

use super::alarm::Alarm;
use super::error::PublishError;
use super::pending_confirms::PendingConfirms;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::refused;
use crate::rabbitmq::connection::{CALL_TIMEOUT, bounded};
use crate::rabbitmq::headers::header_room::fitting;

/// The only type that calls lapin's `basic_publish`. Its errors do not say what was published; callers add that.
#[derive(Debug)]
pub(super) struct ConfirmChannel {
    channel: Channel,
    alarm: Alarm,
    /// Bytes that a frame may have; 0 is any.
    frame_max: u32,
    pending: Arc<Mutex<PendingConfirms>>,
}

impl ConfirmChannel {
    pub(super) async fn open(
        connection: &BrokerConnection,
        alarm: &Alarm,
        pending: PendingConfirms,
    ) -> Result<Self, SourceError> {
        let channel = connection.channel().await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("asking for confirms", confirms).await?;
        let (alarm, frame_max) = (alarm.clone(), connection.frame_max());
        Ok(Self { channel, alarm, frame_max, pending: Arc::new(Mutex::new(pending)) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.channel.status().connected()
    }

    /// Publishes; [`PendingConfirm`] tells whether the message is in a queue. Messages arrive in the order in which they
    /// are sent. While earlier messages of which some are confirmed wait for the rest of their confirms, this waits, too.
    pub(super) async fn publish(
        &self,
        (exchange, routing_key): (&str, &str),
        (body, properties): (&[u8], BasicProperties),
        mut blocked: impl FnMut(&'static str),
    ) -> Result<PendingConfirm, SourceError> {
        let mut deadline = Instant::now() + CALL_TIMEOUT;
        let room = poll_fn(|context| lock(&self.pending).poll_room(context));
        let room = self.alarm.answer_by(&mut deadline, &mut blocked, room).await;
        room.unwrap_or_else(|| Err(unconfirmed()))?;
        let sent = self.channel.basic_publish(
            exchange.into(),
            routing_key.into(),
            BasicPublishOptions { mandatory: true, ..Default::default() },
            body,
            fitting(properties, self.frame_max),
        );
        // While an alarm lasts, lapin does not send.
        let mut deadline = Instant::now() + CALL_TIMEOUT;
        let confirm = match self.alarm.answer_by(&mut deadline, blocked, sent).await {
            Some(Ok(confirm)) => confirm,
            Some(Err(error)) => return Err(self.cause_of(refused(&error, |said| said)).await),
            None => return Err(unconfirmed()),
        };
        let number = lock(&self.pending).push(exchange, routing_key, body, confirm);
        let (pending, alarm) = (Arc::clone(&self.pending), self.alarm.clone());
        Ok(PendingConfirm { pending, number, alarm, deadline })
    }

    /// Of a channel that the broker has closed, lapin says no more than that to those who publish on it. The pending
    /// confirms were told why.
    async fn cause_of(&self, error: SourceError) -> SourceError {
        if self.is_open() {
            return error;
        }
        let end = poll_fn(|context| lock(&self.pending).poll_end(context));
        match timeout(CALL_TIMEOUT, end).await {
            Ok(Err(cause)) => cause,
            Ok(Ok(())) | Err(_) => error,
        }
    }
}

/// A published message whose confirm is awaited.
#[derive(Debug)]
pub(crate) struct PendingConfirm {
    pending: Arc<Mutex<PendingConfirms>>,
    number: u64,
    alarm: Alarm,
    deadline: Instant,
}

impl PendingConfirm {
    /// Waits until the message is safe in a queue, as long as an alarm lasts if there is one. May be dropped while it
    /// waits, and asked again.
    pub(crate) async fn confirmed(&mut self) -> Result<(), PublishError> {
        self.outcome(drop).await.map_err(PublishError::in_order)
    }

    /// As [`Self::confirmed`], for an error that says not yet what was published; `blocked` is told of an alarm.
    pub(super) async fn outcome(
        &mut self,
        blocked: impl FnMut(&'static str),
    ) -> Result<(), PublishError> {
        let Self { pending, number, alarm, deadline } = self;
        let outcome = poll_fn(|context| lock(pending).poll_outcome(*number, context));
        let outcome = alarm.answer_by(deadline, blocked, outcome).await;
        outcome.unwrap_or_else(|| Err(PublishError::Lost(unconfirmed())))
    }
}

fn unconfirmed() -> SourceError {
    let seconds = CALL_TIMEOUT.as_secs();
    SourceError::Failed(format!(
        "the broker did not confirm within {seconds} s; check whether it has a memory or disk alarm"
    ))
}

fn lock(pending: &Mutex<PendingConfirms>) -> MutexGuard<'_, PendingConfirms> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

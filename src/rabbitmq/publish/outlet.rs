//! Publishes what is to be safe in a queue: mandatory and confirmed, on a connection of its own.

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, ConnectionStatus};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::{Amqp, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::line::Line;
use crate::rabbitmq::connection::{BLOCKED, Broker, CALL_TIMEOUT, bounded};
use crate::rabbitmq::headers::amqp_message::basic_properties;
use crate::rabbitmq::headers::header_room::fitting;
use crate::rabbitmq::message::Message;
use crate::rabbitmq::publish::pending_confirms::{PendingConfirms, problem};
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::queue_state::{ASK_AGAIN, QueueState};

/// An open way into the broker.
#[derive(Debug)]
pub(crate) struct Outlet {
    line: Line,
    channel: Channel,
    alarm: Alarm,
    flight: Arc<Mutex<PendingConfirms>>,
}

/// Whether an alarm keeps the broker from taking anything. It says so once something was sent.
#[derive(Debug, Clone)]
pub(crate) struct Alarm(ConnectionStatus);

impl Alarm {
    /// What is to be done then.
    pub(crate) fn blocked(&self) -> Option<&'static str> {
        self.0.blocked().then_some(BLOCKED)
    }

    /// Ready when this is no longer as `before`. May be dropped while it waits.
    pub(crate) async fn changes(&self, before: Option<&'static str>) {
        while self.blocked() == before {
            sleep(ASK_AGAIN).await;
        }
    }
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
        let alarm = Alarm(line.status());
        Ok(Self { line, channel, alarm, flight: Arc::default() })
    }

    /// Tells whether the broker takes anything.
    pub(crate) const fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// Publishes; whether that has worked is told by what is returned. Messages arrive in the order in
    /// which they are sent. While those before wait for the last of their confirms, so does this.
    pub(crate) async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Message,
    ) -> Result<Sent, SourceError> {
        let room = poll_fn(|context| lock(&self.flight).poll_room(context));
        let room = unless_blocked(&self.alarm, Instant::now() + CALL_TIMEOUT, room).await;
        room.unwrap_or_else(|| Err(unconfirmed()))?;
        let sent = self.channel.basic_publish(
            exchange.into(),
            routing_key.into(),
            BasicPublishOptions { mandatory: true, ..Default::default() },
            &message.body,
            fitting(basic_properties(&message.properties), self.line.frame_max()),
        );
        // While the broker blocks, the client keeps it back.
        let sent = unless_blocked(&self.alarm, Instant::now() + CALL_TIMEOUT, sent).await;
        let confirm = match sent {
            Some(sent) => bounded("publishing", ready(sent)).await,
            None => Err(unconfirmed()),
        };
        let confirm = match confirm {
            Ok(confirm) => confirm,
            Err(error) => return Err(self.cause_of(error).await),
        };
        let number = lock(&self.flight).push(exchange, routing_key, &message.body, confirm);
        let flight = Arc::clone(&self.flight);
        let alarm = self.alarm.clone();
        Ok(Sent { flight, number, alarm, deadline: Instant::now() + CALL_TIMEOUT })
    }

    /// The same while an alarm may keep it back: `told` is told what blocks whenever that is another than `blocked`, and
    /// then than before. `None`: it is given up at the `stop`, but only while the broker takes nothing, so that nothing
    /// that has left is given up.
    pub(crate) async fn send_unless_stopped(
        &self,
        (exchange, routing_key): (&str, &str),
        message: &Message,
        stop: impl Future<Output = ()>,
        mut blocked: Option<&'static str>,
        mut told: impl FnMut(Option<&'static str>),
    ) -> Result<Option<Sent>, SourceError> {
        let (mut sending, mut stop) = (pin!(self.send(exchange, routing_key, message)), pin!(stop));
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

    /// Who publishes on a channel that the broker has closed is told no more than that. What was on its
    /// way then is told why.
    async fn cause_of(&self, error: SourceError) -> SourceError {
        if self.channel.status().connected() {
            return error;
        }
        let end = poll_fn(|context| lock(&self.flight).poll_end(context));
        match timeout(CALL_TIMEOUT, end).await {
            Ok(Err(cause)) => cause,
            Ok(Ok(())) | Err(_) => error,
        }
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

    /// Makes sure of a source's exchange. Where the worker declares, so does this, with its queue, so that
    /// what is published is kept for one.
    pub(crate) async fn ensure(&self, amqp: &Amqp, source: &Source) -> Result<(), SourceError> {
        let channel = self.line.channel().await?;
        if amqp.declare {
            topology::ensure(&channel, amqp, source).await?;
        } else {
            let found = topology::find_exchange(&channel, &source.exchange).await;
            found.map_err(|error| {
                error.reworded(|said| format!("{said}; create it, or set amqp.declare = true"))
            })?;
        }
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(())
    }

    /// How a queue is now.
    pub(crate) async fn queue(&self, queue: &str) -> Result<QueueState, SourceError> {
        let channel = self.line.channel().await?;
        let state = QueueState::of(&channel, queue).await?;
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(state)
    }

    /// Says goodbye; not while the broker blocks, since it reads nothing then.
    pub(crate) async fn close(self) {
        if self.alarm.blocked().is_none() {
            self.line.close().await;
        }
    }
}

/// A message that is on its way.
#[derive(Debug)]
pub(crate) struct Sent {
    flight: Arc<Mutex<PendingConfirms>>,
    number: u64,
    alarm: Alarm,
    deadline: Instant,
}

impl Sent {
    /// Waits until the broker has it safe in a queue, as long as an alarm lasts if there is one. May be dropped while it waits, and
    /// asked again.
    pub(crate) async fn taken(&mut self) -> Result<(), NotTaken> {
        let fate = poll_fn(|context| lock(&self.flight).poll_fate(self.number, context));
        let fate = unless_blocked(&self.alarm, self.deadline, fate).await;
        fate.unwrap_or_else(|| Err(NotTaken::Lost(unconfirmed())))
    }
}

/// `None` if it has not come by then, nor within as long after the broker was last seen to block: what was sent is
/// taken in the end, and sent again it would be there twice.
async fn unless_blocked<T>(
    alarm: &Alarm,
    mut deadline: Instant,
    what: impl Future<Output = T>,
) -> Option<T> {
    let mut what = pin!(what);
    loop {
        let look = Instant::now() + ASK_AGAIN;
        if let Ok(done) = timeout_at(look.min(deadline), &mut what).await {
            return Some(done);
        }
        let now = Instant::now();
        if alarm.blocked().is_some() {
            deadline = now + CALL_TIMEOUT;
        } else if now >= deadline {
            return None;
        }
    }
}

fn unconfirmed() -> SourceError {
    let seconds = CALL_TIMEOUT.as_secs();
    problem(&format!(
        "the broker did not confirm within {seconds} s; has it a memory or disk alarm?"
    ))
}

fn lock(flight: &Mutex<PendingConfirms>) -> MutexGuard<'_, PendingConfirms> {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}

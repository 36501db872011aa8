//! The lock that one browser of a queue holds. Two browsers at once would share the messages and break their order, and
//! the number of consumers does not include one that is about to begin. So each browser first declares an exclusive queue,
//! which the broker allows to one connection, and deletes with that connection.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep, timeout};

use super::super::connection::{CALL_TIMEOUT, bounded};
use crate::config::browse_lock;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::refusal::soft_error;
use crate::rabbitmq::topology::exclusive_queue;
use crate::rabbitmq::topology::queue_state::{QueueState, taken};

/// Each try that is refused closes a channel, and RabbitMQ logs it.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What is told of a wait in line: that it begins, and that it ends.
pub(crate) type Waits = Arc<dyn Fn(bool) + Send + Sync>;

/// How long a browser waits until others have ended, and the callback that is told of that.
#[derive(Clone)]
pub(crate) struct WaitOptions {
    pub(crate) patience: Duration,
    pub(crate) waits: Waits,
}

impl std::fmt::Debug for WaitOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitOptions").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// The lock of a queue; ours until the connection ends.
#[derive(Debug)]
pub(super) struct BrowseLock {
    /// It keeps the queue.
    channel: Channel,
    pub(super) name: String,
}

/// RabbitMQ's reply to a browser that asks for the lock.
enum LockReply {
    Given(Channel),
    Taken,
    /// See [`BrowseLock::forbid`].
    Forbidden,
    /// Whatever is wrong, the look itself will say.
    None,
}

impl BrowseLock {
    /// Waits until the lock is free, and says so once if another browser has it. `None` where the user may declare no such queue: then others
    /// are only seen once they consume.
    ///
    /// # Errors
    ///
    /// Others took too long, or a former look has found that looking is what drops letters.
    pub(super) async fn take(
        connection: &BrokerConnection,
        queue: &str,
        deadline: Instant,
        waits: impl Fn(bool),
    ) -> Result<Option<Self>, SourceError> {
        let Some(name) = browse_lock(queue) else { return Ok(None) };
        let mut is_told = false;
        let lock = loop {
            match ask(connection, &name, is_told).await? {
                LockReply::Given(channel) => break Ok(Some(Self { channel, name })),
                LockReply::None => break Ok(None),
                LockReply::Forbidden if allow_if_empty(connection, queue, &name).await? => {}
                LockReply::Forbidden => break Err(forbidden(queue, &name)),
                LockReply::Taken => {
                    if !std::mem::replace(&mut is_told, true) {
                        waits(true);
                    }
                    if Instant::now() > deadline {
                        break Err(taken(queue));
                    }
                    sleep(TRY_AGAIN).await;
                }
            }
        };
        if is_told {
            waits(false);
        }
        lock
    }

    /// Lets no browser have the lock any more: its queue stays, and belongs to no connection, until somebody deletes it, or a look finds that no
    /// letters are left. Returns how to end that.
    pub(super) async fn forbid(
        &self,
        connection: &BrokerConnection,
    ) -> Result<String, SourceError> {
        let what = format!("queue `{}`", self.name);
        let gone =
            self.channel.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default());
        bounded(&what, gone).await?;
        let channel = connection.channel().await?;
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let declared =
            channel.queue_declare(self.name.as_str().into(), options, exclusive_queue::classic());
        bounded(&what, declared).await?;
        Ok(format!("delete queue `{}`, which prevents browsing until then", self.name))
    }
}

/// RabbitMQ refuses alike where a connection has the queue and where none has it; asking whether the queue is there tells
/// these apart. A browser that `waits` asks that first: each refusal closes a channel, and RabbitMQ logs it.
async fn ask(
    connection: &BrokerConnection,
    name: &str,
    waits: bool,
) -> Result<LockReply, SourceError> {
    if waits && let Some(answer) = find(connection, name).await? {
        return Ok(answer);
    }
    let channel = connection.channel().await?;
    let declaring = exclusive_queue::declare(&channel, name);
    Ok(match timeout(CALL_TIMEOUT, declaring).await {
        Ok(Ok(_)) => LockReply::Given(channel),
        Ok(Err(error)) if is_locked(&error) => {
            find(connection, name).await?.unwrap_or(LockReply::Taken)
        }
        // A user who may not declare the lock must not browse, either, where browsing is forbidden.
        _ => match find(connection, name).await? {
            Some(LockReply::Forbidden) => LockReply::Forbidden,
            _ => LockReply::None,
        },
    })
}

/// Whose the queue is, if it is there.
async fn find(connection: &BrokerConnection, name: &str) -> Result<Option<LockReply>, SourceError> {
    let channel = connection.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let finding = channel.queue_declare(name.into(), options, FieldTable::default());
    let answer = match timeout(CALL_TIMEOUT, finding).await {
        Ok(Ok(_)) => Some(LockReply::Forbidden),
        Ok(Err(error)) if is_locked(&error) => Some(LockReply::Taken),
        _ => None,
    };
    if let Some(LockReply::Forbidden) = answer {
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
    }
    Ok(answer)
}

/// Without letters there is nothing that a look could spend.
async fn allow_if_empty(
    connection: &BrokerConnection,
    queue: &str,
    name: &str,
) -> Result<bool, SourceError> {
    let channel = connection.channel().await?;
    if !QueueState::confirmed(&channel, queue).await?.is_doubtful() {
        return Ok(false);
    }
    let options = QueueDeleteOptions { if_unused: true, if_empty: true, ..Default::default() };
    let deleted = channel.queue_delete(name.into(), options);
    Ok(bounded(&format!("queue `{name}`"), deleted).await.is_ok())
}

/// Fails if a former look has found that looking is what drops letters.
pub(super) async fn refuse_if_forbidden(
    connection: &BrokerConnection,
    queue: &str,
) -> Result<(), SourceError> {
    let Some(name) = browse_lock(queue) else { return Ok(()) };
    match find(connection, &name).await? {
        Some(LockReply::Forbidden) => Err(forbidden(queue, &name)),
        _ => Ok(()),
    }
}

fn forbidden(queue: &str, name: &str) -> SourceError {
    SourceError::Failed(format!(
        "queue `{queue}` is not browsed: an earlier browse found that a policy limits its deliveries, or may do so, and \
         each browse counts as one. Remove `delivery-limit` from that policy (`rabbitmqctl list_policies`, `list_operator_policies`), \
         or set it to 1000000000, and then delete queue `{name}`, which prevents browsing until then, or until \
         `{queue}` is empty"
    ))
}

/// Whether another connection has the queue, or it is not for one connection alone.
fn is_locked(error: &lapin::Error) -> bool {
    matches!(soft_error(error), Some(AMQPSoftError::RESOURCELOCKED))
}

//! Whose turn it is. Two looks that begin together would share the messages and break their order, and asking who
//! consumes does not tell of one that is about to. So each first declares an exclusive queue, which the broker lets
//! one connection have, and takes away with it.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind};
use tokio::time::{Instant, sleep, timeout};

use super::super::SourceError;
use super::super::connection::CALL_TIMEOUT;
use super::super::line::Line;
use super::super::queue_state::taken;

/// Each try that is refused closes a channel, and RabbitMQ logs it.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What the queue's name has behind that of the one that is looked at.
const SUFFIX: &str = ".look";

/// A name's bytes in AMQP.
const LONGEST_NAME: usize = 255;

/// Ours until the connection ends.
#[derive(Debug)]
pub(super) struct Turn(#[allow(dead_code, reason = "it keeps the queue")] Channel);

impl Turn {
    /// Waits in line, and says so once if somebody has it. `None` where the user may declare no such queue: then others
    /// are only seen once they consume.
    pub(super) async fn take(
        line: &Line,
        queue: &str,
        deadline: Instant,
        waits: impl Fn(bool),
    ) -> Result<Option<Self>, SourceError> {
        let name = format!("{queue}{SUFFIX}");
        if name.len() > LONGEST_NAME {
            return Ok(None);
        }
        let mut is_told = false;
        let end = |is_told| {
            if is_told {
                waits(false);
            }
        };
        loop {
            let channel = line.channel().await?;
            let options =
                QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
            let declaring = channel.queue_declare(name.as_str().into(), options, arguments);
            match timeout(CALL_TIMEOUT, declaring).await {
                Ok(Ok(_)) => {
                    end(is_told);
                    return Ok(Some(Self(channel)));
                }
                Ok(Err(error)) if is_locked(&error) => {}
                // Whatever else is wrong, the look itself will say.
                _ => {
                    end(is_told);
                    return Ok(None);
                }
            }
            if !std::mem::replace(&mut is_told, true) {
                waits(true);
            }
            if Instant::now() > deadline {
                waits(false);
                return Err(taken(queue));
            }
            sleep(TRY_AGAIN).await;
        }
    }
}

/// Whether another connection has the queue.
fn is_locked(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(said) = error.kind() else { return false };
    said.get_message().as_str().starts_with("RESOURCE_LOCKED")
}

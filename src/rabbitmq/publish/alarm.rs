//! RabbitMQ's memory and disk alarms: the broker stops reading from connections that publish.

use std::pin::pin;
use std::time::Duration;

use lapin::ConnectionStatus;
use tokio::time::{Instant, sleep, timeout_at};

use crate::rabbitmq::connection::{BLOCKED, CALL_TIMEOUT};
use crate::rabbitmq::topology::queue_state::ASK_AGAIN;

/// How often the status of a connection is read while an answer of the broker is awaited.
const LOOK: Duration = Duration::from_secs(1);

/// Whether an alarm keeps the broker from taking messages of one connection. The broker reports an alarm only to a
/// connection that has published.
#[derive(Debug, Clone)]
pub(crate) struct Alarm(ConnectionStatus);

impl Alarm {
    pub(super) const fn new(connection: ConnectionStatus) -> Self {
        Self(connection)
    }

    /// What the operator is to do about the alarm; `None` without one.
    pub(crate) fn blocked(&self) -> Option<&'static str> {
        self.0.blocked().then_some(BLOCKED)
    }

    /// Waits until [`Self::blocked`] is no longer as `before`. May be dropped while it waits.
    pub(crate) async fn changes(&self, before: Option<&'static str>) {
        while self.blocked() == before {
            sleep(ASK_AGAIN).await;
        }
    }

    /// Waits for an answer of the broker until the deadline; `None` if there is none by then. An alarm moves the deadline
    /// to [`CALL_TIMEOUT`] after the moment when it was last seen, since the broker takes in the end what was sent to it,
    /// and a message sent again would be there twice. `blocked` is told what blocks as long as it does.
    pub(super) async fn answer_by<T>(
        &self,
        deadline: &mut Instant,
        mut blocked: impl FnMut(&'static str),
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = pin!(answer);
        loop {
            let now = Instant::now();
            // Here, too, since whoever drops this and asks again may do so more often than `LOOK`.
            if self.blocked().is_some() {
                *deadline = now + CALL_TIMEOUT;
            }
            let look = (now + LOOK).min(*deadline);
            if let Ok(answer) = timeout_at(look, &mut answer).await {
                return Some(answer);
            }
            match self.blocked() {
                Some(why) => blocked(why),
                None if Instant::now() >= *deadline => return None,
                None => {}
            }
        }
    }
}

//! Why the broker has cancelled a consumer: `basic.cancel` gives no reason.

use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::refusal::HELD_TOO_LONG;
use crate::rabbitmq::topology::consumer_timeout::CANCELS_FROM;
use crate::rabbitmq::topology::queue_state::QueueState;

/// What becomes known by asking for the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Gone,
    /// Whether this broker cancels consumers that hold a delivery for too long.
    There {
        may_time_out: bool,
    },
}

/// Whether a delivery was not settled when the consumer was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Held {
    None,
    /// One was, for less time than the consumer had asked for.
    Shortly,
    /// One was, perhaps for as long as the consumer may hold it.
    Long,
}

impl Held {
    pub(in crate::rabbitmq) const fn of(is_held: bool, may_be_long: bool) -> Self {
        match (is_held, may_be_long) {
            (false, _) => Self::None,
            (true, false) => Self::Shortly,
            (true, true) => Self::Long,
        }
    }
}

/// The reason and what to do, by a connection of its own: the consumer's may be busy with deliveries.
pub(in crate::rabbitmq) async fn cause(broker: &Broker, queue: &str, held: Held) -> String {
    match ask(broker, queue).await {
        Ok(found) => reason(found, held, broker.config().declare),
        Err(error) => format!(
            "the queue was deleted, or a delivery was held for longer than the broker's consumer timeout; that can't be told ({error})"
        ),
    }
}

async fn ask(broker: &Broker, queue: &str) -> Result<Found, SourceError> {
    let connection = broker.connect("asks for a queue").await?;
    let may_time_out = connection.server().is_rabbitmq_from(CANCELS_FROM);
    let state = QueueState::on(&connection, queue).await;
    connection.close().await;
    match state {
        Ok(_) => Ok(Found::There { may_time_out }),
        Err(SourceError::NotFound(_)) => Ok(Found::Gone),
        Err(error) => Err(error),
    }
}

fn reason(found: Found, held: Held, declares: bool) -> String {
    match found {
        Found::Gone if declares => {
            "the queue was deleted; a worker declares it again (amqp.declare = true)".to_owned()
        }
        Found::Gone => "the queue was deleted; create it again".to_owned(),
        Found::There { may_time_out: true } if held == Held::Long => HELD_TOO_LONG.to_owned(),
        Found::There { may_time_out } => {
            let there =
                "the queue is there: it was deleted and created again, or its node went down";
            if may_time_out && held == Held::Shortly {
                format!("{there}; or else, {HELD_TOO_LONG}")
            } else {
                there.to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_only_named_where_it_can_be_one() {
        let there = |may_time_out, held| reason(Found::There { may_time_out }, held, true);
        assert_eq!(there(true, Held::Long), HELD_TOO_LONG);
        for (may_time_out, held) in [(false, Held::Long), (true, Held::None), (false, Held::None)] {
            let said = there(may_time_out, held);
            assert!(!said.contains("timeout") && said.contains("created again"), "{said}");
        }
        let either = there(true, Held::Shortly);
        assert!(either.contains(HELD_TOO_LONG) && either.contains("created again"), "{either}");
    }

    #[test]
    fn a_deleted_queue_is_said_to_be_deleted_and_who_creates_it() {
        assert!(
            reason(Found::Gone, Held::Long, true).contains("was deleted; a worker declares it")
        );
        assert!(reason(Found::Gone, Held::Long, false).contains("was deleted; create it again"));
    }
}

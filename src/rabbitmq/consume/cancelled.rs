//! Why the broker has cancelled a consumer: `basic.cancel` gives no reason.

use std::time::Duration;

use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::refusal::HELD_TOO_LONG;
use crate::rabbitmq::topology::consumer_timeout::CANCELS_FROM;
use crate::rabbitmq::topology::queue_state::QueueState;

/// What becomes known by asking for the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// It is not there, in the broker's words.
    Gone(String),
    /// Whether this broker cancels consumers that hold a delivery for too long.
    There { may_time_out: bool },
}

/// Whether a delivery was not settled when the consumer was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Held {
    None,
    /// One was, for less time than the consumer had asked for.
    Shortly,
    /// One was, perhaps for as long as the consumer may hold it: for so long as it has asked for itself, if it has.
    Long(Option<Duration>),
}

/// Who held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Holder {
    /// A source, until its events have an end.
    Source,
    /// Whoever looks at dead letters or replays them.
    Browser,
}

impl Held {
    /// By a consumer that has lived for so long, and that has asked for this timeout.
    pub(in crate::rabbitmq) fn of(
        is_held: bool,
        lived: Duration,
        timeout: Option<Duration>,
    ) -> Self {
        match timeout {
            _ if !is_held => Self::None,
            Some(timeout) if lived < timeout => Self::Shortly,
            timeout => Self::Long(timeout),
        }
    }
}

/// The reason and what to do, by a connection of its own: the consumer's may be busy with deliveries.
pub(in crate::rabbitmq) async fn cause(
    broker: &Broker,
    queue: &str,
    held: Held,
    holder: Holder,
) -> String {
    match ask(broker, queue).await {
        Ok(found) => reason(found, held, holder, broker.config().declare),
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
        Err(SourceError::NotFound(said)) => Ok(Found::Gone(said)),
        Err(error) => Err(error),
    }
}

fn reason(found: Found, held: Held, holder: Holder, declares: bool) -> String {
    match (found, held) {
        // RabbitMQ also calls a queue so that is on a node that is down, or that has crashed.
        (Found::Gone(said), _) if !said.contains("no queue '") => {
            format!("the queue is not available: {said}")
        }
        (Found::Gone(said), _) if declares => {
            format!(
                "the queue was deleted; a worker declares it again (amqp.declare = true): {said}"
            )
        }
        (Found::Gone(said), _) => format!("the queue was deleted; create it again: {said}"),
        (Found::There { may_time_out: true }, Held::Long(None)) => HELD_TOO_LONG.to_owned(),
        (Found::There { may_time_out: true }, Held::Long(Some(timeout))) => {
            held_longer_than_asked(timeout, holder)
        }
        (Found::There { may_time_out }, held) => {
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

/// The broker's own setting has no part in it.
fn held_longer_than_asked(timeout: Duration, holder: Holder) -> String {
    let remedy = match holder {
        Holder::Source => {
            "Look for what held it after outage.hand_back_after_s: retries that take longer, dead letters that RabbitMQ does not take \
             (`cannot_dead_letter`), or a process that stood still; or raise outage.hand_back_after_s, by which the timeout grows"
        }
        Holder::Browser => {
            "The letters are back in the queue: run it again, with a filter that finds fewer, or at a higher --rate, and look whether the \
             process or the broker stood still; or raise outage.hand_back_after_s, by which the timeout grows"
        }
    };
    format!(
        "a delivery was held for longer than the broker's consumer timeout, which is {} s as this consumer has asked for \
         (x-consumer-timeout: outage.hand_back_after_s and ten minutes, at least 30 minutes; the broker's own setting does not count). {remedy}",
        timeout.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Found = Found::There { may_time_out: true };

    #[test]
    fn a_timeout_is_only_named_where_it_can_be_one() {
        let there =
            |may_time_out, held| reason(Found::There { may_time_out }, held, Holder::Source, true);
        assert_eq!(there(true, Held::Long(None)), HELD_TOO_LONG);
        for (may_time_out, held) in
            [(false, Held::Long(None)), (true, Held::None), (false, Held::None)]
        {
            let said = there(may_time_out, held);
            assert!(!said.contains("timeout") && said.contains("created again"), "{said}");
        }
        let either = there(true, Held::Shortly);
        assert!(either.contains(HELD_TOO_LONG) && either.contains("created again"), "{either}");
    }

    #[test]
    fn a_timeout_that_the_consumer_has_asked_for_is_not_mended_in_the_brokers_configuration() {
        let asked = Duration::from_mins(30);
        let held = |lived| Held::of(true, lived, Some(asked));
        let said = reason(THERE, held(asked), Holder::Source, true);
        for words in
            ["broker's consumer timeout, which is 1800 s", "raise outage.hand_back_after_s"]
        {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
        assert!(!said.contains("raise consumer_timeout"), "{said}");
        let of_browser = reason(THERE, held(asked), Holder::Browser, true);
        assert!(of_browser.contains("run it again") && !of_browser.contains("cannot_dead_letter"));
        assert_eq!(held(asked.saturating_sub(Duration::from_millis(1))), Held::Shortly);
        assert_eq!(Held::of(true, Duration::ZERO, None), Held::Long(None));
        assert_eq!(Held::of(false, asked, None), Held::None);
    }

    #[test]
    fn a_deleted_queue_is_said_to_be_deleted_and_who_creates_it() {
        let said = "queue `q`: NOT_FOUND - no queue 'q' in vhost '/'";
        let gone = |declares| {
            reason(Found::Gone(said.to_owned()), Held::Long(None), Holder::Source, declares)
        };
        assert!(gone(true).contains("was deleted; a worker declares it"), "{}", gone(true));
        assert!(gone(false).contains("was deleted; create it again"), "{}", gone(false));
        assert!(gone(true).ends_with(said) && gone(false).ends_with(said));
    }

    #[test]
    fn a_queue_whose_node_is_down_is_not_said_to_be_deleted() {
        let said = "queue `q`: NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible";
        let reason = reason(Found::Gone(said.to_owned()), Held::None, Holder::Source, true);
        assert!(reason.contains(said) && !reason.contains("deleted"), "{reason}");
    }
}

//! Whether dead letters arrive.

use lapin::BasicProperties;

use super::{Finding, Inspector};
use crate::outcome::SourceError;
use crate::rabbitmq::publish::error::PublishError;
use crate::rabbitmq::topology::queue_state::QueueState;

impl Inspector<'_> {
    /// Publishes a message that expires at once, mandatory, to see whether it is routed. Not
    /// where dead letters wait: behind those it would stay, since messages expire at a queue's head.
    pub(super) async fn dead_letter_route(&self, exchange: &str, queue: &str) -> Finding {
        let state = async { QueueState::confirmed(&self.channel().await?, queue).await };
        match state.await {
            Ok(QueueState { ready: waiting @ 1.., .. }) => {
                return Finding::good(format!("dead letters: {waiting} wait in `{queue}`"));
            }
            Err(SourceError::AccessRefused(_)) => {
                let why = format!("reaches a queue: the user may not look into `{queue}`");
                return Finding::good(format!(
                    "dead letters: can't tell whether `{exchange}` {why}"
                ));
            }
            _ => {}
        }
        match self.probe(exchange).await {
            Ok(true) => Finding::good(format!("dead letters: `{exchange}` reaches a queue")),
            unbound
                if self.amqp.declare
                    && unbound.as_ref().err().is_none_or(SourceError::is_not_found) =>
            {
                Finding::good(format!("dead letters: `run` binds `{queue}` to `{exchange}`"))
            }
            Ok(false) => Finding::bad(format!(
                "dead letters: no queue is bound to `{exchange}`; bind `{queue}` to it"
            )),
            // The permission is reported with the others.
            Err(SourceError::AccessRefused(_)) if self.is_strict => Finding::good(format!(
                "dead letters: can't tell whether `{exchange}` reaches a queue: the user may not publish to it"
            )),
            Err(error) => Finding::bad(format!("dead letters: {error}")),
        }
    }

    async fn probe(&self, exchange: &str) -> Result<bool, SourceError> {
        let expired = BasicProperties::default().with_expiration("0".into());
        match self.publisher.publish_unless_blocked((exchange, ""), (b"", expired)).await {
            Ok(()) => Ok(true),
            Err(PublishError::Unroutable | PublishError::Refused) => Ok(false),
            Err(PublishError::Lost(error)) => {
                Err(error.reworded(|said| format!("publishing to `{exchange}`: {said}")))
            }
        }
    }
}

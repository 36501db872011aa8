//! Errors of publishing: why a message is not confirmed in a queue.

use crate::outcome::SourceError;

/// Why a message is in no queue, or may be in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublishError {
    /// The exchange has no queue for it.
    Unroutable,
    /// A queue refused it.
    Refused,
    /// The channel is gone, or the broker does not answer.
    Lost(SourceError),
}

impl PublishError {
    /// The error of a message that was to go into this queue alone, in words for the operator.
    pub(in crate::rabbitmq) fn of_queue(self, queue: &str) -> SourceError {
        let failed =
            |why: &str| SourceError::Failed(format!("publishing to queue `{queue}`: {why}"));
        match self {
            Self::Lost(error) => failed(&error.to_string()),
            Self::Unroutable => failed("it is gone; a new session declares it again"),
            Self::Refused => failed("the broker refuses it, as a full queue does; make room there"),
        }
    }

    /// The error of a message that was published in order, among many.
    pub(super) fn in_order(self) -> Self {
        match self {
            Self::Lost(error) => Self::Lost(in_order(&error)),
            other => other,
        }
    }
}

/// The error, with what was being done before its words. An exchange that is gone by now is no answer to a question for
/// a queue or an exchange, as `NotFound` would be.
pub(super) fn in_order(error: &SourceError) -> SourceError {
    match error.clone().reworded(|said| format!("publishing: {said}")) {
        SourceError::NotFound(said) => SourceError::Failed(said),
        other => other,
    }
}

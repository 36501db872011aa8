//! Why a message is not safe in a queue.

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
    /// The error with what was being published before its words.
    pub(super) fn about(self, what: &str) -> Self {
        match self {
            Self::Lost(error) => Self::Lost(about(what, error)),
            other => other,
        }
    }
}

/// The error with what was being done before its words.
pub(super) fn about(what: &str, error: SourceError) -> SourceError {
    error.reworded(|said| format!("{what}: {said}"))
}

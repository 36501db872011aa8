//! The outcomes of deliveries, and the faults of publishing.
//!
//! Every delivery ends in exactly one [`Outcome`]. The labels here are part of the
//! contract: they appear in logs, metrics and dead-letter headers.

use std::fmt;

use crate::arn::TopicArn;

/// The outcome of a delivery. The delivery is acknowledged in each case but the last, and only after the
/// outcome is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// SNS accepted the notification under this id.
    Published(MessageId),
    /// Policy says that nothing is to be published.
    Skipped(SkipReason),
    /// It can't be published as it is; it goes to the dead-letter exchange.
    DeadLettered(DeadLetter),
    /// It is held; the broker keeps it in the queue for parked events, and brings it back from there.
    Parked,
    /// It is delivered again: it is held, or its session ended before it was settled.
    Requeued,
}

/// The id that SNS gives an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId(pub String);

macro_rules! labelled {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident => $label:literal),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$inner])* $variant),+ }

        impl $name {
            /// All of the set, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name under which users meet it in logs, metrics and headers.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// The one of this name.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.label() == label)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

labelled! {
    /// Why policy publishes nothing for an event.
    SkipReason {
        /// Not a presence, `chat` or `groupchat` event.
        UnsupportedType => "unsupported_type",
        /// What users receive, from a room or from each other: only what they send is published.
        Received => "received",
        /// A carbon copy, or a forwarded message: what it holds was an event of its own.
        Copy => "copy",
        /// A presence that is meant for one contact or room, not for all who may know.
        Directed => "directed",
        /// A message without a text. An empty text is a text.
        NoText => "no_text",
        /// No topic is configured for this kind of event.
        TopicUnset => "topic_unset",
        /// The room's domain is neither `muc_host` nor one of `muc_topics`.
        MucHostUnmatched => "muc_host_unmatched",
        /// The plugin's `keep` says no.
        Filtered => "filtered",
    }
}

labelled! {
    /// Why a delivery is in the dead-letter queue.
    Reason {
        /// The payload is no event that the source's format knows.
        Undecodable => "undecodable",
        /// Body and attributes exceed `max_message_bytes`.
        TooLarge => "too_large",
        /// SNS refused this very message, or would.
        Rejected => "rejected",
        /// Transient faults outlasted every retry.
        RetriesExhausted => "retries_exhausted",
        /// The plugin failed on it, or gave what can't be.
        PluginFailed => "plugin_failed",
        /// Handling it panicked.
        Panicked => "panicked",
    }
}

/// The reason, error and other details that a dead letter has in its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why it is there.
    pub reason: Reason,
    /// One line for the operator: no message body, no secret.
    pub error: String,
    /// Publish attempts made.
    pub attempts: u32,
    /// Where it should have gone, if that was known already.
    pub topic: Option<TopicArn>,
}

labelled! {
    /// How far a fault reaches, which decides what happens to the event.
    Scope {
        /// This message only: dead letter at once.
        Message => "message",
        /// Passes by itself: retried.
        Transient => "transient",
        /// This topic: its events are held and it is probed.
        Route => "route",
        /// The whole service: everything is held.
        Service => "service",
    }
}

/// A publish that SNS did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How far it reaches.
    pub scope: Scope,
    /// SNS's error code, or one of ours for what never reached it (`timeout`, `connection`).
    pub code: String,
    /// What SNS said, in one line.
    pub detail: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It becomes a part of sentences; SNS's own have a full stop.
        let detail = self.detail.trim_end_matches(['.', ' ']);
        if detail.is_empty() {
            f.write_str(&self.code)
        } else {
            write!(f, "{}: {detail}", self.code)
        }
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Nobody can tell whether the message was accepted: it counts as not published.
    #[must_use]
    pub fn unanswered(detail: &str) -> Self {
        Self { scope: Scope::Transient, code: "unanswered".to_owned(), detail: detail.to_owned() }
    }
}

/// Why there is no session, or no longer. [`fmt::Display`] says what happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The broker says that an exchange or a queue is not there.
    #[error("{0}")]
    NotFound(String),
    /// The broker says that the user lacks a permission (`ACCESS_REFUSED`).
    #[error("{0}")]
    AccessRefused(String),
    /// The broker says that a queue belongs to another connection alone (`RESOURCE_LOCKED`).
    #[error("{0}")]
    ResourceLocked(String),
    /// The broker says that what is there differs, or that an argument is wrong (`PRECONDITION_FAILED`).
    #[error("{0}")]
    PreconditionFailed(String),
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
    /// Nothing is wrong: a session that had nothing to do for long ends, in case that it is broken without a sign.
    #[error("nothing has come for long")]
    Renewal,
    /// More bytes came than the source may have in flight, and none could be settled: the next session asks for fewer
    /// deliveries.
    #[error("more bytes have come than may be in flight, and none of them could be settled")]
    TooMuch,
    /// Nothing is wrong: another worker is to have these deliveries.
    #[error("another worker takes over")]
    HandOver,
}

impl SourceError {
    /// Whether the broker said that an exchange or a queue is not there.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// The same, with more to say of it.
    #[must_use]
    pub fn reworded(self, reword: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotFound(said) => Self::NotFound(reword(said)),
            Self::AccessRefused(said) => Self::AccessRefused(reword(said)),
            Self::ResourceLocked(said) => Self::ResourceLocked(reword(said)),
            Self::PreconditionFailed(said) => Self::PreconditionFailed(reword(said)),
            Self::Failed(said) => Self::Failed(reword(said)),
            quiet @ (Self::Renewal | Self::TooMuch | Self::HandOver) => quiet,
        }
    }
}

/// The scope of a circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Circuit {
    /// All topics.
    Service,
    /// One topic.
    Topic(TopicArn),
}

impl Circuit {
    /// How far its faults reach.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Service => Scope::Service,
            Self::Topic(_) => Scope::Route,
        }
    }
}

impl fmt::Display for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("service"),
            Self::Topic(topic) => f.write_str(topic.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sns_said_stands_in_a_sentence_without_a_full_stop_of_its_own() {
        let of = |detail: &str| {
            let detail = detail.to_owned();
            Fault { scope: Scope::Service, code: "Code".to_owned(), detail }.to_string()
        };
        assert_eq!(of("The token is invalid."), "Code: The token is invalid");
        assert_eq!(of("a list, and more…"), "Code: a list, and more…");
        assert_eq!((of(""), of(".")), ("Code".to_owned(), "Code".to_owned()));
    }
}

//! The JSON Schema of the native format.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::event::EventKind;

/// A JID: domain, user@domain or user@domain/resource, of at most 1,023 bytes each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct JidText(#[schemars(length(min = 1, max = 3071))] pub String);

impl From<String> for JidText {
    fn from(jid: String) -> Self {
        Self(jid)
    }
}

/// An event that event-pusher-sns publishes, as the body of an AMQP message. Objects of other types and messages
/// without a text are skipped; anything else that is not such an object becomes a dead letter. Any other key
/// is metadata for plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum NativeEvent {
    /// A user came or went.
    Presence {
        /// Who: a full or bare JID.
        user_id: JidText,
        /// true: available.
        present: bool,
        /// The producer's id of the event. On FIFO topics it is the deduplication id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// When it happened.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<Timestamp>,
    },
    /// A user wrote to another.
    Chat {
        /// Who wrote: a full or bare JID.
        from_user_id: JidText,
        /// To whom: a full or bare JID.
        to_user_id: JidText,
        /// The text, which may be empty.
        message: String,
        /// The producer's id of the event. On FIFO topics it is the deduplication id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// When it happened.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<Timestamp>,
    },
    /// A user wrote to a room.
    Groupchat {
        /// Who wrote: a full or bare JID.
        from_user_id: JidText,
        /// The room.
        to_user_id: JidText,
        /// The text, which may be empty.
        message: String,
        /// The producer's id of the event. On FIFO topics it is the deduplication id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// When it happened.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<Timestamp>,
    },
}

impl NativeEvent {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Presence { .. } => EventKind::Presence,
            Self::Chat { .. } => EventKind::Chat,
            Self::Groupchat { .. } => EventKind::Groupchat,
        }
    }
}

//! Who dead-lettered a message, for which reason, and whether that is proven or only claimed.

use jiff::Timestamp;
use serde::Serialize;

/// Who dead-lettered a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterAuthor {
    /// A worker, which says why in headers.
    Worker,
    /// RabbitMQ: over its delivery limit, too old, or pushed out of its queue.
    Broker,
    /// Nobody says.
    Unknown,
}

/// Whether the headers of a letter are proven or only claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A worker has signed it, by this configuration's key.
    Signed,
    /// It is not signed, or not by that key, so that anybody may have written it.
    Claimed,
    /// There is no key to tell by.
    Unchecked,
}

/// The origin of an event, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The exchange to which its producer published.
    pub exchange: Option<String>,
    /// The routing key with which it did.
    pub routing_key: Option<String>,
    /// The queue from which a worker took it, or in which it died.
    pub queue: Option<String>,
}

/// An entry of `x-death`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Death {
    /// Why, in RabbitMQ's words.
    pub reason: String,
    /// Where.
    pub queue: String,
    /// How often for that reason in that queue.
    pub count: i64,
    /// When it first did.
    pub time: Option<Timestamp>,
    /// Whether RabbitMQ itself has written this, and no client; `None` where the broker was not asked which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_broker: Option<bool>,
}

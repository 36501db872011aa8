//! The validated configuration: what the rest of the program works with. Its types say which keys there are
//! (`config/default.toml` what they mean): serde reads them, and `schemars` derives the schema from them. There
//! `$comment` says why a number's range is what it is, `format` names what a text is checked for besides its
//! `pattern` (see `rules.rs`), and `writeOnly` is a secret. A field has a comment where that file doesn't say it all.

#![expect(missing_docs, reason = "config/default.toml says what the keys mean")]

mod amqp;
mod fleet;
mod operation;
mod read;
mod sns;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::amqp::{
    Amqp, ExchangeType, OnOrderLost, Parking, PartitionBy, Partitioning, QueueType, Source, Tls,
};
pub use self::fleet::Fleet;
pub(crate) use self::operation::ADMIN;
pub use self::operation::{Admin, Log, LogFormat, Outage, Shutdown, Trace};
pub(super) use self::sns::Overrides;
pub use self::sns::{Access, Account, Ordering, Routing, Sns, StaticCredentials};
use super::key::{Key, Origin};
use crate::event::EventKind;
pub use crate::event::Format;

/// A valid configuration. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Config {
    /// The broker and its topology.
    pub amqp: Amqp,
    /// The service, and how to publish to it.
    pub sns: Sns,
    /// The routing of XMPP domains that have overrides, by normalised domain; complete, so
    /// that `sns.routing` is for all others only.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Host>")]
    pub hosts: BTreeMap<String, Routing>,
    /// When the service counts as down.
    pub outage: Outage,
    /// Stopping.
    pub shutdown: Shutdown,
    /// The operator's side.
    pub admin: Admin,
    /// The workers of which this is one.
    pub fleet: Fleet,
    /// Traces.
    pub trace: Trace,
    /// Logging.
    pub log: Log,
    /// Kinds of event of which it isn't known whether a topic is set, since one is given wrongly. Only a [`Draft`] has any.
    ///
    /// [`Draft`]: crate::config::Draft
    #[serde(skip)]
    pub(in crate::config) kinds_in_doubt: Vec<EventKind>,
    /// Topics that files set and variables empty.
    #[serde(skip)]
    pub emptied_topics: Vec<EmptiedTopic>,
    /// Every key that applies, with value and origin; fit for logs.
    #[serde(skip)]
    pub effective: Vec<Effective>,
}

/// What is known in `[hosts."example.org"]`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "for the schema only: `Overrides` is read by itself")]
struct Host {
    sns: Overrides,
}

/// A topic that a file sets and a variable empties, mostly by accident: where a deployment's template lacks a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptiedTopic {
    /// The topic's key.
    pub key: Key,
    /// The variable.
    pub variable: Origin,
    /// The file.
    pub file: Origin,
}

impl fmt::Display for EmptiedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, variable, file } = self;
        write!(
            f,
            "{variable} is empty, and takes away the topic that {file} sets as {key}: such events are skipped; give the variable a \
             topic, or remove it (to skip these events, remove the topic from the file)"
        )
    }
}

/// A key with the value that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key.
    pub key: Key,
    /// Its value as TOML; `***` for a secret, and passwords in addresses masked.
    pub value: String,
    /// Which layer gave it.
    pub origin: Origin,
}

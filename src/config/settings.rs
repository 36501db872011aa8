//! The validated configuration: what the rest of the program works with. Its types say which keys there are
//! (`config/default.toml` what they mean): serde reads them, and `schemars` derives the schema from them. There
//! `$comment` says why a number's range is what it is, `format` names what a text is checked for besides its
//! `pattern` (see `rules.rs`), and `writeOnly` is a secret. A field has a comment where that file doesn't say it all.

#![expect(missing_docs, reason = "config/default.toml says what the keys mean")]

mod amqp;
mod operation;
mod read;
mod sns;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::amqp::{Amqp, ExchangeType, Parking, QueueType, Source, Tls};
pub use self::operation::{Admin, Log, LogFormat, Outage, Shutdown, Trace};
pub(super) use self::sns::Overrides;
pub use self::sns::{Access, Account, Ordering, Routing, Sns, StaticCredentials};
use super::key::{Key, Origin};
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
    /// Traces.
    pub trace: Trace,
    /// Logging.
    pub log: Log,
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

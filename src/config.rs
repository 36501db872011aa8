//! The configuration: layers, then one validated [`Config`].
//!
//! The layers are `config/default.toml`, which is compiled in and lists every key, then
//! files, then `EVENT_PUSHER__` variables of the environment; the later wins, key by key.
//! Everything comes in through [`Inputs`], so that nothing here depends on the process.
//! What is wrong is found in one go: see [`Problems`].
//!
//! An empty text is an unset key: it takes back what a lower layer gave. Where a key can't
//! do without a value, its default applies.

mod access;
mod amqp_uri;
mod broker;
mod domain;
mod endpoint;
mod environment;
mod file;
mod inputs;
mod json_schema;
mod key;
mod layer;
mod layers;
mod operation;
mod problem;
mod reader;
mod routing;
mod schema;
mod service;
mod settings;
mod suggest;
mod value;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use amqp_uri::AmqpUri;
pub use domain::HOST_PLACEHOLDER;
pub(crate) use file::line_and_column;
pub use inputs::Inputs;
pub use json_schema::json_schema;
pub use key::{ENVIRONMENT_PREFIX, Key, Origin};
pub use problem::{Problem, Problems};
pub(crate) use schema::HOST_KEYS;
pub use schema::{DEFAULTS, Reference, reference};
pub use settings::{
    Access, Admin, Amqp, ExchangeType, Format, Log, LogFormat, Ordering, Outage, Parking,
    QueueType, Routing, Shutdown, Sns, Source, StaticCredentials, Tls, Trace,
};

use crate::arn::TopicArn;
use layers::Merged;
use reader::Reader;

/// A valid configuration. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker and its topology.
    pub amqp: Amqp,
    /// The service, and how to publish to it.
    pub sns: Sns,
    /// The routing of XMPP domains that have overrides, by normalised domain; complete, so
    /// that `sns.routing` is for all others only.
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
    effective: Vec<Effective>,
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

impl Config {
    /// Merges and validates the layers. `plugin_names` are the values that
    /// `plugin_module` may have.
    ///
    /// # Errors
    ///
    /// [`Problems`]: everything that is wrong in any layer.
    pub fn load(inputs: &Inputs, plugin_names: &[&str]) -> Result<Self, Problems> {
        let mut read = Reader::new(layers::merge(inputs));
        let config = Self::read(&mut read, plugin_names);
        let effective = effective(&read.finish()?, &config.amqp);
        Ok(Self { effective, ..config })
    }

    /// Asks for every key that there is. What is wrong is noted by the reader.
    fn read(read: &mut Reader, plugin_names: &[&str]) -> Self {
        let routing = routing::base(read, plugin_names);
        let (accesses, of_hosts) = access::all(read);
        let hosts = routing::hosts(read, plugin_names, &of_hosts);
        routing::check_parts(read);
        let sns = service::sns(read, routing, accesses);
        let outage = service::outage(read, &sns);
        let amqp = broker::amqp(read, &sns, &outage);
        let shutdown = operation::shutdown(read);
        let admin = operation::admin(read);
        let trace = operation::trace(read);
        let log = operation::log(read);
        Self { amqp, sns, hosts, outage, shutdown, admin, trace, log, effective: Vec::new() }
    }

    /// Every topic that events can be routed to, with a key that names it.
    pub fn topics(&self) -> impl Iterator<Item = (Key, &TopicArn)> {
        let base = self.sns.routing.topics(Key::from("sns"));
        let hosts = self.hosts.iter().flat_map(|(host, routing)| {
            routing.topics(Key::from("hosts").child(host).child("sns"))
        });
        // A host has the base's topics, where it doesn't override them.
        let mut seen = BTreeSet::new();
        base.chain(hosts).filter(move |(_, topic)| seen.insert(*topic))
    }

    /// Whether events can be routed to a FIFO topic.
    #[must_use]
    pub fn has_fifo_topic(&self) -> bool {
        self.topics().any(|(_, topic)| topic.is_fifo())
    }

    /// Every key that applies, with value and origin; fit for logs.
    #[must_use]
    pub fn summary(&self) -> &[Effective] {
        &self.effective
    }
}

fn effective(layers: &Merged, amqp: &Amqp) -> Vec<Effective> {
    let shown = layers.values().into_iter().map(|(key, value)| Effective {
        value: if key == Key::from("amqp.prefetch") {
            amqp.prefetch.to_string()
        } else {
            schema::shown(&key, value).unwrap_or_else(|| "***".to_owned())
        },
        origin: Origin::of(value),
        key,
    });
    shown.collect()
}

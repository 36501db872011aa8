//! The configuration: layers, then one validated [`Config`].
//!
//! The layers are `config/default.toml`, which is compiled in and lists every key, then
//! files, then `EVENT_PUSHER__` variables of the environment; the later wins, key by key.
//! Everything comes in through [`Inputs`], so that nothing here depends on the process.
//! What is wrong is found in one go: see [`Problems`].
//!
//! An empty text is an unset key: it takes back what a lower layer gave. Where a key can't
//! do without a value, its default applies.

mod amqp_uri;
mod broker;
mod domain;
mod endpoint;
mod environment;
mod file;
mod inputs;
mod key;
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
pub use inputs::Inputs;
pub use key::{ENVIRONMENT_PREFIX, Key, Origin};
pub use problem::{Problem, Problems};
pub use schema::{DEFAULTS, Reference, reference};
pub use settings::{
    Admin, Amqp, ExchangeType, Format, Log, LogFormat, Ordering, Outage, Parking, QueueType,
    Routing, Shutdown, Sns, Source, StaticCredentials, Tls,
};

use crate::arn::TopicArn;
use layers::Layer;
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
        let routing = routing::base(&mut read, plugin_names);
        let hosts = routing::hosts(&mut read, plugin_names);
        routing::check_parts(&mut read);
        let sns = service::sns(&mut read, routing);
        let outage = service::outage(&mut read, &sns);
        let amqp = broker::amqp(&mut read, &sns, &outage);
        let shutdown = operation::shutdown(&mut read);
        let admin = operation::admin(&mut read);
        let log = operation::log(&mut read);
        let effective = effective(&read.finish()?, &amqp);
        Ok(Self { amqp, sns, hosts, outage, shutdown, admin, log, effective })
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

    /// Every key that applies, with value and origin; fit for logs.
    #[must_use]
    pub fn summary(&self) -> &[Effective] {
        &self.effective
    }
}

fn effective(layer: &Layer, amqp: &Amqp) -> Vec<Effective> {
    let shown = layer.values.iter().map(|(key, setting)| Effective {
        key: key.clone(),
        value: if *key == Key::from("amqp.prefetch") {
            amqp.prefetch.to_string()
        } else {
            setting.value.shown(key).unwrap_or_else(|| "***".to_owned())
        },
        origin: setting.origin.clone(),
    });
    shown.collect()
}

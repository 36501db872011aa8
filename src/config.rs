//! The configuration: layers, then one validated [`Config`].
//!
//! The layers are `config/default.toml`, which is compiled in and lists every key, then files, then `EVENT_PUSHER__`
//! variables of the environment; the later wins, key by key. Everything comes in through [`Inputs`], so that nothing here
//! depends on the process. What is wrong is found in one go: see [`Problems`].
//!
//! An empty text is an unset key: it takes back what a lower layer gave. Where a key can't do without a value, its
//! default applies.

mod broker;
mod doubt;
mod draft;
mod environment;
mod faults;
mod file;
mod inputs;
mod json_schema;
mod key;
mod layer;
mod merged;
mod problem;
mod routing;
mod rules;
mod schema;
mod service;
mod settings;
mod suggest;
mod topics;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use crate::address::AmqpUri;
pub(crate) use broker::{BROWSE_LOCK, browse_lock};
pub(crate) use draft::Askable;
pub use draft::Draft;
pub use inputs::Inputs;
pub use json_schema::json_schema;
pub use key::{ENVIRONMENT_PREFIX, Key, Origin};
pub use problem::{Problem, Problems};
pub(crate) use schema::HOST_KEYS;
pub use schema::{DEFAULTS, Reference, reference};
pub(crate) use settings::ADMIN;
pub use settings::{
    Access, Account, Admin, Amqp, Config, Effective, EmptiedTopic, ExchangeType, Fleet, Format,
    Log, LogFormat, OnOrderLost, Ordering, Outage, Parking, PartitionBy, Partitioning, QueueType,
    Routing, Shutdown, Sns, Source, StaticCredentials, Tls, Trace,
};

use crate::arn::TopicArn;
use crate::plugin::Plugins;
use crate::route::{Router, Rules, UnknownPlugin};

impl Config {
    /// Merges and validates the layers. `plugin_names` are the values that
    /// `plugin_module` may have.
    ///
    /// # Errors
    ///
    /// [`Problems`]: everything that is wrong in any layer.
    pub fn load(inputs: &Inputs, plugin_names: &[&str]) -> Result<Self, Problems> {
        Draft::read(inputs, Vec::new(), plugin_names)?.finish()
    }

    /// Every topic that events can be routed to, with a key that names it.
    pub fn topics(&self) -> impl Iterator<Item = (Key, &TopicArn)> {
        let hosts = self.hosts.iter();
        let hosts = hosts.map(|(host, it)| (Key::from(["hosts", host, "sns"]), it));
        let all = std::iter::once((Key::from("sns"), &self.sns.routing)).chain(hosts);
        // A host has the base's topics, where it doesn't override them.
        let mut seen = BTreeSet::new();
        all.flat_map(|(group, it)| it.topics().map(move |(key, topic)| (group.below(&key), topic)))
            .filter(move |(_, topic)| seen.insert(*topic))
    }

    /// Whether events can be routed to a FIFO topic.
    #[must_use]
    pub fn has_fifo_topic(&self) -> bool {
        self.topics().any(|(_, topic)| topic.is_fifo())
    }

    /// The routing that the configuration asks for.
    ///
    /// # Errors
    ///
    /// If `plugins` lacks one that it names.
    pub fn router(&self, plugins: &Plugins) -> Result<Router, UnknownPlugin> {
        let rules = Rules {
            max_message_bytes: self.sns.max_message_bytes,
            per_key: self.sns.ordering == Ordering::PerKey,
            group_id: self.sns.group_id,
        };
        Router::new(&self.sns.routing, &self.hosts, plugins, rules)
    }

    /// A problem with the value that applies of a key.
    #[must_use]
    pub fn problem(&self, key: &Key, wrong: String, remedy: &str) -> Problem {
        let given = self.effective.iter().find(|it| it.key == *key);
        Problem {
            origin: given.map_or(Origin::Default, |it| it.origin.clone()),
            key: Some(key.clone()),
            value: given.map(|it| it.value.clone()),
            wrong,
            remedy: remedy.to_owned(),
        }
    }
}

//! Settings of MongooseIM's SNS backend for one domain, or for all.

use std::collections::{BTreeMap, BTreeSet};

use super::names::ROOMS;
use super::server::{Form, Modules, Server};
use super::tree::Table;
use super::writer::Unsupported;

/// The topics, in the order of `EventKind::ALL`.
pub(super) const TOPICS: [&str; 3] =
    ["presence_updates_topic", "pm_messages_topic", "muc_messages_topic"];

/// What the backend's options are called, but for the numbers.
const TEXTS: [&str; 10] = [
    "presence_updates_topic",
    "pm_messages_topic",
    "muc_messages_topic",
    "plugin_module",
    "muc_host",
    "sns_host",
    "region",
    "account_id",
    "access_key_id",
    "secret_access_key",
];

/// Its numbers with their defaults, and with what ours are bounded by.
pub(super) const NUMBERS: [(&str, i64, i64, i64); 3] = [
    ("pool_size", 100, 1, 1000),
    ("publish_retry_count", 2, 0, 30),
    ("publish_retry_time_ms", 50, 0, 600_000),
];

/// What MongooseIM has if no plugin is named. We have it under the same name.
pub(super) const DEFAULT_PLUGIN: &str = "mod_event_pusher_sns_defaults";

/// Its names in all releases: the second is that of `mod_aws_sns`, up to 2.1.
const DEFAULT_PLUGINS: [&str; 2] = [DEFAULT_PLUGIN, "mod_aws_sns_defaults"];

/// The backend's options, and the domains of rooms beside it.
#[derive(Clone, Default)]
pub(super) struct Sns {
    texts: BTreeMap<&'static str, String>,
    pub numbers: BTreeMap<&'static str, i64>,
    /// The domains that rooms are on; the first is our `muc_host`.
    pub muc_hosts: Vec<String>,
    pub plugin_line: usize,
    pub unsupported: Vec<Unsupported>,
}

impl Sns {
    /// The options; all of them unset where there is no such backend.
    pub(super) fn read(modules: &Modules) -> Self {
        let mut found = Self::default();
        let Some(mut table) = modules.sns.clone() else { return found };
        for name in TEXTS {
            let line = table.entries.iter().find(|(key, _)| key == name).map(|(_, it)| it.line);
            if let Some(text) = table.take_text(name, &mut found.unsupported) {
                if name == "plugin_module" {
                    found.plugin_line = line.unwrap_or_default();
                }
                found.texts.insert(name, text);
            }
        }
        for (name, ..) in NUMBERS {
            if let Some(number) = table.take_number(name, &mut found.unsupported) {
                found.numbers.insert(name, number);
            }
        }
        table.finish(&mut found.unsupported);
        let own = found.texts.get("muc_host").cloned();
        found.muc_hosts = muc_hosts(modules, own, &mut found.unsupported);
        found
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// A plugin that is an Erlang module of the operator's own.
    pub(super) fn own_plugin(&self) -> Option<&str> {
        self.get("plugin_module").filter(|name| !DEFAULT_PLUGINS.contains(name))
    }

    pub(super) fn has_topics(&self) -> bool {
        TOPICS.iter().any(|topic| self.get(topic).is_some())
    }

    /// The address of another service than the region's own.
    pub(super) fn endpoint(&self) -> Option<&str> {
        let host = self.get("sns_host")?;
        let region = self.get("region").unwrap_or_default();
        // The second stands in an example of MongooseIM's documentation.
        let usual = [format!("sns.{region}.amazonaws.com"), format!("{region}.amazonaws.com")];
        (!usual.iter().any(|it| it == host)).then_some(host)
    }

    /// Takes over from `other` all but what is a domain's affair alone: topics, plugin and MUC host.
    pub(super) fn with_service_of(mut self, other: &Self) -> Self {
        for (name, text) in &other.texts {
            if !TOPICS.contains(name) && !["plugin_module", "muc_host"].contains(name) {
                self.texts.insert(name, text.clone());
            }
        }
        self.numbers.clone_from(&other.numbers);
        self
    }
}

/// Of the backend's own option, which MongooseIM never applied, and of the modules that have
/// rooms.
fn muc_hosts(
    modules: &Modules,
    own: Option<String>,
    unsupported: &mut Vec<Unsupported>,
) -> Vec<String> {
    let mut host = |module: &Option<Table>, default: &str| {
        let mut module = module.clone()?;
        let host = module.take_text("host", unsupported).unwrap_or_else(|| default.to_owned());
        // Most of their options are about rooms, not about events.
        module.finish_level(&ROOMS, unsupported, &mut BTreeSet::new());
        Some(host)
    };
    let found =
        [own, host(&modules.muc, "conference.@HOST@"), host(&modules.muc_light, "muclight.@HOST@")];
    let mut hosts: Vec<String> = Vec::new();
    for host in found.into_iter().flatten() {
        if !hosts.iter().any(|it| it.eq_ignore_ascii_case(&host)) {
            hosts.push(host);
        }
    }
    hosts
}

/// Whether the SNS backend may have published nothing: from MongooseIM 3.3 to 6.8, SNS refuses what it sends. Of an older
/// release are Erlang terms that have `mod_aws_sns`, and nothing for RabbitMQ.
pub(super) fn may_have_been_silent(server: &Server) -> bool {
    let is_older = |modules: &Modules| {
        let has_rabbit = !server.pools.is_empty() || server.modules().any(|it| it.rabbit.is_some());
        server.form == Form::Erlang && modules.has_old_name && !has_rabbit
    };
    server.modules().any(|modules| Sns::read(modules).has_topics() && !is_older(modules))
}

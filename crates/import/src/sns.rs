//! Settings of MongooseIM's SNS backend for one domain, or for all.

use std::collections::BTreeMap;

use super::server::Modules;
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
        found.muc_hosts = muc_hosts(modules, found.get("muc_host"));
        found
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// A plugin that is an Erlang module of the operator's own.
    pub(super) fn own_plugin(&self) -> Option<&str> {
        self.get("plugin_module").filter(|name| *name != DEFAULT_PLUGIN)
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
fn muc_hosts(modules: &Modules, own: Option<&str>) -> Vec<String> {
    let host = |module: &Option<Table>, default: &str| {
        let mut module = module.clone()?;
        Some(module.take_text("host", &mut Vec::new()).unwrap_or_else(|| default.to_owned()))
    };
    let found = [
        own.map(str::to_owned),
        host(&modules.muc, "conference.@HOST@"),
        host(&modules.muc_light, "muclight.@HOST@"),
    ];
    let mut hosts: Vec<String> = Vec::new();
    for host in found.into_iter().flatten() {
        if !hosts.iter().any(|it| it.eq_ignore_ascii_case(&host)) {
            hosts.push(host);
        }
    }
    hosts
}

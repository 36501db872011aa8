//! The keys that exist. `config/default.toml` is the only list of them: what it has there
//! tells name, kind, default and meaning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::config::Value;
use toml::de::{DeTable, DeValue};

use super::amqp_uri::AmqpUri;
use super::key::Key;
use super::value::{self, Kind};

/// The text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The source that stands in where none is given, and whose values the others take over.
pub(super) const DEFAULT_SOURCE: &str = "events";

/// The keys of `[sns]` that a host may override: routing, naming, plugin and access.
pub(crate) const HOST_KEYS: &[&str] = &[
    "presence_updates_topic",
    "pm_messages_topic",
    "muc_messages_topic",
    "muc_host",
    "muc_topics",
    "plugin_module",
    "region",
    "account_id",
    "sns_host",
    "access_key_id",
    "secret_access_key",
    "session_token",
];

/// The last names of keys whose values are never shown.
const SECRETS: &[&str] = &["access_key_id", "secret_access_key", "session_token", "token"];

/// What is known under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Group,
    Leaf(Kind),
}

/// One key in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The key's path as it is written in TOML; `amqp.sources.events` stands for every source.
    pub key: String,
    /// Its default as it is written in TOML; empty for a group that has no keys of its own.
    pub default: String,
    /// What it is for, in one line.
    pub comment: String,
}

static KNOWN: LazyLock<BTreeMap<Key, Value>> = LazyLock::new(|| {
    let mut known = BTreeMap::new();
    match DeTable::parse(DEFAULTS) {
        Ok(table) => flatten(&Key::default(), table.get_ref(), &mut known),
        Err(error) => unreachable!("config/default.toml: {error}"),
    }
    known
});

fn flatten(parent: &Key, table: &DeTable<'_>, known: &mut BTreeMap<Key, Value>) {
    for (name, value) in table {
        let key = parent.child(name.get_ref());
        match value.get_ref() {
            DeValue::Table(table) => flatten(&key, table, known),
            other => match value::from_toml(other) {
                Some(value) => drop(known.insert(key, Value::new(None, value))),
                None => {
                    unreachable!("config/default.toml: {key} is of no kind that a key may have")
                }
            },
        }
    }
}

/// All keys with their defaults.
pub(super) fn defaults() -> &'static BTreeMap<Key, Value> {
    &KNOWN
}

/// The default of a key, which for named things is that of the key it goes by.
pub(super) fn default_of(key: &Key) -> Option<&'static Value> {
    match key.segments().as_slice() {
        ["amqp", "sources", _, rest @ ..] => {
            let base = Key::from(["amqp", "sources", DEFAULT_SOURCE]);
            KNOWN.get(&rest.iter().fold(base, |key, name| key.child(name)))
        }
        ["hosts", _, rest @ ..] => KNOWN.get(&Key::from(rest)),
        _ => KNOWN.get(key),
    }
}

/// Whether the names below `group` are XMPP domains.
pub(super) fn names_domains(group: &Key) -> bool {
    matches!(group.segments().as_slice(), ["hosts"] | [.., "sns", "muc_topics"])
}

/// The key that a host would override by this one, if it might.
pub(super) fn shared_key(key: &Key) -> Option<Key> {
    match key.segments().as_slice() {
        ["hosts", _, "sns", ..] => {
            Some(Key::from(&key.segments()[2..])).filter(|shared| place(shared).is_some())
        }
        _ => None,
    }
}

/// What is known under `key`, if anything.
pub(super) fn place(key: &Key) -> Option<Place> {
    match key.segments().as_slice() {
        ["hosts"]
        | ["hosts", _]
        | ["hosts", _, "sns"]
        | ["amqp", "sources", _]
        | ["sns", "muc_topics"] => Some(Place::Group),
        ["sns", "muc_topics", _] => Some(Place::Leaf(Kind::Text)),
        ["hosts", _, "sns", name, rest @ ..] if HOST_KEYS.contains(name) => {
            place(&rest.iter().fold(Key::from(["sns", name]), |key, name| key.child(name)))
        }
        ["hosts", ..] => None,
        _ => match default_of(key) {
            Some(value) => Kind::of(&value.kind).map(Place::Leaf),
            None => KNOWN.keys().any(|known| known.is_within(key)).then_some(Place::Group),
        },
    }
}

/// The value as TOML; `None` if it is, or might hold, a secret.
pub(super) fn shown(key: &Key, value: &Value) -> Option<String> {
    let texts = value::texts(value);
    match key.last() {
        _ if value::is_unset(value) => {}
        last if SECRETS.contains(&last) => return None,
        // Of the wrong kind, as a list in place of a text.
        "uri" | "uris" | "sns_host" | "otlp_endpoint"
            if place(key) != Kind::of(&value.kind).map(Place::Leaf) =>
        {
            return None;
        }
        "uri" | "uris" => {
            let masked = texts.iter().map(|uri| AmqpUri::parse(uri).map(|uri| uri.to_string()));
            let masked: Vec<String> = masked.collect::<Result<_, _>>().ok()?;
            return Some(if key.last() == "uri" {
                format!("{:?}", masked[0])
            } else {
                format!("{masked:?}")
            });
        }
        // Refused with a password in it, which must not be in the refusal.
        "sns_host" | "otlp_endpoint" if texts.iter().any(|url| url.contains('@')) => return None,
        _ => {}
    }
    Some(value::to_toml(value))
}

/// All keys with default and meaning, in the order of `config/default.toml`.
#[must_use]
pub fn reference() -> Vec<Reference> {
    let mut rows = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut group = "";
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
            continue;
        }
        let comment = std::mem::take(&mut comment).join(" ");
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            group = name;
            if !KNOWN.keys().any(|key| key.is_within(&Key::from(name))) {
                rows.push(Reference { key: name.to_owned(), default: String::new(), comment });
            }
        } else if let Some((name, default)) = line.split_once(" = ") {
            rows.push(Reference {
                key: format!("{group}.{name}"),
                default: default.to_owned(),
                comment,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_default_and_a_meaning_in_the_reference() {
        let rows = reference();
        let keys: Vec<String> = defaults().keys().map(ToString::to_string).collect();
        for key in &keys {
            assert_eq!(rows.iter().filter(|row| row.key == *key).count(), 1, "{key}");
        }
        assert_eq!(rows.len(), keys.len() + 2, "and the groups sns.muc_topics and hosts");
        assert!(rows.iter().all(|row| !row.comment.is_empty()), "{rows:#?}");
    }

    #[test]
    fn the_reference_says_what_the_default_is_as_toml() {
        let row = reference().into_iter().find(|row| row.key == "sns.publish_retry_count");
        assert_eq!(
            row,
            Some(Reference {
                key: "sns.publish_retry_count".to_owned(),
                default: "2".to_owned(),
                comment: "Retries of a failed publish, each after a longer pause.".to_owned(),
            })
        );
    }

    #[test]
    fn a_host_overrides_only_routing_naming_plugin_and_access() {
        let host = Key::from(["hosts", "example.org", "sns"]);
        assert_eq!(place(&host.child("region")), Some(Place::Leaf(Kind::Text)));
        assert_eq!(place(&host.child("muc_topics")), Some(Place::Group));
        assert_eq!(
            place(&host.child("muc_topics").child("muc.example")),
            Some(Place::Leaf(Kind::Text))
        );
        assert_eq!(place(&host.child("pool_size")), None);
    }
}

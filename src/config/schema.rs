//! The keys that exist, as the types of the settings and `config/default.toml` say: the types what a value may be,
//! the file its default and its meaning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::config::{Value, ValueKind};
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::key::Key;
use super::settings::Config;
use super::value::{Kind, is_unset, leaves, texts};
use crate::address::{self, AmqpUri};

/// The text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The source that stands in where none is given, and whose values the others take over.
pub(super) const DEFAULT_SOURCE: &str = "events";

/// What the types of the settings say of their keys.
static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let settings = SchemaSettings::draft07().with(|it| it.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
});

/// The keys of `[sns]` that a host may override: routing, naming, plugin and access.
pub(crate) static HOST_KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let keys = node(&Key::from(["hosts", "", "sns"])).and_then(|it| it["properties"].as_object());
    keys.into_iter().flat_map(|keys| keys.keys().map(String::as_str)).collect()
});

/// What is known under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Group,
    Leaf(&'static Kind),
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

static TREE: LazyLock<Value> = LazyLock::new(|| match toml::from_str(DEFAULTS) {
    Ok(tree) => tree,
    Err(error) => unreachable!("config/default.toml: {error}"),
});

static KNOWN: LazyLock<BTreeMap<Key, &Value>> = LazyLock::new(|| leaves(Key::default(), &TREE));

/// All keys with their defaults.
pub(super) fn defaults() -> &'static BTreeMap<Key, &'static Value> {
    &KNOWN
}

/// The default of a key, which for named things is that of the key it goes by.
pub(super) fn default_of(key: &Key) -> Option<&'static Value> {
    let known = match key.segments().as_slice() {
        ["amqp", "sources", _, name] => &Key::from(["amqp", "sources", DEFAULT_SOURCE, name]),
        ["hosts", _, rest @ ..] => &Key::from(rest),
        _ => key,
    };
    KNOWN.get(known).copied()
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

/// The schema of a key or of a group of keys, if there is such a one.
pub(super) fn node(key: &Key) -> Option<&'static Json> {
    key.segments().iter().try_fold(&*SCHEMA, |at, name| {
        let named = at.get("properties").and_then(|it| it.get(name));
        named.or_else(|| at.get("additionalProperties").filter(|it| it.is_object()))
    })
}

/// What is known under `key`, if anything.
pub(super) fn place(key: &Key) -> Option<Place> {
    match types(node(key)?).first()? {
        &"object" => Some(Place::Group),
        name => Kind::named(name).map(Place::Leaf),
    }
}

/// Whether an empty text there is no value, so that the default doesn't stand in.
pub(super) fn is_optional(key: &Key) -> bool {
    node(key).is_some_and(|it| types(it).contains(&"null"))
}

/// The JSON types that a value may have.
pub(super) fn types(node: &Json) -> Vec<&str> {
    match node.get("type").unwrap_or(&node["oneOf"][0]["type"]) {
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    }
}

/// The words of which a value is one, if it is to be.
pub(super) fn words(node: &Json) -> Option<Vec<&str>> {
    let words = [&node["enum"], &node["oneOf"]].into_iter().find_map(Json::as_array)?;
    Some(words.iter().filter_map(|it| it.as_str().or_else(|| it["const"].as_str())).collect())
}

/// What a text, or each of a list, is checked for.
pub(super) fn format(key: &Key) -> Option<&'static str> {
    let node = node(key)?;
    node["format"].as_str().or_else(|| node["items"]["format"].as_str())
}

/// The value as TOML; `None` if it is, or might hold, a secret.
pub(super) fn shown(key: &Key, value: &Value) -> Option<String> {
    if !is_unset(value) && node(key).is_some_and(|it| it["writeOnly"] == true) {
        return None;
    }
    let masked = |text: &str| match format(key).filter(|_| !text.is_empty()) {
        Some("amqp-uri") => Some(AmqpUri::parse(text).ok()?.to_string()),
        // Refused perhaps with a password or a token in it, which must not be in the refusal.
        Some(format @ ("endpoint" | "collector")) => {
            address::checked(format, text).is_ok().then(|| text.to_owned())
        }
        _ => Some(text.to_owned()),
    };
    let masked = texts(value).into_iter().map(masked).collect::<Option<Vec<_>>>()?;
    let is_text = |it: &Value| matches!(it.kind, ValueKind::String(_));
    Some(match &value.kind {
        ValueKind::String(_) => format!("{:?}", masked.concat()),
        ValueKind::Array(items) if items.iter().all(is_text) => format!("{masked:?}"),
        ValueKind::Float(number) => format!("{number:?}"),
        ValueKind::I64(_) | ValueKind::Boolean(_) => value.to_string(),
        _ => return None,
    })
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
            let default = default.to_owned();
            rows.push(Reference { key: format!("{group}.{name}"), default, comment });
        }
    }
    rows
}

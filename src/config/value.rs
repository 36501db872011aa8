//! Values as TOML has them and as the `config` crate keeps them, and trees of these.

use std::collections::BTreeMap;

use ::config::{Map, Value, ValueKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::DeValue;

use super::key::Key;

/// A kind of value that keys have: its type in JSON, what people call it, and what to give where a value of another
/// kind was given, which ends one way in a file and another in the environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    json: &'static str,
    pub(super) name: &'static str,
    remedy: &'static str,
    remedy_ends: [&'static str; 2],
}

static KINDS: [Kind; 5] = [
    kind("string", "a text", "give a text", [", in quotes", ""]),
    kind("integer", "a whole number", "give a whole number", [", without quotes", ""]),
    kind("number", "a number", "give a number such as 0.5", [", without quotes", ""]),
    kind("boolean", "true or false", "give true or false", [", without quotes", ""]),
    kind(
        "array",
        "a list of texts",
        r#"give a list of texts, such as ["a", "b"]"#,
        ["", ", or a, b"],
    ),
];

const fn kind(
    json: &'static str,
    name: &'static str,
    remedy: &'static str,
    remedy_ends: [&'static str; 2],
) -> Kind {
    Kind { json, name, remedy, remedy_ends }
}

impl Kind {
    /// The kind with this type in JSON.
    pub(super) fn named(json: &str) -> Option<&'static Self> {
        KINDS.iter().find(|it| it.json == json)
    }

    /// What to give where a value of another kind was given.
    pub(super) fn remedy(&self, in_variable: bool) -> String {
        self.remedy.to_owned() + self.remedy_ends[usize::from(in_variable)]
    }

    /// A value of a file, if it is of this kind. A whole number may stand for one with a fraction.
    pub(super) fn read_toml(&self, value: &ValueKind) -> Option<ValueKind> {
        let is_text = |it: &Value| matches!(it.kind, ValueKind::String(_));
        let json = match value {
            #[expect(clippy::cast_precision_loss, reason = "no such number is allowed")]
            ValueKind::I64(whole) if self.json == "number" => return Some((*whole as f64).into()),
            ValueKind::I64(_) => "integer",
            ValueKind::String(_) => "string",
            ValueKind::Float(_) => "number",
            ValueKind::Boolean(_) => "boolean",
            ValueKind::Array(items) if items.iter().all(is_text) => "array",
            _ => return None,
        };
        (json == self.json).then(|| value.clone())
    }

    /// The text of a variable as this kind has it; nil where it is empty, and so stands for no number and no flag.
    pub(super) fn read_variable(&self, text: &str) -> Option<ValueKind> {
        let trimmed = text.trim();
        match self.json {
            "string" => Some(text.into()),
            "array" if trimmed.starts_with('[') => {
                self.read_toml(&read(DeValue::parse(trimmed).ok()?)?.kind)
            }
            "array" => {
                let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(str::to_owned).collect::<Vec<_>>().into())
            }
            _ if trimmed.is_empty() => Some(ValueKind::Nil),
            "integer" => trimmed.parse::<i64>().ok().map(ValueKind::from),
            "number" => trimmed.parse::<f64>().ok().map(ValueKind::from),
            _ => trimmed.to_ascii_lowercase().parse::<bool>().ok().map(ValueKind::from),
        }
    }
}

/// A value of a file, if the `config` crate has such ones.
pub(super) fn read(value: Spanned<DeValue<'_>>) -> Option<Value> {
    Value::deserialize(value.into_deserializer()).ok()
}

/// What a TOML value is, in words.
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(it) if i64::from_str_radix(it.as_str(), it.radix()).is_ok() => "a number",
        DeValue::Integer(_) => "one of more than 64 bits",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a group of keys",
    }
}

/// A text, or those of a list.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match &value.kind {
        ValueKind::String(text) => vec![text],
        ValueKind::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Whether it counts as not given at all.
pub(super) fn is_unset(value: &Value) -> bool {
    match &value.kind {
        ValueKind::String(text) => text.is_empty(),
        ValueKind::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The value, or table, at `key` of a tree.
pub(super) fn at<'a>(tree: &'a Value, key: &Key) -> Option<&'a Value> {
    key.segments().iter().try_fold(tree, |at, name| match &at.kind {
        ValueKind::Table(table) => table.get(*name),
        _ => None,
    })
}

/// The names in the table at `key` of a tree.
pub(super) fn names<'a>(tree: &'a Value, key: &Key) -> Vec<&'a str> {
    match at(tree, key).map(|it| &it.kind) {
        Some(ValueKind::Table(table)) => table.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// All values of a tree, which is at `key`.
pub(super) fn leaves(key: Key, tree: &Value) -> BTreeMap<Key, &Value> {
    match &tree.kind {
        ValueKind::Table(table) => {
            table.iter().flat_map(|(name, it)| leaves(key.child(name), it)).collect()
        }
        _ => BTreeMap::from([(key, tree)]),
    }
}

/// The table at `key` of a tree, where there may be none yet.
pub(super) fn table<'a>(tree: &'a mut Value, key: &[&str]) -> &'a mut Map<String, Value> {
    if !matches!(tree.kind, ValueKind::Table(_)) {
        tree.kind = ValueKind::Table(Map::new());
    }
    match (&mut tree.kind, key) {
        (ValueKind::Table(own), []) => own,
        (ValueKind::Table(own), [first, rest @ ..]) => {
            table(own.entry((*first).to_owned()).or_default(), rest)
        }
        _ => unreachable!("it has just become a table"),
    }
}

//! Values as TOML has them and as the `config` crate keeps them, before they are validated.

use std::fmt;

use ::config::{Value, ValueKind};
use toml::de::DeValue;

/// The kind of value that a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    List,
}

/// A value of one of the kinds that keys have; `None` if it is of no such kind.
pub(super) fn from_toml(value: &DeValue<'_>) -> Option<ValueKind> {
    match value {
        DeValue::String(text) => Some(ValueKind::from(&**text)),
        DeValue::Boolean(flag) => Some(ValueKind::from(*flag)),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(ValueKind::from)
        }
        DeValue::Float(number) => {
            number.as_str().replace('_', "").parse::<f64>().ok().map(ValueKind::from)
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            items.collect::<Option<Vec<_>>>().map(ValueKind::from)
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
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

/// What a TOML value is, in words.
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) if from_toml(value).is_none() => "one of more than 64 bits",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a group of keys",
    }
}

impl Kind {
    /// The kind of values of a JSON type.
    pub(super) fn named(json_type: &str) -> Option<Self> {
        Some(match json_type {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Bool,
            "array" => Self::List,
            _ => return None,
        })
    }

    /// The kind of a value; `None` for a table.
    pub(super) const fn of(value: &ValueKind) -> Option<Self> {
        match value {
            ValueKind::String(_) => Some(Self::Text),
            ValueKind::I64(_) => Some(Self::Integer),
            ValueKind::Float(_) => Some(Self::Number),
            ValueKind::Boolean(_) => Some(Self::Bool),
            ValueKind::Array(_) => Some(Self::List),
            _ => None,
        }
    }

    /// What to give where a value of another kind was given: in a file, and in the environment.
    pub(super) const fn remedies(self) -> [&'static str; 2] {
        match self {
            Self::Text => ["give a text, in quotes", "give a text"],
            Self::Integer => ["give a whole number, without quotes", "give a whole number"],
            Self::Number => {
                ["give a number, without quotes, such as 0.5", "give a number, such as 0.5"]
            }
            Self::Bool => ["give true or false, without quotes", "give true or false"],
            Self::List => [
                r#"give a list of texts, such as ["a", "b"]"#,
                r#"give texts with commas between them, or a list in TOML: ["a", "b"]"#,
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::List => "a list of texts",
        })
    }
}

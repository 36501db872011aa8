//! Values as the layers give them, before they are validated.

use std::fmt;

use super::amqp_uri::AmqpUri;
use super::key::Key;

/// The last names of keys whose values are never shown.
const SECRETS: &[&str] = &["access_key_id", "secret_access_key", "session_token", "token"];

/// A value of one of the kinds that configuration keys have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Empty: unset.
    Text(String),
    Integer(i64),
    /// As it was written: a number that may have a fraction.
    Number(String),
    Bool(bool),
    List(Vec<String>),
}

/// The kind of value that a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    List,
}

impl Value {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Number(_) => Kind::Number,
            Self::Bool(_) => Kind::Bool,
            Self::List(_) => Kind::List,
        }
    }

    /// Whether it counts as not given at all.
    pub(super) fn is_unset(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Integer(_) | Self::Number(_) | Self::Bool(_) => false,
        }
    }

    /// The value as TOML; `None` if it is, or might hold, a secret.
    pub(super) fn shown(&self, key: &Key) -> Option<String> {
        if self.is_unset() {
            return Some(self.to_string());
        }
        match (key.last(), self) {
            (last, _) if SECRETS.contains(&last) => None,
            ("uri", Self::Text(uri)) => {
                Some(format!("{:?}", AmqpUri::parse(uri).ok()?.to_string()))
            }
            ("uris", Self::List(uris)) => {
                let masked: Result<Vec<_>, _> =
                    uris.iter().map(|uri| AmqpUri::parse(uri).map(|uri| uri.to_string())).collect();
                Some(Self::List(masked.ok()?).to_string())
            }
            // Refused with a password in it, which must not be in the refusal.
            ("sns_host" | "otlp_endpoint", Self::Text(url)) if !url.contains('@') => {
                Some(self.to_string())
            }
            // Of the wrong kind, as a list in place of a text.
            ("uri" | "uris" | "sns_host" | "otlp_endpoint", _) => None,
            _ => Some(self.to_string()),
        }
    }
}

/// As TOML, secrets included.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => f.write_str(number),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::List(items) => write!(f, "{items:?}"),
        }
    }
}

impl Kind {
    /// What a value of another kind should have been, with an example.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Text => "give a text, in quotes",
            Self::Integer => "give a whole number, without quotes",
            Self::Number => "give a number, without quotes, such as 0.5",
            Self::Bool => "give true or false, without quotes",
            Self::List => r#"give a list of texts, such as ["a", "b"]"#,
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

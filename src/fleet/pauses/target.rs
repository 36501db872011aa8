//! What an operator pauses.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Every source.
    Everything,
    /// The source of this name.
    Source(String),
    /// The topic with this ARN.
    Topic(String),
}

impl Target {
    /// Its kind, as metrics, JSON and the page have it.
    #[must_use]
    pub const fn scope(&self) -> &'static str {
        match self {
            Self::Everything => "all",
            Self::Source(_) => "source",
            Self::Topic(_) => "topic",
        }
    }

    /// Its name; empty for everything.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Everything => "",
            Self::Source(name) | Self::Topic(name) => name,
        }
    }

    /// The target of a scope and a name.
    #[must_use]
    pub fn of(scope: &str, name: &str) -> Option<Self> {
        match (scope, name) {
            ("all", "") => Some(Self::Everything),
            ("source", name) if !name.is_empty() => Some(Self::Source(name.to_owned())),
            ("topic", name) if !name.is_empty() => Some(Self::Topic(name.to_owned())),
            _ => None,
        }
    }
}

/// As two fields, `scope` and `name`.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Target", 2)?;
        fields.serialize_field("scope", self.scope())?;
        fields.serialize_field("name", self.name())?;
        fields.end()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Source(name) => write!(f, "source {name}"),
            Self::Topic(arn) => write!(f, "topic {arn}"),
        }
    }
}

//! The names of configuration keys, and where a value came from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the names of environment variables for the configuration begin with.
pub const ENVIRONMENT_PREFIX: &str = "EVENT_PUSHER__";

/// What separates levels in the names of environment variables.
pub(super) const ENVIRONMENT_SEPARATOR: &str = "__";

/// What stands for a dot in the names of environment variables, in lower case: shells allow no dot there.
pub(super) const ENVIRONMENT_DOT: &str = "_dot_";

/// The path of a key or of a group of keys, such as `hosts."example.org".sns.region`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<String>);

impl Key {
    /// The key one level below.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        self.below(&[name])
    }

    /// The key some levels below.
    #[must_use]
    pub fn below(&self, names: &[&str]) -> Self {
        Self(self.segments().iter().chain(names).map(|it| (*it).to_owned()).collect())
    }

    /// The names from the top level down.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// The name on the last level; empty for the root.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether this is `group` or lies somewhere below it.
    #[must_use]
    pub fn is_within(&self, group: &Self) -> bool {
        self.0.starts_with(&group.0)
    }

    /// The key itself and each group that it is in.
    pub(super) fn with_groups(&self) -> impl Iterator<Item = Self> {
        (1..=self.0.len()).rev().map(|depth| Self(self.0[..depth].to_vec()))
    }

    /// The environment variable for this key, which a shell can set: a dot is spelled `_DOT_`.
    #[must_use]
    pub fn environment_name(&self) -> String {
        let path = self.0.join(ENVIRONMENT_SEPARATOR).replace('.', ENVIRONMENT_DOT);
        format!("{ENVIRONMENT_PREFIX}{}", path.to_uppercase())
    }
}

/// Splits at dots; for names that have none themselves.
impl From<&str> for Key {
    fn from(dotted: &str) -> Self {
        Self(dotted.split('.').map(str::to_owned).collect())
    }
}

impl<const N: usize> From<[&str; N]> for Key {
    fn from(segments: [&str; N]) -> Self {
        Self(segments.map(str::to_owned).into())
    }
}

impl From<&[&str]> for Key {
    fn from(segments: &[&str]) -> Self {
        Self(segments.iter().copied().map(str::to_owned).collect())
    }
}

/// As it is written in TOML.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if !segment.is_empty() && segment.bytes().all(bare) {
                f.write_str(segment)?;
            } else {
                write!(f, "{segment:?}")?;
            }
        }
        Ok(())
    }
}

/// Where a value came from. Ordered as the layers are: files first, in their own order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// A configuration file.
    File {
        /// Its place among the files: a later one wins.
        order: usize,
        /// Its name as it was given.
        name: String,
        /// The line, from 1; `None`: the file as a whole.
        line: Option<usize>,
        /// The column in characters, from 1; only for errors of syntax.
        column: Option<usize>,
    },
    /// The environment variable of this name.
    Environment(String),
    /// `config/default.toml`, which is compiled in.
    Default,
}

impl Origin {
    /// The text in which a [`::config::Value`] keeps it.
    pub(super) fn tag(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The place of its layer: of two layers the one with the higher place wins.
    pub(super) fn rank(&self) -> usize {
        match self {
            Self::Default => 0,
            Self::File { order, .. } => order.saturating_add(1),
            Self::Environment(_) => usize::MAX,
        }
    }

    /// Where a value came from.
    pub(super) fn of(value: &::config::Value) -> Self {
        value.origin().and_then(|tag| serde_json::from_str(tag).ok()).unwrap_or(Self::Default)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column, .. } => {
                f.write_str(name)?;
                for number in [line, column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

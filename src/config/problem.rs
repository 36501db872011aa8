//! What is wrong with a configuration: all of it at once.

use std::fmt;

use ::config::Value;

use super::key::{Key, Origin};
use super::schema;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where the value came from.
    pub origin: Origin,
    /// The key; `None`: the file or the variable as a whole.
    pub key: Option<Key>,
    /// The value as it may be shown; `None` where there is none, or where it could be a secret.
    pub value: Option<String>,
    /// What is wrong with it, as the end of a sentence that begins with the key.
    pub wrong: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A problem with a key whose value isn't shown.
    pub(super) fn new(
        origin: &Origin,
        key: impl Into<Option<Key>>,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (key, wrong, remedy) = (key.into(), wrong.into(), remedy.into());
        Self { origin: origin.clone(), key, value: None, wrong, remedy }
    }

    /// Shows the value too, unless it could be a secret.
    pub(super) fn with_value(mut self, value: Option<&Value>) -> Self {
        self.value = self.key.as_ref().zip(value).and_then(|(key, it)| schema::shown(key, it));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        match (&self.key, &self.value) {
            (Some(key), Some(value)) => write!(f, ": {key} = {value}")?,
            (Some(key), None) => write!(f, ": {key}")?,
            (None, _) => {}
        }
        write!(f, "\n    {}\n    remedy: {}", self.wrong, self.remedy)
    }
}

/// All that is wrong with a configuration, at least one thing, by origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, by origin.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// At least one.
impl From<Vec<Problem>> for Problems {
    fn from(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        // What hosts share would be reported for each of them.
        problems.dedup();
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 problem in the configuration:")?,
            many => write!(f, "{many} problems in the configuration:")?,
        }
        for problem in &self.0 {
            write!(f, "\n\n  {}", problem.to_string().replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

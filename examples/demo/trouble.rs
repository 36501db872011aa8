//! What ends the demo early: what is wrong, and what to do about it.

use std::fmt::Display;

/// How to start what is missing.
pub(crate) const START: &str = "`make demo` starts all that it needs";

/// For the reader, who has most likely just cloned the project.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub what: String,
    /// What to do, where it is known.
    pub remedy: Option<String>,
}

impl Trouble {
    pub(crate) fn new(what: &str, error: impl Display) -> Self {
        Self { what: format!("{what}: {error}"), remedy: None }
    }

    pub(crate) fn with_remedy(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// Anything unforeseen that RabbitMQ says.
impl From<lapin::Error> for Trouble {
    fn from(error: lapin::Error) -> Self {
        Self::new("RabbitMQ", error)
    }
}

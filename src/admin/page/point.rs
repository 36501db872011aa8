//! A point of the headline: what is so, since when, and what to do.

use jiff::Timestamp;
use serde::Serialize;

use super::section::Section;

/// What is so, since when, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// Where the runbook says more.
    #[serde(flatten)]
    pub(super) section: Section,
    pub(super) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    pub(super) what_to_do: String,
}

impl Point {
    /// One without a beginning.
    pub(super) fn lasting(
        section: Section,
        what: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self { section, what: what.into(), since: None, what_to_do: what_to_do.into() }
    }
}

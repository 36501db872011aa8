//! What a line about an incident says.

use std::time::Duration;

use super::IncidentKind;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub(super) kind: IncidentKind,
    pub(super) place: String,
    pub(super) cause: String,
    pub(super) error: String,
    /// Incidents since the last line about this cause.
    pub count: u64,
    /// Since that line, or since the first of these.
    pub(super) within: Duration,
    /// The part of the requests that failed.
    pub share_percent: Option<u64>,
}

impl Announcement {
    /// Logs it.
    pub fn log(&self) {
        let Self { kind, place, cause, error, count, within, share_percent } = self;
        if *kind == IncidentKind::Skipped {
            tracing::info!(
                event = "skipped",
                source = place,
                reason = cause,
                since_last_line = count,
                ?within,
                "events skipped for this reason: {count} since the last line; at most one line an hour"
            );
            return;
        }
        tracing::warn!(
            event = "incident",
            kind = kind.label(),
            place,
            cause,
            error,
            since_last_line = count,
            share_percent,
            ?within,
            "incident: {count} since the last line about this cause; at most one line a minute"
        );
    }
}

//! Which section of the runbook a headline and its points lead to, and which lines of the log belong to it.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// A section of docs/runbook.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Well,
    Stuck,
    Stopping,
    Starting,
    Disconnected,
    Sorter,
    ServiceHeld,
    TopicHeld,
    Paused,
    NoTopic,
    Throttled,
    Failing,
    Dying,
    DeadLetters,
    ReplayBlocked,
    Missing,
    Unknown,
    FleetSilent,
    FleetDiffers,
}

impl Section {
    #[cfg(test)]
    pub(super) const ALL: [Self; 19] = [
        Self::Well,
        Self::Stuck,
        Self::Stopping,
        Self::Starting,
        Self::Disconnected,
        Self::Sorter,
        Self::ServiceHeld,
        Self::TopicHeld,
        Self::Paused,
        Self::NoTopic,
        Self::Throttled,
        Self::Failing,
        Self::Dying,
        Self::DeadLetters,
        Self::ReplayBlocked,
        Self::Missing,
        Self::Unknown,
        Self::FleetSilent,
        Self::FleetDiffers,
    ];

    /// By a reason in `/readyz`.
    pub(super) fn of_problem(reason: &str) -> Self {
        match reason {
            "stuck" => Self::Stuck,
            "stopping" => Self::Stopping,
            "starting" => Self::Starting,
            "service_held" | "waiting" => Self::ServiceHeld,
            "cannot_sort" => Self::Sorter,
            _ => Self::Disconnected,
        }
    }

    /// The section's id: its heading in small letters, with `-` for spaces.
    pub(super) const fn anchor(self) -> &'static str {
        match self {
            Self::Well => "all-is-well",
            Self::Stuck => "the-worker-is-stuck",
            Self::Stopping => "the-worker-is-stopping",
            Self::Starting => "the-worker-is-starting",
            Self::Disconnected => "not-connected-to-rabbitmq",
            Self::Sorter => "the-sorter-is-stuck",
            Self::ServiceHeld => "all-topics-are-held",
            Self::TopicHeld => "a-topic-is-held",
            Self::Paused => "paused-by-an-operator",
            Self::NoTopic => "a-source-has-no-topic",
            Self::Throttled => "sns-throttles-requests",
            Self::Failing => "requests-to-sns-fail",
            Self::Dying => "events-are-dead-lettered",
            Self::DeadLetters => "dead-letters-to-handle",
            Self::ReplayBlocked => "a-replay-is-blocked",
            Self::Missing => "deliveries-cannot-be-accounted-for",
            Self::FleetSilent => "a-worker-is-silent",
            Self::FleetDiffers => "workers-differ",
            Self::Unknown => "the-number-of-dead-letters-is-not-known",
        }
    }

    /// The events in docs/logs.md whose lines the page shows beside it.
    pub(super) const fn events(self) -> &'static [&'static str] {
        match self {
            Self::Well | Self::Stopping | Self::Unknown | Self::FleetDiffers => &[],
            Self::FleetSilent => &["fleet_lost", "fleet_forbidden"],
            Self::Throttled | Self::Failing => &["incident"],
            Self::Starting => &["open_files_low", "open_files_not_raised", "plugin_sample_failed"],
            Self::Stuck => &["loop_stuck", "panicked"],
            Self::Disconnected => &["not_consuming", "standby_assumed"],
            Self::Sorter => &["cannot_sort"],
            Self::ServiceHeld => &["held", "still_held", "requeued_held_too_long"],
            Self::TopicHeld => {
                &["held", "still_held", "requeued_held_too_long", "cannot_park", "share_exceeded"]
            }
            Self::Paused => &["paused", "clocks_differ", "control_lost"],
            Self::NoTopic => &["source_without_topic", "topic_emptied", "no_topics"],
            Self::Dying | Self::DeadLetters => {
                &["first_dead_lettered", "incident", "cannot_dead_letter"]
            }
            Self::ReplayBlocked => &["cannot_dead_letter"],
            Self::Missing => &["answer_mismatch", "panicked"],
        }
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut section = serializer.serialize_struct("Section", 2)?;
        section.serialize_field("runbook", self.anchor())?;
        section.serialize_field("log_events", self.events())?;
        section.end()
    }
}

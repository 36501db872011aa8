//! Kinds of incidents, and how often the log tells of each.

use std::time::Duration;

use super::{HOUR, QUIET};

/// What kind of incident it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentKind {
    /// An event was dead-lettered: the place is its source, the cause the reason.
    DeadLettered,
    /// An event was skipped: the place is its source, the cause the reason.
    Skipped,
    /// A request to SNS failed, wholly or in part: the place is its topic, the cause the result.
    RequestFailed,
    /// A circuit opened: the place is the circuit, the cause its scope.
    Held,
    /// Parts of an event's JSON were replaced: the place is its source.
    Mended,
    /// A held topic used up its share of the prefetch: the place is the source, the cause the topic.
    ShareUsed,
    /// A source handed everything back: the place is the source, the cause what it waited for.
    HandedBack,
    /// A source lost its session, or a try to open one failed: the place is the source, the cause the error without numbers.
    NotConsuming,
    /// A partition's session failed, and begins anew: the place is the source, the cause the error without numbers.
    PartitionLost,
    /// An event of a held topic could not be parked: the place is the source, the cause the error without numbers.
    CannotPark,
    /// A dead letter could not be published: the place is the exchange, the cause the error without numbers.
    CannotDeadLetter,
    /// What operators pause could not be read: the place is the stream, the cause the error without numbers.
    ControlLost,
    /// A message of the control stream was ignored: the place is the stream, the cause why.
    CommandIgnored,
}

impl IncidentKind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::DeadLettered => "dead_lettered",
            Self::Skipped => "skipped",
            Self::RequestFailed => "request_failed",
            Self::Held => "held",
            Self::Mended => "mended",
            Self::ShareUsed => "share_used",
            Self::HandedBack => "handed_back",
            Self::NotConsuming => "not_consuming",
            Self::PartitionLost => "partition_lost",
            Self::CannotPark => "cannot_park",
            Self::CannotDeadLetter => "cannot_dead_letter",
            Self::ControlLost => "control_lost",
            Self::CommandIgnored => "command_ignored",
        }
    }

    /// Between two lines. Events are skipped as policy asks, all the time perhaps: a line an hour says that it is so.
    pub(super) const fn pause(self) -> Duration {
        match self {
            Self::Skipped => HOUR,
            _ => QUIET,
        }
    }

    /// The pause after this one, of what lasts: that it is tried again and again is no news.
    pub(super) fn next_pause(pause: Duration) -> Duration {
        (2 * pause).min(HOUR)
    }

    /// Whether it lasts until [`super::Incidents::ended`], with each try that fails counted.
    pub(super) const fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::NotConsuming | Self::CannotPark | Self::CannotDeadLetter | Self::ControlLost
        )
    }

    /// Without more of it for so long, it is over.
    pub(super) const fn quiet(self) -> Duration {
        // Tries may be minutes apart, if each waits for several nodes in vain.
        if self.is_lasting() { Duration::from_mins(5) } else { self.pause() }
    }

    /// Whether as many of so many tries within a minute are worth a line. A request that fails once is tried again, and
    /// nobody has to know.
    pub(super) const fn is_worth_a_line(self, count: u64, tries: u64) -> bool {
        match self {
            Self::RequestFailed => count >= 10 || (count >= 3 && count * 4 >= tries),
            _ => count > 0,
        }
    }
}

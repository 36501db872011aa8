//! Incidents of the last seconds for the headline: events that are dead-lettered, and requests that fail.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::point::Point;
use super::section::Section;
use crate::observe::recent::RecentError;
use crate::outcome::Reason;
use crate::text::counted;

/// Shares of failed requests from which on they are an incident, and a bad one.
const HIGH: f64 = 0.1;
const BAD: f64 = 0.25;

/// The errors of a time window that ends now. All errors begin with the latest.
pub(super) fn latest(errors: &[RecentError], window: Duration) -> &[RecentError] {
    let ago = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let since = Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN);
    &errors[..errors.partition_point(|it| it.last >= since)]
}

/// Events that are dead-lettered for one reason.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dying {
    pub(super) per_second: f64,
    pub(super) reason: Reason,
    /// What the last one met.
    pub(super) error: Option<String>,
}

impl Dying {
    /// `errors` are those of the rate's time.
    pub(super) fn all(dying: &[(Reason, f64)], errors: &[RecentError]) -> Vec<Self> {
        let of = |&(reason, per_second): &(Reason, f64)| {
            let last = errors.iter().find(|it| it.kind == reason.label());
            Self { per_second, reason, error: last.map(|it| it.text.clone()) }
        };
        dying.iter().map(of).collect()
    }

    fn rate(&self) -> String {
        if self.per_second < 0.95 {
            // Of the ten seconds that the rate is of.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ten")]
            let count = (self.per_second * 10.0).round().max(1.0) as u64;
            return format!("{} in the last 10 s", counted(count, "event", "events"));
        }
        format!("{:.0} a second", self.per_second)
    }

    pub(super) fn title(&self) -> String {
        format!("Events are being dead-lettered: {}, {}", self.rate(), self.reason)
    }

    pub(super) fn point(&self) -> Point {
        let error = self.error.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        Point::lasting(
            Section::Dying,
            format!("dead-lettered as {}: {}{error}", self.reason, self.rate()),
            "correct the cause that the error names; the events wait in the dead-letter queue, and can be replayed afterwards",
        )
    }
}

/// Requests to SNS of which a high share fails.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failing {
    pub(super) share: f64,
    /// What the last one met.
    pub(super) error: Option<String>,
}

impl Failing {
    pub(super) fn of(share: Option<f64>, errors: &[RecentError]) -> Option<Self> {
        let share = share.filter(|it| *it >= HIGH)?;
        let is_of_sns = |it: &&RecentError| {
            let is_of_source = matches!(it.kind.as_str(), "disconnected" | "cannot_sort");
            !is_of_source && Reason::ALL.iter().all(|reason| it.kind != reason.label())
        };
        let error = errors.iter().find(is_of_sns).map(|it| it.text.clone());
        Some(Self { share, error })
    }

    pub(super) fn is_bad(&self) -> bool {
        self.share >= BAD
    }

    pub(super) fn title(&self) -> String {
        format!("{:.0} % of the requests to SNS fail", self.share * 100.0)
    }

    pub(super) fn point(&self) -> Point {
        let error = self.error.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        Point::lasting(
            Section::Failing,
            format!(
                "{:.0} % of the requests to SNS fail or are throttled{error}",
                self.share * 100.0
            ),
            "correct the cause that the error names; if SNS throttles for more than some minutes, request a higher publish quota in the \
             Service Quotas console",
        )
    }
}

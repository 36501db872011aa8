//! Reports outcomes of replayed events to the replay's own queue, the lock of its browser.
//!
//! No message decides where a report goes: the queue's name comes from the configuration. It is there while a replay, or
//! another browser, is; at other times RabbitMQ returns the report.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::confirmed_publisher::ConfirmedPublisher;
use super::error::PublishError;
use crate::limits::MOST_REPORTS;
use crate::rabbitmq::headers::outcome_report::report_properties;
use crate::replay::{OutcomeReport, ReplayId};
use crate::signature::SigningKey;

/// A report that takes longer is given up: an event that is settled must not keep its source from stopping.
pub(super) const LONGEST_REPORT: Duration = Duration::from_secs(2);

/// After a refusal: a permission may have been granted.
const TRY_AGAIN: Duration = Duration::from_mins(1);

/// Reports at most so many outcomes in a second, and none for a while after the broker has refused one.
#[derive(Debug, Default)]
pub(super) struct OutcomeReports {
    /// When the second began, and how many were sent in it.
    second: Cell<Option<(Instant, u32)>>,
    /// When the last one was refused.
    refused: Cell<Option<Instant>>,
}

impl OutcomeReports {
    /// Sends a report into a queue, and waits for a moment until it is there.
    pub(super) async fn send(
        &self,
        publisher: &ConfirmedPublisher,
        queue: &str,
        id: ReplayId,
        report: &OutcomeReport,
        key: Option<&SigningKey>,
    ) {
        let is_refused = self.refused.get().is_some_and(|at| at.elapsed() < TRY_AGAIN);
        if is_refused || !self.may_send() {
            return;
        }
        let message = (&[][..], report_properties(id, report, key));
        let sending = publisher.publish_unless_blocked(("", queue), message);
        let Ok(Err(PublishError::Lost(error))) = timeout(LONGEST_REPORT, sending).await else {
            return;
        };
        if publisher.alarm().blocked().is_some() {
            return;
        }
        self.refused.set(Some(Instant::now()));
        tracing::debug!(
            event = "outcome_not_reported",
            queue,
            %error,
            "cannot tell a replay the outcome of its event; trying again in a minute"
        );
    }

    fn may_send(&self) -> bool {
        let now = Instant::now();
        let (began, sent) = match self.second.get() {
            Some((began, sent)) if now < began + Duration::from_secs(1) => (began, sent),
            _ => (now, 0),
        };
        self.second.set(Some((began, sent.saturating_add(1))));
        sent < MOST_REPORTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_reports_than_a_canary_has_are_sent_only_a_second_later() {
        let reports = OutcomeReports::default();
        let sent = || (0..10 * MOST_REPORTS).filter(|_| reports.may_send()).count();
        assert_eq!(sent(), MOST_REPORTS as usize);
        assert_eq!(sent(), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sent(), MOST_REPORTS as usize);
    }
}

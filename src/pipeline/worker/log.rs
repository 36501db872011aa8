//! Log lines about the outcomes of events.

use super::Worker;
use crate::event::Envelope;
use crate::observe::incidents::{Announcement, IncidentKind};
use crate::outcome::{Outcome, SourceError};

impl<S, P> Worker<S, P> {
    /// A session has begun; a renewed one is no news.
    pub(super) fn log_session(&self, renewed: bool) {
        let source = &*self.name;
        if renewed {
            tracing::debug!(event = "consuming_again", source, "consuming in a new session");
        } else {
            let seen = self.monitor.seen().broker;
            let broker = seen.as_deref().map(|it| &*it.name);
            tracing::info!(event = "consuming", source, broker, "consuming");
        }
    }

    /// Tells of a try that failed, if a line is due.
    pub(super) fn log_not_consuming(&self, error: &SourceError) {
        if self.is_lane {
            // It begins anew by itself, and others go on: that the source does not consume is for another lane to tell.
            let told = self.monitor.lasts(IncidentKind::PartitionLost, error);
            return told.iter().for_each(Announcement::log);
        }
        let told = self.monitor.lasts(IncidentKind::NotConsuming, error);
        if let Some(Announcement { count: since_last_line, .. }) = told {
            tracing::error!(
                event = "not_consuming",
                source = self.name,
                %error,
                since_last_line,
                "not consuming; trying again"
            );
        }
    }

    /// Each outcome, for whoever follows single events.
    pub(super) fn log(&self, envelope: &Envelope, outcome: &Outcome) {
        let (id, key) = (envelope.message_id.as_deref(), &*envelope.routing_key);
        match outcome {
            Outcome::Published(sns) => {
                let sns_id = &*sns.0;
                tracing::debug!(
                    event = "settled",
                    source = self.name,
                    id,
                    key,
                    outcome = "published",
                    sns_id
                );
            }
            Outcome::Skipped(reason) => {
                tracing::debug!(event = "settled", source = self.name, id, key, outcome = "skipped", %reason);
            }
            Outcome::DeadLettered(letter) => tracing::debug!(
                event = "settled",
                source = self.name,
                id,
                key,
                outcome = "dead-lettered",
                reason = %letter.reason,
                error = letter.error
            ),
            // There is a line for the hold, and this is not how they end.
            Outcome::Parked | Outcome::Requeued => {}
        }
    }

    /// Tells of the first event of which parts were replaced.
    pub(super) fn log_first_mended(&self) {
        tracing::warn!(
            event = "first_mended",
            source = self.name,
            "an event's JSON has half of a surrogate pair or a number beyond a double, which was replaced by U+FFFD or null; \
             look at what its producer cuts; the log tells of further ones at most once a minute, with their number"
        );
    }

    /// The first of each way to end is worth a line, all of them are not.
    pub(super) fn log_first(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Published(_) => {
                tracing::info!(
                    event = "first_published",
                    source = self.name,
                    "first event published"
                );
            }
            Outcome::Skipped(reason) => tracing::info!(
                event = "first_skipped",
                source = self.name,
                %reason,
                "first event skipped for this reason; the log tells of further ones at most once an hour, with their number"
            ),
            Outcome::DeadLettered(letter) => tracing::warn!(
                event = "first_dead_lettered",
                source = self.name,
                reason = %letter.reason,
                error = letter.error,
                "first dead letter for this reason; the log tells of further ones at most once a minute, with their number"
            ),
            Outcome::Parked | Outcome::Requeued => {}
        }
    }
}

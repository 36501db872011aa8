//! The results of sent letters: confirmed, refused or dead-lettered again; and when these end a replay.

use tokio::time::{Instant, timeout_at};

use super::super::{ReplayEnd, Report};
use super::{Closing, InFlightLetter, Sender};
use crate::dead_letters::letter::Letter;
use crate::dead_letters::stopped;
use crate::outcome::SourceError;
use crate::rabbitmq::publish::error::PublishError;
use crate::replay::{OutcomeReport, ReplayId};

impl<S: FnMut(&Report)> Sender<'_, '_, S> {
    /// Settles the oldest letter in flight, unless whether it arrived is not known.
    pub(super) async fn settle(
        &mut self,
        confirmed: Result<(), PublishError>,
    ) -> Result<(), SourceError> {
        let refused = match confirmed {
            Ok(()) => None,
            Err(PublishError::Unroutable) => Some("no queue is bound there for its routing key"),
            Err(PublishError::Refused) => {
                Some("a queue refused it; check whether the queue is full")
            }
            Err(PublishError::Lost(error)) => return Err(error),
        };
        let Some(InFlightLetter { tag, id, address, .. }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        if let Some(why) = refused {
            self.run.refuse(id, &format!("{address}: {why}"));
            self.stop_if_failed(true);
            return Ok(());
        }
        self.browser.acknowledge(tag).await?;
        self.acknowledged += 1;
        self.run.report.replayed += 1;
        self.run.shown();
        Ok(())
    }

    pub(super) fn note(&mut self, letter: &Letter) {
        let before = self.run.report.came_back;
        self.run.note(letter);
        self.stop_if_failed(self.run.report.came_back > before);
    }

    /// A worker has reported what has become of an event.
    pub(super) fn reported(&mut self, id: ReplayId, report: OutcomeReport) {
        if id.replay != self.run.id {
            return;
        }
        self.run.canary.reported(id.number, &report);
        self.run.sample.reported(id.number, report);
        self.show_held();
    }

    pub(super) fn show_held(&mut self) {
        let held = self.run.sample.held();
        if self.run.report.held.as_deref() != held {
            self.run.report.held = held.map(str::to_owned);
            self.run.shown();
        }
    }

    /// `has_failed`: a letter came back or was refused, which must not happen to the canary.
    fn stop_if_failed(&mut self, has_failed: bool) {
        if has_failed && !self.run.canary.is_over() {
            self.close(ReplayEnd::CanaryFailed);
        }
        self.stop_if_too_many_failed();
    }

    pub(super) fn stop_if_too_many_failed(&mut self) {
        if self.run.has_failed_too_often() {
            self.close(ReplayEnd::TooManyFailures);
        }
    }

    /// The first reason stands.
    pub(super) fn close(&mut self, ended: ReplayEnd) {
        if !matches!(self.closing, Some(Closing::Over(_))) {
            self.closing = Some(Closing::Over(ended));
        }
    }

    /// What can't be published comes back soon, and belongs into the report; so does what is held, which a worker tells a little
    /// later. Where no worker has told anything of the last event yet, it is watched twice as long.
    pub(super) async fn watch_the_end(&mut self) {
        let watching = self.run.replay.watching.end;
        let until = Instant::now() + watching;
        self.run.report.watching = true;
        self.run.shown();
        let mut stop = self.run.stop.clone();
        while self.run.report.came_back < self.run.report.replayed {
            let is_unknown = self.reports.is_some() && self.run.sample.is_last_unknown();
            let until = if is_unknown { until + watching } else { until };
            tokio::select! {
                arrived = timeout_at(until, self.browser.next()) => match arrived {
                    Ok(Ok((_, seen))) => self.run.note(&seen.letter),
                    // All is replayed; that the look ended early changes nothing.
                    Ok(Err(_)) | Err(_) => break,
                },
                (id, report) = super::reported(&mut self.reports) => self.reported(id, report),
                () = stopped(&mut stop) => break,
            }
        }
        self.run.report.watching = false;
        if let Some(circuit) = self.run.sample.held() {
            self.run.report.ended = ReplayEnd::Held(circuit.to_owned());
        }
    }
}

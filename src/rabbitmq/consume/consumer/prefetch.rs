//! Raises the prefetch: cancels a consumer, and begins the next one with a larger prefetch (`stage.rs` says why).

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use lapin::options::BasicCancelOptions;
use tokio::time::Instant;

use super::options::consume;
use super::stage::Stage;
use super::{BrokerReply, ESTABLISHED, FIRST_PREFETCH, SourceConsumer};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::consume::ack_tracker::AckTracker;

/// Between two looks at whether all is acknowledged.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl SourceConsumer {
    /// Whether a larger prefetch may follow.
    pub(super) fn may_grow(&self) -> bool {
        let is_full = self.stage == Stage::Full && self.full == self.options.prefetch;
        !self.options.keeps_consumer && self.stage != Stage::Gone && !is_full
    }

    /// Whether a consumer that is followed by no larger one had too small a prefetch and nothing to do: then a new session costs
    /// nothing. It had been given little since its deliveries were large.
    pub(super) fn has_outgrown(&mut self, tracker: &AckTracker) -> bool {
        self.options.keeps_consumer
            && self.full < self.options.prefetch
            && self.open(tracker) == 0
            && self.may_be_more(tracker)
    }

    /// Takes all that has come, so that it is known how much that is.
    pub(super) fn gather(&mut self) -> Result<(), SourceError> {
        while self.stage != Stage::Gone
            && let Some(came) = self.consumer.next().now_or_never()
        {
            self.on_delivery(came)?;
        }
        Ok(())
    }

    /// Goes on to the next stage when it is time.
    pub(super) fn grow(&mut self, tracker: &AckTracker) -> Result<(), SourceError> {
        let now = Instant::now();
        let until = match self.stage {
            _ if self.pending_request.is_some() => None,
            Stage::First(until)
                if (now >= until || tracker.acknowledged() >= self.prefetch.into())
                    && self.options.fitting() <= self.prefetch =>
            {
                (self.stage, self.full_since) = (Stage::Full, tracker.acknowledged());
                None
            }
            Stage::First(until) if now >= until => Some(now),
            Stage::First(_) if tracker.acknowledged() >= self.prefetch.into() => {
                Some(now + ESTABLISHED)
            }
            Stage::Short(open) if tracker.acked_up_to() >= open => Some(now + ESTABLISHED),
            Stage::Draining(until) => {
                let open = self.open(tracker);
                if open == 0 || now >= until {
                    // A smaller one while something is open would break the order, should both go back.
                    let fitting = self.options.fitting();
                    self.full = if open == 0 { fitting } else { fitting.max(self.full) };
                    self.begin(open);
                } else {
                    self.due.as_mut().reset(now + LOOK_AGAIN);
                }
                None
            }
            Stage::Full if self.may_be_more(tracker) => Some(now + ESTABLISHED),
            _ => None,
        };
        match until {
            Some(until) if self.open(tracker) >= self.prefetch.into() => {
                self.cancel(until, tracker)
            }
            _ => Ok(()),
        }
    }

    /// Whether many more than it has would fit by now: it had been given little since its deliveries were large.
    fn may_be_more(&self, tracker: &AckTracker) -> bool {
        let settled = tracker.acknowledged().saturating_sub(self.full_since);
        if self.full == self.options.prefetch || settled < u64::from(self.full.max(FIRST_PREFETCH))
        {
            return false;
        }
        self.options.sizes.have_moved();
        self.options.fitting() >= self.options.prefetch.min(self.full.saturating_mul(2))
    }

    fn cancel(&mut self, until: Instant, tracker: &AckTracker) -> Result<(), SourceError> {
        let (options, tag) = (self.options.clone(), self.consumer.tag());
        self.stage = Stage::Cancelling(until);
        let mut pending_request: LocalBoxFuture<'static, _> = Box::pin(async move {
            let cancel = options.channel.basic_cancel(tag, BasicCancelOptions::default());
            bounded(&format!("raising the prefetch on `{}`", options.queue), cancel).await?;
            Ok(BrokerReply::Cancelled)
        });
        // It leaves at the first poll, and must do so before an acknowledgement brings something new.
        let answer = (&mut pending_request).now_or_never();
        self.pending_request = Some(pending_request);
        answer.map_or(Ok(()), |answer| self.answered(answer, tracker))
    }

    fn begin(&mut self, open: usize) {
        self.consumers += 1;
        let (options, number) = (self.options.clone(), self.consumers);
        // 0 would be no limit at all.
        let room = usize::from(self.full).saturating_sub(open).max(1);
        self.prefetch = u16::try_from(room).unwrap_or(self.full);
        let prefetch = self.prefetch;
        self.stage = Stage::Beginning;
        self.pending_request = Some(Box::pin(async move {
            consume(&options, number, prefetch).await.map(BrokerReply::Begun)
        }));
    }
}

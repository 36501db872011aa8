//! Browses all letters, one after the other, and applies the filter.

use super::filter::Filter;
use super::selector::BrowsedLetter;
use super::{BrowseCounts, DeadLettersError, Discarded, Stop, stopped};
use crate::rabbitmq::browse::QueueBrowser;

/// Browses all letters, of which some match the filter.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) browser: QueueBrowser<BrowsedLetter>,
    /// The first number of RabbitMQ's version, if it says one.
    version: Option<u32>,
    stop: Stop,
    limit: Option<u64>,
    /// The filter without its times, where letters are not to be chosen by times that they only claim.
    timeless: Option<Filter>,
    pub(super) counts: BrowseCounts,
}

impl Reading {
    pub(super) fn new(
        browser: QueueBrowser<BrowsedLetter>,
        stop: Stop,
        limit: Option<u64>,
    ) -> Self {
        let (version, counts) = (browser.server().major_version(), BrowseCounts::default());
        Self { browser, version, stop, limit, timeless: None, counts }
    }

    /// For letters that are discarded for good: where this filter goes by times, it means no letter whose time anybody
    /// may have written, unless it says that it does.
    pub(super) fn excluding_claimed_times(mut self, filter: &Filter) -> Self {
        let has_times = filter.since.is_some() || filter.until.is_some();
        self.timeless = (has_times && !filter.claimed_times).then(|| Filter {
            since: None,
            until: None,
            ..filter.clone()
        });
        self
    }

    /// The next letter; past the limit, none matches any more.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, BrowsedLetter)>, DeadLettersError> {
        let next = tokio::select! {
            next = self.browser.next_there() => next?,
            () = stopped(&mut self.stop) => return Err(DeadLettersError::Stopped),
        };
        let Some((tag, mut seen)) = next else {
            self.counts.unseen = self.browser.unseen();
            return Ok(None);
        };
        self.counts.letters += 1;
        self.judge(&mut seen);
        if self.limit.is_some_and(|limit| self.counts.matching >= limit) {
            seen.matches = false;
            seen.message = None;
        }
        self.counts.matching += u64::from(seen.matches);
        Ok(Some((tag, seen)))
    }

    /// Tells what of its deaths is RabbitMQ's own word.
    fn judge(&mut self, seen: &mut BrowsedLetter) {
        if !seen.letter.deaths.is_empty() {
            seen.letter.mark_broker_deaths(self.version);
        }
        let is_doubted = |filter: &Filter| filter.matches(&seen.letter);
        if seen.letter.failed_at_claimed && self.timeless.as_ref().is_some_and(is_doubted) {
            self.counts.claimed += 1;
            seen.matches = false;
            seen.message = None;
        }
    }

    pub(super) async fn discard(
        &mut self,
        tags: Vec<u64>,
        may: impl AsyncFnOnce(u64) -> bool,
    ) -> Result<Discarded, DeadLettersError> {
        let count = tags.len() as u64;
        let done = count > 0 && may(count).await;
        if done {
            for (gone, tag) in (0..).zip(tags) {
                self.browser.acknowledge(tag).await.map_err(|error| {
                    error.reworded(|why| format!("{why}; about {gone} of {count} were discarded"))
                })?;
            }
        }
        Ok(Discarded { counts: self.counts.clone(), done })
    }
}

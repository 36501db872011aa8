//! A look at all letters, one after the other, of which some are meant.

use super::filter::Filter;
use super::sift::Seen;
use super::{Discarded, Looked, Stop, Trouble, stopped};
use crate::rabbitmq::browse::Look;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::greeting::major_version;

/// Which RabbitMQ it is.
#[derive(Debug, Clone, Copy)]
enum Version {
    /// No letter has asked for it yet.
    Unasked,
    /// Its first number, if it says one.
    Major(Option<u32>),
}

/// A look at all letters, of which some are meant.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) look: Look<Seen>,
    broker: Broker,
    version: Version,
    stop: Stop,
    limit: Option<u64>,
    /// The filter without its times, where letters are not to be chosen by times that they only claim.
    timeless: Option<Filter>,
    pub(super) looked: Looked,
}

impl Reading {
    pub(super) fn new(look: Look<Seen>, broker: Broker, stop: Stop, limit: Option<u64>) -> Self {
        let (version, looked) = (Version::Unasked, Looked::default());
        Self { look, broker, version, stop, limit, timeless: None, looked }
    }

    /// The same for what is discarded for good: where this filter goes by times, it means no letter whose time anybody
    /// may have written, unless it says that it does.
    pub(super) fn doubting(mut self, filter: &Filter) -> Self {
        let has_times = filter.since.is_some() || filter.until.is_some();
        self.timeless = (has_times && !filter.claimed_times).then(|| Filter {
            since: None,
            until: None,
            ..filter.clone()
        });
        self
    }

    /// The next letter; past the limit, none matches any more.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Seen)>, Trouble> {
        let next = tokio::select! {
            next = self.look.next_there() => next?,
            () = stopped(&mut self.stop) => return Err(Trouble::Stopped),
        };
        let Some((tag, mut seen)) = next else {
            self.looked.unseen = self.look.unseen();
            return Ok(None);
        };
        self.looked.letters += 1;
        self.judge(&mut seen).await?;
        if self.limit.is_some_and(|limit| self.looked.matching >= limit) {
            seen.matches = false;
            seen.message = None;
        }
        self.looked.matching += u64::from(seen.matches);
        Ok(Some((tag, seen)))
    }

    /// Tells what of its deaths is RabbitMQ's own word.
    async fn judge(&mut self, seen: &mut Seen) -> Result<(), Trouble> {
        if !seen.letter.deaths.is_empty() {
            let version = match self.version {
                Version::Major(version) => version,
                Version::Unasked => tokio::select! {
                    version = major_version(&self.broker) => version,
                    () = stopped(&mut self.stop) => return Err(Trouble::Stopped),
                },
            };
            self.version = Version::Major(version);
            seen.letter.judge_deaths(version);
        }
        let is_doubted = |filter: &Filter| filter.matches(&seen.letter);
        if seen.letter.failed_at_claimed && self.timeless.as_ref().is_some_and(is_doubted) {
            self.looked.claimed += 1;
            seen.matches = false;
            seen.message = None;
        }
        Ok(())
    }

    pub(super) async fn discard(
        &mut self,
        tags: Vec<u64>,
        may: impl AsyncFnOnce(u64) -> bool,
    ) -> Result<Discarded, Trouble> {
        let count = tags.len() as u64;
        let done = count > 0 && may(count).await;
        if done {
            for (gone, tag) in (0..).zip(tags) {
                self.look.acknowledge(tag).await.map_err(|error| {
                    error.reworded(|why| {
                        format!("{why}; {gone} of {count} were discarded, or so it seems")
                    })
                })?;
            }
        }
        Ok(Discarded { looked: self.looked.clone(), done })
    }
}

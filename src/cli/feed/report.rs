//! The results of a feed, by what has become of the events.

use std::time::Duration;

use crate::event::EventKind;

/// What became of the events.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) published: [u64; 3],
    /// Without a queue that is bound for them.
    pub(super) unroutable: u64,
    /// A queue said no.
    pub(super) refused: u64,
    /// Not confirmed when the feed ended.
    pub(super) unconfirmed: u64,
    /// Sent again on another connection, since the one before was lost before they were confirmed.
    pub(super) sent_again: u64,
    pub(super) took: Duration,
    pub(super) ended: FeedEnd,
}

/// Why feeding has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum FeedEnd {
    #[default]
    Done,
    /// It was told to stop.
    Stopped,
    /// The broker's side failed.
    Broken(String),
}

impl Report {
    /// Events of a kind that are in a queue.
    pub(super) const fn of(&self, kind: EventKind) -> u64 {
        self.published[kind as usize]
    }

    /// Events that are in a queue.
    pub(super) fn published(&self) -> u64 {
        self.published.iter().sum()
    }

    /// Whether all that was sent is in a queue.
    pub(super) const fn is_good(&self) -> bool {
        self.unroutable == 0 && self.refused == 0 && !matches!(self.ended, FeedEnd::Broken(_))
    }
}

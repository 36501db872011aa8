//! What this worker does as the sorter of a source.

use jiff::Timestamp;

use super::{Monitor, Sorting};
use crate::outcome::SourceError;

impl Monitor {
    /// This worker is the sorter, and has got the first event.
    pub fn sorts(&self) {
        self.sorting_is(Some(Sorting::Works));
    }

    /// Events were passed on to their partitions.
    pub fn sorted(&self, events: usize) {
        self.metrics.sorted.with_label_values(&[&*self.source]).inc_by(events as u64);
        if events > 0 {
            self.sorting_is(Some(Sorting::Works));
        }
    }

    /// They can't be passed on now.
    pub fn cannot_sort(&self, error: &SourceError) {
        self.recent.note(&self.source, "cannot_sort", error);
        let since = match &self.seen.borrow().sorting {
            // Another error is no other beginning.
            Some(Sorting::Fails(_, since)) => *since,
            _ => Timestamp::now(),
        };
        self.sorting_is(Some(Sorting::Fails(error.clone(), since)));
    }

    /// Another worker may be the sorter by now.
    pub fn sorts_no_more(&self) {
        if self.seen.borrow().sorting.is_some() {
            self.sorting_is(None);
        }
    }

    fn sorting_is(&self, sorting: Option<Sorting>) {
        let now = sorting.as_ref().map(Sorting::label);
        for label in Sorting::LABELS {
            let gauge = self.metrics.sorter_state.with_label_values(&[&*self.source, label]);
            gauge.set((now == Some(label)).into());
        }
        self.seen.borrow_mut().sorting = sorting;
    }
}

//! How one event comes past a barrier.

use std::cell::Cell;

use tokio::sync::{MutexGuard, OwnedSemaphorePermit};

/// The right to try.
#[derive(Debug, Default)]
pub(super) struct Pass<'a> {
    /// To probe what is held. It goes to whoever has waited longest.
    pub(super) turn: Option<MutexGuard<'a, ()>>,
    /// Among those who go first when it opens.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// When and as what a try began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    /// After so many holds and answers.
    pub(super) holds: u64,
    pub(super) answers: u64,
    pub(super) as_probe: bool,
}

/// Counts one who waits, for as long as it lives.
pub(super) struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    pub(super) fn new(waiting: &'a Cell<usize>) -> Self {
        waiting.set(waiting.get() + 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

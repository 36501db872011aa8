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

/// A try that has come past a barrier, and when it began: after so many holds and answers.
#[derive(Debug)]
pub(super) struct Try<'a> {
    pub(super) pass: Pass<'a>,
    pub(super) holds: u64,
    pub(super) answers: u64,
}

impl Try<'_> {
    pub(super) fn is_probe(&self) -> bool {
        self.pass.turn.is_some()
    }
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

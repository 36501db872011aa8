//! How it opens: few go first, and twice as many with every round that succeeds.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pause::Pauses;

/// How many may be under way at first.
const FIRST_PLACES: usize = 2;

/// So many successes, and it is open.
const ENOUGH: usize = 256;

/// The time between a hold and an open gate.
#[derive(Debug)]
pub(super) struct Opening {
    places: Arc<Semaphore>,
    successes: usize,
    /// Should it be held again, they go on growing.
    pauses: Pauses,
}

/// Where those queue up who want to go first.
pub(super) struct Line(Arc<Semaphore>);

impl Opening {
    pub(super) fn new(pauses: Pauses) -> Self {
        Self { places: Arc::new(Semaphore::new(FIRST_PLACES)), successes: 0, pauses }
    }

    pub(super) fn line(&self) -> Line {
        Line(Arc::clone(&self.places))
    }

    /// One more success; it makes room for another one beside the place that it gives up. Returns whether
    /// they are enough.
    pub(super) fn succeeded(&mut self, went_first: bool) -> bool {
        self.successes += 1;
        self.places.add_permits(usize::from(went_first));
        self.successes >= ENOUGH
    }

    /// Whether anything did, or it opens on the strength of a question alone.
    pub(super) fn has_succeeded(&self) -> bool {
        self.successes > 0
    }

    /// Sends all away who queue up.
    pub(super) fn end(self) -> Pauses {
        self.places.close();
        self.pauses
    }
}

impl Line {
    /// Waits for a place. `None`: it is open, or held again.
    pub(super) async fn place(self) -> Option<OwnedSemaphorePermit> {
        self.0.acquire_owned().await.ok()
    }
}

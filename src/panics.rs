//! Counts panics, so that a process in which something else than the handling of an event panicked does not end as if
//! all were well.

use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: Panics = Panics { seen: AtomicU64::new(0), caught: AtomicU64::new(0) };

struct Panics {
    seen: AtomicU64,
    caught: AtomicU64,
}

impl Panics {
    fn any_uncaught(&self) -> bool {
        // In this order: who catches one comes after it.
        let caught = self.caught.load(Ordering::SeqCst);
        self.seen.load(Ordering::SeqCst) > caught
    }
}

/// Something panicked, on whichever thread.
pub(crate) fn seen() {
    PANICS.seen.fetch_add(1, Ordering::SeqCst);
}

/// One of them was the fault of one event or of a plugin, and has cost nothing else.
pub(crate) fn caught() {
    PANICS.caught.fetch_add(1, Ordering::SeqCst);
}

/// Whether any was not caught.
pub(crate) fn any_uncaught() -> bool {
    PANICS.any_uncaught()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_that_nobody_caught_is_remembered() {
        let count =
            |seen, caught| Panics { seen: AtomicU64::new(seen), caught: AtomicU64::new(caught) };
        assert!(!count(0, 0).any_uncaught());
        assert!(count(1, 0).any_uncaught());
        assert!(!count(2, 2).any_uncaught());
        assert!(count(3, 2).any_uncaught());
    }
}

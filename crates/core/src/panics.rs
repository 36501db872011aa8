//! Counts panics, so that a process in which something else than the handling of an event panicked does not end as if
//! all were well.

use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: Panics = Panics { seen: AtomicU64::new(0), caught: AtomicU64::new(0) };

struct Panics {
    seen: AtomicU64,
    caught: AtomicU64,
}

/// In `seen`: the exit status is decided.
const CONCLUDED: u64 = 1 << 63;

impl Panics {
    fn see(&self) -> bool {
        self.seen.fetch_add(1, Ordering::SeqCst) & CONCLUDED == 0
    }

    fn conclude(&self) -> bool {
        // In this order: who catches one comes after it.
        let caught = self.caught.load(Ordering::SeqCst);
        self.seen.fetch_or(CONCLUDED, Ordering::SeqCst) > caught
    }
}

/// Something panicked, on whichever thread. Returns whether it is to be told: not when the exit status is decided,
/// where it is the last breath of a thread that has nothing left to do.
pub fn seen() -> bool {
    PANICS.see()
}

/// One of them was the fault of one event or of a plugin, and has cost nothing else.
pub fn caught() {
    PANICS.caught.fetch_add(1, Ordering::SeqCst);
}

/// The process is about to end. Returns whether any panic was not caught; none that follows counts.
pub fn conclude() -> bool {
    PANICS.conclude()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(seen: u64, caught: u64) -> Panics {
        Panics { seen: AtomicU64::new(seen), caught: AtomicU64::new(caught) }
    }

    #[test]
    fn a_panic_that_nobody_caught_is_remembered() {
        assert!(!count(0, 0).conclude());
        assert!(count(1, 0).conclude());
        assert!(!count(2, 2).conclude());
        assert!(count(3, 2).conclude());
    }

    #[test]
    fn a_panic_is_told_or_comes_after_the_end() {
        let panics = count(0, 0);
        assert!(panics.see() && panics.conclude());
        assert!(!panics.see());
    }
}

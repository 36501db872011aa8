//! Counts panics, so that a process with a panic outside of the handling of an event does not exit with success.

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

/// Records a panic, on any thread. Returns whether to report it: not after the exit status is decided,
/// when only threads without work are left.
pub fn seen() -> bool {
    PANICS.see()
}

/// Records that a panic was caught, which affected only one event or a plugin.
pub fn caught() {
    PANICS.caught.fetch_add(1, Ordering::SeqCst);
}

/// Decides the exit status: returns whether any panic was not caught. Later panics do not count.
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

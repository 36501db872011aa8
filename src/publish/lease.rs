//! The right to publish what a broker has delivered to one worker alone: it lapses when the broker is silent, for good.
//!
//! A broker that does not hear a worker gives the worker's deliveries to another one, which publishes them, and what comes after
//! them. So a worker that was frozen, or is cut off, must begin nothing with what it has: it would come too late. That something
//! comes from the broker again proves nothing: it may have been on its way before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// Between two looks at whether a lease has lapsed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Renewed by whatever comes from the broker in time, a heartbeat at least.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// When it was renewed, in milliseconds since it began.
    renewed: AtomicU64,
    term: AtomicU64,
    /// It was renewed too late.
    is_over: AtomicBool,
}

impl Default for Lease {
    fn default() -> Self {
        let (renewed, term) = (AtomicU64::default(), AtomicU64::new(u64::MAX));
        let (began, is_over) = (Instant::now(), AtomicBool::default());
        Self(Arc::new(Inner { began, renewed, term, is_over }))
    }
}

impl Lease {
    /// From now on it lapses after so long; until this is told it does not.
    pub fn lapses_after(&self, term: Duration) {
        self.0.renewed.store(millis(self.0.began.elapsed()), Ordering::SeqCst);
        self.0.term.store(millis(term), Ordering::SeqCst);
    }

    /// The broker is heard. Too late, this changes nothing.
    pub fn renew(&self) {
        if self.has_lapsed() {
            self.0.is_over.store(true, Ordering::SeqCst);
        }
        self.0.renewed.store(millis(self.0.began.elapsed()), Ordering::SeqCst);
    }

    /// Whether the broker is silent, or was for too long.
    #[must_use]
    pub fn has_lapsed(&self) -> bool {
        let renewed = self.0.renewed.load(Ordering::SeqCst);
        let silent = millis(self.0.began.elapsed()).saturating_sub(renewed);
        silent > self.0.term.load(Ordering::SeqCst) || self.0.is_over.load(Ordering::SeqCst)
    }

    /// Waits until it has lapsed.
    pub async fn lapsed(&self) {
        while !self.has_lapsed() {
            sleep(LOOK_AGAIN).await;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lapses_when_the_broker_is_silent_and_no_later_word_renews_it() {
        let lease = Lease::default();
        assert!(!lease.has_lapsed(), "nobody has said when");
        lease.lapses_after(Duration::from_hours(1));
        lease.renew();
        assert!(!lease.has_lapsed());
        lease.lapses_after(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert!(lease.has_lapsed());
        lease.renew();
        lease.lapses_after(Duration::from_hours(1));
        assert!(lease.has_lapsed(), "it may have been on its way before");
    }
}

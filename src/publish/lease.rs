//! The right to publish what a broker has delivered to one worker alone: it lapses when the broker is silent.
//!
//! A broker that does not hear a worker gives the worker's deliveries to another one, which publishes them, and what comes after
//! them. So a worker that was frozen, or is cut off, must begin nothing with what it has: it would come too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// Between two looks at a lease that has lapsed.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Renewed by whatever comes from the broker, a heartbeat at least.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// When it was renewed, in milliseconds since it began.
    renewed: AtomicU64,
    term: AtomicU64,
}

impl Default for Lease {
    fn default() -> Self {
        let (renewed, term) = (AtomicU64::default(), AtomicU64::new(u64::MAX));
        Self(Arc::new(Inner { began: Instant::now(), renewed, term }))
    }
}

impl Lease {
    /// It lapses after so long; never, until this is told.
    pub fn lapses_after(&self, term: Duration) {
        self.0.term.store(millis(term), Ordering::Relaxed);
    }

    /// The broker is heard.
    pub fn renew(&self) {
        self.0.renewed.store(millis(self.0.began.elapsed()), Ordering::Relaxed);
    }

    /// Whether the broker is silent.
    #[must_use]
    pub fn has_lapsed(&self) -> bool {
        let renewed = self.0.renewed.load(Ordering::Relaxed);
        let silent = millis(self.0.began.elapsed()).saturating_sub(renewed);
        silent > self.0.term.load(Ordering::Relaxed)
    }

    /// Waits until the broker is heard again.
    pub async fn renewed(&self) {
        while self.has_lapsed() {
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
    fn a_lease_lapses_when_the_broker_is_silent_and_is_renewed_when_it_is_heard() {
        let lease = Lease::default();
        assert!(!lease.has_lapsed(), "nobody has said when");
        lease.lapses_after(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert!(lease.has_lapsed());
        lease.lapses_after(Duration::from_hours(1));
        lease.renew();
        assert!(!lease.has_lapsed());
    }
}

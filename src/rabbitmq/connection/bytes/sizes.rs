//! Sizes of a source's deliveries, remembered across its sessions, and the prefetch that they allow.

use std::cell::Cell;

use tokio::time::{Duration, Instant};

/// Deliveries over which the mean forgets.
const MEMORY: u32 = 32;

/// For so long at least a prefetch that turned out to be too large is not tried again; twice as long after each further time.
const CAPPED_FOR: Duration = Duration::from_mins(1);

/// Of one source.
#[derive(Debug, Default)]
pub(in crate::rabbitmq) struct Sizes {
    mean: Cell<f64>,
    count: Cell<u32>,
    cap: Cell<Option<Cap>>,
}

/// More deliveries did not fit.
#[derive(Debug, Clone, Copy)]
struct Cap {
    prefetch: u16,
    times: u32,
    until: Instant,
}

impl Sizes {
    /// A delivery has come.
    pub(in crate::rabbitmq) fn note(&self, bytes: u64) {
        let count = self.count.get().min(MEMORY - 1) + 1;
        self.count.set(count);
        #[allow(clippy::cast_precision_loss, reason = "a mean need not be exact")]
        let step = (bytes as f64 - self.mean.get()) / f64::from(count);
        self.mean.set(self.mean.get() + step);
    }

    /// How many deliveries to have in flight: as many as are configured, or as fit by what is known.
    pub(in crate::rabbitmq) fn prefetch(&self, configured: u16, limit: u64) -> u16 {
        #[allow(clippy::cast_precision_loss, reason = "a mean need not be exact")]
        let fit = limit as f64 / self.mean.get().max(1.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and what is beyond is cut"
        )]
        let fit = fit.min(f64::from(u16::MAX)) as u16;
        let cap = self.cap.get().map_or(u16::MAX, |cap| cap.prefetch);
        configured.min(fit).min(cap).max(1)
    }

    /// Only so many fitted, and nothing moved.
    pub(in crate::rabbitmq) fn cap(&self, fits: u64) {
        let times = self.cap.get().map_or(0, |cap| cap.times + 1).min(7);
        let prefetch = u16::try_from(fits).unwrap_or(u16::MAX).max(1);
        let until = Instant::now() + CAPPED_FOR * 2_u32.pow(times);
        self.cap.set(Some(Cap { prefetch, times, until }));
    }

    /// As many have been settled as fitted: other ones come now, which may be smaller.
    pub(in crate::rabbitmq) fn have_moved(&self) {
        if self.cap.get().is_some_and(|cap| Instant::now() >= cap.until) {
            self.cap.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_prefetch_is_what_fits_and_never_none() {
        let sizes = Sizes::default();
        assert_eq!(sizes.prefetch(1500, 64 << 20), 1500, "nothing is known");
        (0..10).for_each(|_| sizes.note(250_000));
        assert_eq!(sizes.prefetch(1500, 64 << 20), 268);
        (0..1000).for_each(|_| sizes.note(100 << 20));
        assert_eq!(sizes.prefetch(1500, 64 << 20), 1);
        (0..1000).for_each(|_| sizes.note(1024));
        assert_eq!(sizes.prefetch(1500, 64 << 20), 1500);
        sizes.cap(7);
        assert_eq!(sizes.prefetch(1500, 64 << 20), 7);
        sizes.have_moved();
        assert_eq!(sizes.prefetch(1500, 64 << 20), 7, "too soon");
        tokio::time::sleep(CAPPED_FOR).await;
        sizes.have_moved();
        assert_eq!(sizes.prefetch(1500, 64 << 20), 1500);
    }
}

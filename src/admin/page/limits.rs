//! How fast, and how often in vain.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and so many a second after that.
#[derive(Debug)]
pub(super) struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(most: f64, per_second: f64) -> Self {
        Self { most, per_second, left: most, at: Instant::now() }
    }

    /// Whether there is one more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = passed.mul_add(self.per_second, self.left).min(self.most);
        self.at = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }
}

/// Wrong tokens, by where they came from.
#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<IpAddr, (u32, Instant)>);

impl Failures {
    /// From one address, before none is looked at any more.
    const MOST: u32 = 5;

    /// Since the last one, until all are forgotten.
    const FORGOTTEN: Duration = Duration::from_mins(1);

    /// Addresses that are remembered.
    const ADDRESSES: usize = 1024;

    pub(super) fn are_too_many(&self, from: IpAddr, now: Instant) -> bool {
        let known = self.0.get(&from);
        known.is_some_and(|(count, last)| *count >= Self::MOST && now - *last < Self::FORGOTTEN)
    }

    pub(super) fn note(&mut self, from: IpAddr, now: Instant) {
        self.0.retain(|_, (_, last)| now - *last < Self::FORGOTTEN);
        if self.0.len() < Self::ADDRESSES || self.0.contains_key(&from) {
            let (count, last) = self.0.entry(from).or_insert((0, now));
            (*count, *last) = (*count + 1, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_has_and_what_has_run_in_since() {
        let began = Instant::now();
        let mut bucket = Bucket::new(3.0, 0.5);
        let taken = |bucket: &mut Bucket, after| {
            (0..10).filter(|_| bucket.take(began + Duration::from_secs(after))).count()
        };
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 1), 0);
        assert_eq!(taken(&mut bucket, 4), 2);
        assert_eq!(taken(&mut bucket, 1000), 3);
    }
}

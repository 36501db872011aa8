//! How many requests may be in flight: additive increase, multiplicative decrease.
//!
//! SNS's quota counts messages of the whole account. Workers that slow down when they are
//! pushed back, each by itself, come to share it; workers that keep trying only get more refusals.

use std::time::Duration;

use tokio::time::Instant;

/// Refusals within this time of each other answer to the same burst and count once.
const ONE_BURST: Duration = Duration::from_millis(100);

/// How long a throttled request keeps its place: each one without a success between twice as long as the
/// one before.
const FIRST_REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// A number between one and a fixed maximum.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    current: f64,
    shrunk_at: Option<Instant>,
    rest: Duration,
}

impl Limit {
    /// Begins at `most`.
    pub(super) fn new(most: u16) -> Self {
        let most = f64::from(most.max(1));
        Self { most, current: most, shrunk_at: None, rest: FIRST_REST }
    }

    /// Whether one more request may be sent while so many are in flight.
    pub(super) fn allows(&self, in_flight: u16) -> bool {
        f64::from(in_flight) + 1.0 <= self.current
    }

    /// The number; a request needs a whole one.
    pub(super) fn current(&self) -> f64 {
        self.current
    }

    /// A request went well: room for about one more, once as many have gone well as fit.
    pub(super) fn grow(&mut self) {
        self.current = (self.current + 1.0 / self.current).min(self.most);
        self.rest = FIRST_REST;
    }

    /// A request was throttled. Returns for how long it is to keep its place: at one request at a time,
    /// a quick refusal would still bring on the next one at once.
    pub(super) fn rest(&mut self) -> Duration {
        let rest = self.rest;
        self.rest = (rest * 2).min(LONGEST_REST);
        rest
    }

    /// SNS throttled, failed or did not answer: half as many.
    pub(super) fn shrink(&mut self) {
        let now = Instant::now();
        if self.shrunk_at.is_some_and(|at| now - at < ONE_BURST) {
            return;
        }
        self.shrunk_at = Some(now);
        self.current = (self.current / 2.0).max(1.0);
        tracing::debug!(limit = self.current, "fewer requests at once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(limit: &Limit) -> u16 {
        (0..=u16::MAX).take_while(|in_flight| limit.allows(*in_flight)).count().try_into().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_refusals_halves_it_once_and_it_never_reaches_zero() {
        let mut limit = Limit::new(100);
        for _ in 0..50 {
            limit.shrink();
        }
        assert_eq!(room(&limit), 50);
        for _ in 0..20 {
            tokio::time::advance(ONE_BURST).await;
            limit.shrink();
        }
        assert_eq!(room(&limit), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn success_gives_back_one_for_each_round_up_to_the_maximum() {
        let mut limit = Limit::new(10);
        limit.shrink();
        assert_eq!(room(&limit), 5);
        for _ in 0..6 {
            limit.grow();
        }
        assert_eq!(room(&limit), 6);
        for _ in 0..1000 {
            limit.grow();
        }
        assert_eq!(room(&limit), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_requests_rest_for_longer_until_one_gets_through() {
        let mut limit = Limit::new(10);
        let rests: Vec<_> = (0..8).map(|_| limit.rest()).collect();
        assert!(rests.windows(2).all(|pair| pair[1] == (pair[0] * 2).min(LONGEST_REST)));
        limit.grow();
        assert_eq!(limit.rest(), FIRST_REST);
    }
}

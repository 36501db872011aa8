//! How many requests may be in flight: additive increase, multiplicative decrease.
//!
//! SNS's quota counts messages of the whole account. Workers that each slow down when SNS throttles
//! share the quota; workers that keep their rate only get more refusals.
//!
//! The limit also decreases when this process is the bottleneck: further requests would only wait for each other,
//! without a higher rate, and delay the events behind them.

use std::time::Duration;

use tokio::time::Instant;

/// Refusals within this time of each other answer to the same burst and count once.
const ONE_BURST: Duration = Duration::from_millis(100);

/// How long a throttled request keeps its place: each one without a success between twice as long as the
/// one before.
const FIRST_REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The number to begin with. Only a throttle makes it smaller: below that, the thread would idle between answers.
const FIRST: f64 = 16.0;

/// What an answer that waited here takes away: a busy start is over after a few thousand events, and a
/// hiccup costs next to nothing.
const EASE: f64 = 0.1;

/// A number between one and a fixed maximum.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    current: f64,
    /// Up to here it doubles in each round.
    known_good: f64,
    shrunk_at: Option<Instant>,
    rest: Duration,
}

impl Limit {
    /// At most so many.
    pub(super) fn new(most: u16) -> Self {
        let most = f64::from(most.max(1));
        let current = most.min(FIRST);
        Self { most, current, known_good: most, shrunk_at: None, rest: FIRST_REST }
    }

    /// Whether one more request may be sent while so many are in flight.
    pub(super) fn allows(&self, in_flight: u16) -> bool {
        in_flight < self.whole()
    }

    /// How many requests may be in flight.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a u16")]
    pub(super) fn whole(&self) -> u16 {
        self.current as u16
    }

    /// The number; a request needs a whole one.
    pub(super) fn current(&self) -> f64 {
        self.current
    }

    /// A request went well: room for about one more, once as many have gone well as fit; at first, and until there
    /// was one too many, for one more with each.
    pub(super) fn grow(&mut self) {
        let more = if self.current < self.known_good { 1.0 } else { 1.0 / self.current };
        self.current = (self.current + more).min(self.most);
        self.rest = FIRST_REST;
    }

    /// A request went well, but waited here for longer than for SNS: one less, once ten have.
    pub(super) fn ease(&mut self) {
        let fewest = self.current.min(FIRST);
        self.current = (self.current - EASE).max(fewest);
        self.known_good = self.current;
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
        self.known_good = self.current;
        tracing::debug!(
            event = "requests_reduced",
            limit = self.current,
            "limit of requests in flight reduced"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(limit: &Limit) -> u16 {
        (0..=u16::MAX).take_while(|in_flight| limit.allows(*in_flight)).count().try_into().unwrap()
    }

    fn grown(most: u16) -> Limit {
        let mut limit = Limit::new(most);
        for _ in 0..most {
            limit.grow();
        }
        limit
    }

    #[test]
    fn it_begins_small_and_doubles_until_there_was_one_too_many() {
        let mut limit = Limit::new(100);
        assert_eq!(room(&limit), 16);
        for _ in 0..16 {
            limit.grow();
        }
        assert_eq!(room(&limit), 32);
        limit.ease();
        for _ in 0..32 {
            limit.grow();
        }
        assert_eq!(room(&limit), 32, "one more with each round now");
        assert_eq!(room(&grown(100)), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_refusals_halves_it_once_and_it_never_reaches_zero() {
        let mut limit = grown(100);
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

    #[test]
    fn a_busy_process_has_fewer_but_never_too_few() {
        let mut limit = grown(100);
        for _ in 0..100 {
            limit.ease();
        }
        assert_eq!(room(&limit), 90);
        for _ in 0..10_000 {
            limit.ease();
        }
        assert_eq!(room(&limit), 16);
        let mut small = Limit::new(3);
        small.ease();
        assert_eq!(room(&small), 3);
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

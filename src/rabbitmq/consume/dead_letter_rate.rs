//! Limits the rate of dead letters by source and reason, so that a producer of invalid events does not fill the
//! broker's disk: further letters wait, and their deliveries stay in the prefetch.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::limits::DEAD_LETTER_BURST_SECONDS;
use crate::outcome::Reason;

const BURST: Duration = Duration::from_secs(DEAD_LETTER_BURST_SECONDS as u64);

/// Of one source.
#[derive(Debug)]
pub(in crate::rabbitmq) struct DeadLetterRate {
    interval: Duration,
    /// By reason: when all that had their turn would be written, one by one.
    through: [Cell<Option<Instant>>; Reason::ALL.len()],
}

impl DeadLetterRate {
    /// `None`: as fast as it goes.
    pub(in crate::rabbitmq) fn new(per_second: Option<f64>) -> Self {
        let interval =
            per_second.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        Self { interval, through: Default::default() }
    }

    /// Waits until a letter of this reason may be written, in the order in which they ask. One that gives up gives its
    /// turn back.
    pub(in crate::rabbitmq) async fn turn(&self, reason: Reason) {
        if self.interval.is_zero() {
            return;
        }
        let now = Instant::now();
        let through = &self.through[reason as usize];
        let before = through.get().map_or(now, |it| it.max(now));
        through.set(Some(before + self.interval));
        let wait = before.duration_since(now).saturating_sub(BURST);
        if wait.is_zero() {
            return;
        }
        let turn = Reservation { through, interval: self.interval };
        sleep_until(now + wait).await;
        std::mem::forget(turn);
    }
}

/// Of one that waits.
struct Reservation<'a> {
    through: &'a Cell<Option<Instant>>,
    interval: Duration,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let back = self.through.get().and_then(|it| it.checked_sub(self.interval));
        self.through.set(back.or(self.through.get()));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_one_more_waits() {
        let rate = DeadLetterRate::new(Some(100.0));
        for number in 0..1001 {
            assert!(rate.turn(Reason::Undecodable).now_or_never().is_some(), "{number}");
        }
        assert!(rate.turn(Reason::Undecodable).now_or_never().is_none());
        assert!(rate.turn(Reason::Rejected).now_or_never().is_some(), "another reason waits");
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_burst_they_pass_at_the_rate_and_those_that_gave_up_cost_nothing() {
        let rate = DeadLetterRate::new(Some(100.0));
        join_all((0..1000).map(|_| rate.turn(Reason::Undecodable))).await;
        let began = Instant::now();
        let mut gone: Vec<_> = (0..500).map(|_| Box::pin(rate.turn(Reason::Undecodable))).collect();
        for turn in &mut gone {
            let _ = turn.now_or_never();
        }
        drop(gone);
        join_all((0..500).map(|_| rate.turn(Reason::Undecodable))).await;
        let took = began.elapsed().as_secs_f64();
        assert!((4.8..5.2).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let rate = DeadLetterRate::new(None);
        for _ in 0..10_000 {
            assert!(rate.turn(Reason::Undecodable).now_or_never().is_some());
        }
    }
}

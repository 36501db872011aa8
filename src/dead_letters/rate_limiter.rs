//! Limits the rate of messages per second.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A sender that is late may catch up with so much at once.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Lets so many messages pass in a second.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    interval: Duration,
    next: Instant,
}

impl RateLimiter {
    /// `None`: as fast as it goes.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        let interval = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        Self { interval, next: Instant::now() }
    }

    /// Another rate, from the next but one on.
    pub(crate) fn set_rate(&mut self, rate: f64) {
        self.interval = Duration::from_secs_f64(1.0 / rate);
    }

    /// Waits until the next may pass. May be dropped while it waits.
    pub(crate) async fn due(&self) {
        if self.interval > Duration::ZERO {
            sleep_until(self.next).await;
        }
    }

    /// One has passed.
    pub(crate) fn passed(&mut self) {
        let next = self.next + self.interval;
        self.next = next.max(Instant::now().checked_sub(CATCH_UP).unwrap_or(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_pass_than_the_rate_says() {
        let mut rate_limiter = RateLimiter::new(Some(500.0));
        let began = Instant::now();
        for _ in 0..1001 {
            rate_limiter.due().await;
            rate_limiter.passed();
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(2) && took < Duration::from_millis(2010), "{took:?}");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let began = Instant::now();
        for _ in 0..500 {
            rate_limiter.due().await;
            rate_limiter.passed();
        }
        assert!(began.elapsed() >= Duration::from_millis(890), "it caught up with a whole minute");
    }
}

//! Backoff: growing pauses with jitter between attempts of an operation that is repeated without a limit:
//! reconnecting, probing a held topic, publishing a dead letter.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// An endless series of pauses, each about twice as long as the one before it.
#[derive(Debug)]
pub struct Pauses {
    series: ExponentialBackoff,
    longest: Duration,
}

impl Pauses {
    /// Pauses that begin around `first` and never exceed `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let mut series = ExponentialBackoff {
            initial_interval: first.min(longest),
            max_interval: longest,
            multiplier: 2.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        series.reset();
        Self { series, longest }
    }

    /// Draws the next pause.
    pub fn draw(&mut self) -> Duration {
        // Jitter is drawn around the interval, so it can pass the bound.
        self.series.next_backoff().unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_bound_and_never_end() {
        let longest = Duration::from_secs(30);
        let mut pauses = Pauses::new(Duration::from_millis(100), longest);
        let drawn: Vec<_> = (0..200).map(|_| pauses.draw()).collect();
        assert!(drawn[0] >= Duration::from_millis(50) && drawn[0] <= Duration::from_millis(150));
        assert!(drawn.iter().all(|pause| *pause <= longest));
        assert!(drawn[190..].iter().all(|pause| *pause >= longest / 2));
    }
}

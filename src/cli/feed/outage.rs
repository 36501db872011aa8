//! How long a feed waits for a broker whose connection it has lost.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::SourceError;
use crate::pause::Pauses;

/// So long after the loss of a connection there must be a confirm again. RabbitMQ needs less for a restart, unless it has
/// very many messages to recover.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_mins(5);

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The time from the loss of a connection until the next confirm.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) give_up_at: Instant,
    pauses: Pauses,
    /// It was connected again in this time.
    pub(super) was_connected: bool,
}

impl Outage {
    pub(super) fn begin() -> Self {
        Self {
            give_up_at: Instant::now() + GIVE_UP_AFTER,
            pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE),
            was_connected: false,
        }
    }

    /// The pause before the next attempt; `None`: there is to be no other.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let left = self.give_up_at.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| self.pauses.draw().min(left))
    }
}

/// Whether the broker would refuse it again on another connection.
pub(super) const fn is_lasting(error: &SourceError) -> bool {
    matches!(error, SourceError::AccessRefused(_) | SourceError::PreconditionFailed(_))
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_for_as_long_as_is_documented_and_no_longer() {
        let (began, mut outage) = (Instant::now(), Outage::begin());
        let mut attempts = 0;
        while let Some(pause) = outage.pause() {
            assert!(pause <= LONGEST_PAUSE);
            sleep(pause).await;
            attempts += 1;
        }
        assert!(attempts > 25, "{attempts}");
        assert_eq!(began.elapsed().as_secs(), GIVE_UP_AFTER.as_secs());
    }

    #[test]
    fn what_the_broker_refuses_on_every_connection_is_not_tried_again() {
        assert!(is_lasting(&SourceError::AccessRefused(String::new())));
        assert!(is_lasting(&SourceError::PreconditionFailed(String::new())));
        for passing in [SourceError::NotFound, SourceError::Failed, SourceError::ResourceLocked] {
            assert!(!is_lasting(&passing("restarting".to_owned())));
        }
    }
}

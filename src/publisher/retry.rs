//! Repeats what failed for a reason that passes by itself.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use backoff::backoff::Backoff;

use super::Attempt;
use crate::outcome::{Fault, MessageId, Scope};
use crate::route::Notification;

/// A notification that SNS took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// SNS's id for it.
    pub id: MessageId,
    /// Attempts made, the successful one included.
    pub attempts: u32,
}

/// A notification that SNS did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the last attempt met.
    pub fault: Fault,
    /// Attempts made.
    pub attempts: u32,
}

/// Retries transient faults: `publish_retry_count` times, each after a pause.
#[derive(Debug)]
pub struct Retry<P> {
    place: P,
    count: u32,
    base: Duration,
}

impl<P: Attempt> Retry<P> {
    /// At most `count` retries, the first within `base` of the failure.
    pub fn new(place: P, count: u32, base: Duration) -> Self {
        Self { place, count, base }
    }

    #[cfg(test)]
    pub(super) fn place(&self) -> &P {
        &self.place
    }

    /// Publishes, with retries.
    ///
    /// # Errors
    ///
    /// The last attempt's fault: transient if the retries ran out, else of wider or
    /// narrower scope, which is not retried here.
    pub async fn publish(&self, notification: &Rc<Notification>) -> Result<Accepted, Failure> {
        let attempts = Cell::new(0);
        let attempt = || async {
            attempts.set(attempts.get() + 1);
            self.place.attempt(notification).await.map_err(|fault| match fault.scope {
                Scope::Transient => backoff::Error::transient(fault),
                Scope::Message | Scope::Route | Scope::Service => backoff::Error::permanent(fault),
            })
        };
        let log = |fault: Fault, pause: Duration| {
            tracing::debug!(topic = %notification.topic, %fault, ?pause, "publish failed, retrying");
        };
        let pauses = AncestorPauses { count: self.count, base: self.base, drawn: 0 };
        match backoff::future::retry_notify(pauses, attempt, log).await {
            Ok(id) => Ok(Accepted { id, attempts: attempts.get() }),
            Err(fault) => Err(Failure { fault, attempts: attempts.get() }),
        }
    }
}

/// The pauses of `mod_event_pusher_sns`: before retry `k`, counted from 0, uniformly
/// between (2^k − 1) and 2^k times the base.
struct AncestorPauses {
    count: u32,
    base: Duration,
    drawn: u32,
}

impl Backoff for AncestorPauses {
    fn reset(&mut self) {
        self.drawn = 0;
    }

    fn next_backoff(&mut self) -> Option<Duration> {
        if self.drawn == self.count {
            return None;
        }
        // (2^k − 1) times the base, and then a random part of one base more.
        let shortest = self.base.saturating_mul(2_u32.saturating_pow(self.drawn) - 1);
        self.drawn += 1;
        Some(shortest.saturating_add(self.base.mul_f64(fastrand::f64())))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::*;
    use crate::publisher::memory::{fault, notification};

    /// Answers with one scope for ever and notes when it was asked.
    struct Refusing {
        scope: Scope,
        asked: RefCell<Vec<Instant>>,
    }

    impl Attempt for Refusing {
        async fn attempt(&self, _: &Rc<Notification>) -> Result<MessageId, Fault> {
            self.asked.borrow_mut().push(Instant::now());
            Err(fault(self.scope))
        }
    }

    fn retry(scope: Scope, count: u32) -> Retry<Refusing> {
        let place = Refusing { scope, asked: RefCell::default() };
        Retry::new(place, count, Duration::from_millis(50))
    }

    #[tokio::test(start_paused = true)]
    async fn a_transient_fault_is_retried_so_often_and_no_oftener() {
        for count in [0, 1, 2, 5] {
            let retry = retry(Scope::Transient, count);
            let failure = retry.publish(&notification("t", "{}")).await.unwrap_err();
            assert_eq!(failure.attempts, count + 1);
            assert_eq!(retry.place.asked.borrow().len(), count as usize + 1);
            assert_eq!(failure.fault.scope, Scope::Transient);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_pause_is_drawn_between_the_ancestors_bounds() {
        let base = 50.0;
        let mut means = [0.0; 5];
        for _ in 0..200 {
            let retry = retry(Scope::Transient, 5);
            retry.publish(&notification("t", "{}")).await.unwrap_err();
            let asked = retry.place.asked.borrow();
            for (k, pair) in asked.windows(2).enumerate() {
                let pause = (pair[1] - pair[0]).as_secs_f64() * 1000.0;
                let most = base * f64::from(1 << k);
                // The timer rounds up to its next millisecond.
                assert!(pause >= most - base && pause <= most + 1.0, "pause {k} was {pause} ms");
                means[k] += pause / 200.0;
            }
        }
        for (k, mean) in means.iter().enumerate() {
            let middle = base * f64::from(1 << k) - base / 2.0;
            assert!(
                (mean - middle).abs() < 6.0,
                "pause {k} is {mean} ms in the mean, not {middle}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn faults_of_other_scopes_are_not_retried() {
        for scope in [Scope::Message, Scope::Route, Scope::Service] {
            let retry = retry(scope, 5);
            let failure = retry.publish(&notification("t", "{}")).await.unwrap_err();
            assert_eq!((failure.attempts, failure.fault.scope), (1, scope));
        }
    }

    #[test]
    fn a_huge_retry_count_overflows_nothing() {
        let mut pauses = AncestorPauses { count: 200, base: Duration::from_hours(1), drawn: 0 };
        assert_eq!(std::iter::from_fn(|| pauses.next_backoff()).count(), 200);
    }
}

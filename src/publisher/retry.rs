//! Repeats what failed for a reason that passes by itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use backoff::backoff::Backoff;
use tokio::time::Instant;

use super::Attempt;
use super::fault::is_throttle;
use super::measure::Measures;
use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId, Scope};
use crate::pause::Pauses;
use crate::route::Notification;

/// While SNS has taken something within this time, a throttled event waits for its turn.
const LIVELY: Duration = Duration::from_secs(15);

/// For so long at most; and the longest pause between its attempts meanwhile.
const PATIENCE: Duration = Duration::from_mins(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
///
/// SNS throttles by quotas of the whole account. As long as it takes others, being throttled is a matter of
/// pace: the event waits and spends no retry, for else those whose turn never came would be dead
/// letters.
#[derive(Debug)]
pub struct Retry<P> {
    place: P,
    count: u32,
    base: Duration,
    /// When SNS last took something.
    accepted_at: Cell<Option<Instant>>,
    measures: Measures,
}

impl<P: Attempt> Retry<P> {
    /// At most `count` retries, the first within `base` of the failure.
    pub fn new(place: P, count: u32, base: Duration) -> Self {
        Self { place, count, base, accepted_at: Cell::new(None), measures: Measures::default() }
    }

    /// Counts there.
    pub(super) fn measured(self, measures: Measures) -> Self {
        Self { measures, ..self }
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
        let throttled = RefCell::new(None);
        let attempt = || async {
            attempts.set(attempts.get() + 1);
            let answer = self.place.attempt(notification).await;
            if answer.is_ok() {
                self.accepted_at.set(Some(Instant::now()));
            }
            answer.map_err(|fault| match fault.scope {
                Scope::Transient => match self.pause_for_a_turn(&fault, &throttled) {
                    Some(pause) => backoff::Error::retry_after(fault, pause),
                    None => backoff::Error::transient(fault),
                },
                Scope::Message | Scope::Route | Scope::Service => backoff::Error::permanent(fault),
            })
        };
        let log = |fault: Fault, pause: Duration| {
            self.measures.retry(&notification.topic, &fault);
            tracing::debug!(topic = %notification.topic, %fault, ?pause, "publish failed, retrying");
        };
        let pauses = AncestorPauses { count: self.count, base: self.base, drawn: 0 };
        match backoff::future::retry_notify(pauses, attempt, log).await {
            Ok(id) => Ok(Accepted { id, attempts: attempts.get() }),
            Err(fault) => Err(Failure { fault, attempts: attempts.get() }),
        }
    }

    /// The pause before a throttled event tries again without spending a retry, if it may.
    fn pause_for_a_turn(
        &self,
        fault: &Fault,
        throttled: &RefCell<Option<Throttled>>,
    ) -> Option<Duration> {
        let lively = || self.accepted_at.get().is_some_and(|at| at.elapsed() < LIVELY);
        if !is_throttle(fault) || !lively() {
            return None;
        }
        let first = self.base.clamp(Duration::from_millis(1), LONGEST_PAUSE);
        let mut throttled = throttled.borrow_mut();
        let throttled = throttled.get_or_insert_with(|| Throttled {
            since: Instant::now(),
            pauses: Pauses::new(first, LONGEST_PAUSE),
        });
        (throttled.since.elapsed() < PATIENCE).then(|| throttled.pauses.draw())
    }

    /// As [`Attempt::find_topic`].
    pub(super) async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        self.place.find_topic(topic).await
    }
}

/// An event that waits its turn.
struct Throttled {
    since: Instant,
    pauses: Pauses,
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
    use crate::publisher::MemoryTopics;
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

    /// Throttles nine of ten, and takes up to two seconds to say so.
    struct Busy(RefCell<fastrand::Rng>);

    impl Attempt for Busy {
        async fn attempt(&self, _: &Rc<Notification>) -> Result<MessageId, Fault> {
            let (latency, accepts) = {
                let mut random = self.0.borrow_mut();
                (Duration::from_millis(random.u64(..2000)), random.u8(..10) == 0)
            };
            tokio::time::sleep(latency).await;
            if accepts {
                return Ok(MessageId(String::new()));
            }
            Err(throttled())
        }
    }

    fn throttled() -> Fault {
        Fault { code: "Throttling".to_owned(), ..fault(Scope::Transient) }
    }

    #[tokio::test(start_paused = true)]
    async fn as_long_as_others_get_through_a_throttled_event_waits_its_turn() {
        let retry = Retry::new(
            Busy(RefCell::new(fastrand::Rng::with_seed(1))),
            2,
            Duration::from_millis(50),
        );
        retry.accepted_at.set(Some(Instant::now()));
        let note = notification("t", "{}");
        let answers = futures_util::future::join_all((0..500).map(|_| retry.publish(&note))).await;
        let dead = answers.iter().filter(|it| it.is_err()).count();
        // The last ones have nobody left who would show them that SNS is alive.
        assert!(dead <= 5, "{dead} of 500 are dead letters");
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_gets_through_a_throttle_is_a_fault_like_others() {
        let place = MemoryTopics::default();
        (0..9).for_each(|_| place.fail_next(throttled()));
        let retry = Retry::new(place, 2, Duration::from_millis(50));
        let note = notification("t", "{}");
        assert_eq!(retry.publish(&note).await.unwrap_err().attempts, 3, "nothing ever did");
        retry.accepted_at.set(Some(Instant::now()));
        tokio::time::advance(LIVELY).await;
        assert_eq!(retry.publish(&note).await.unwrap_err().attempts, 3, "it was too long ago");
        retry.accepted_at.set(Some(Instant::now()));
        assert_eq!(retry.publish(&note).await.unwrap().attempts, 4);
    }

    #[test]
    fn a_huge_retry_count_overflows_nothing() {
        let mut pauses = AncestorPauses { count: 200, base: Duration::from_hours(1), drawn: 0 };
        assert_eq!(std::iter::from_fn(|| pauses.next_backoff()).count(), 200);
    }
}

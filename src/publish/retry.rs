//! Retries after temporary faults.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use backoff::backoff::Backoff;
use tokio::time::Instant;

use super::fault::{is_throttle, is_untried, paused};
use super::measure::PublishMetrics;
use super::{Attempt, PauseGate, Taken};
use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId, Scope};
use crate::pause::Pauses;
use crate::route::Notification;

/// While SNS has taken something within this time, a throttled event waits for its turn.
const LIVELY: Duration = Duration::from_secs(15);

/// For so long at most; and the longest pause between its attempts meanwhile.
const PATIENCE: Duration = Duration::from_mins(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A notification that SNS accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// SNS's id for it.
    pub id: MessageId,
    /// Attempts made, the successful one included.
    pub attempts: u32,
}

/// A notification that SNS did not accept.
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
    measures: PublishMetrics,
    pauses: Rc<PauseGate>,
}

impl<P: Attempt> Retry<P> {
    /// At most `count` retries, the first within `base` of the failure.
    pub fn new(place: P, count: u32, base: Duration) -> Self {
        Self {
            place,
            count,
            base,
            accepted_at: Cell::new(None),
            measures: PublishMetrics::default(),
            pauses: Rc::default(),
        }
    }

    /// Makes no attempt at what is paused there.
    pub(super) fn pausing(self, pauses: Rc<PauseGate>) -> Self {
        Self { pauses, ..self }
    }

    pub(super) const fn pauses(&self) -> &Rc<PauseGate> {
        &self.pauses
    }

    /// Counts there.
    pub(super) fn measured(self, measures: PublishMetrics) -> Self {
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
    pub async fn publish(
        &self,
        notification: &Rc<Notification>,
        taken: Taken,
    ) -> Result<Accepted, Failure> {
        let attempts = Cell::new(0);
        // Boxed, since every event in flight would carry the room for it along.
        let throttled = RefCell::new(None);
        let attempt = || async {
            if self.pauses.pauses_topic(&notification.topic) {
                return Err(backoff::Error::permanent(paused()));
            }
            attempts.set(attempts.get() + 1);
            let answer = self.place.attempt(notification, taken.clone()).await;
            if answer.is_ok() {
                self.accepted_at.set(Some(Instant::now()));
            }
            answer.map_err(|fault| match fault.scope {
                Scope::Transient if is_untried(&fault) => backoff::Error::permanent(fault),
                Scope::Transient => match self.pause_for_a_turn(&fault, &throttled) {
                    Some(pause) => backoff::Error::retry_after(fault, pause),
                    None => backoff::Error::transient(fault),
                },
                Scope::Message | Scope::Route | Scope::Service => backoff::Error::permanent(fault),
            })
        };
        let log = |fault: Fault, pause: Duration| {
            self.measures.retry(&notification.topic, &fault);
            tracing::debug!(
                event = "retrying",
                topic = %notification.topic,
                %fault,
                ?pause,
                "publish failed; retrying after a pause"
            );
        };
        let pauses = MongooseImPauses { count: self.count, base: self.base, drawn: 0 };
        match backoff::future::retry_notify(pauses, attempt, log).await {
            Ok(id) => Ok(Accepted { id, attempts: attempts.get() }),
            Err(fault) => Err(Failure { fault, attempts: attempts.get() }),
        }
    }

    /// The pause before a throttled event tries again without spending a retry, if it may.
    fn pause_for_a_turn(
        &self,
        fault: &Fault,
        throttled: &RefCell<Option<Box<Throttled>>>,
    ) -> Option<Duration> {
        let lively = || self.accepted_at.get().is_some_and(|at| at.elapsed() < LIVELY);
        if !is_throttle(fault) || !lively() {
            return None;
        }
        let first = self.base.clamp(Duration::from_millis(1), LONGEST_PAUSE);
        let mut throttled = throttled.borrow_mut();
        let throttled = throttled.get_or_insert_with(|| {
            Box::new(Throttled { since: Instant::now(), pauses: Pauses::new(first, LONGEST_PAUSE) })
        });
        (throttled.since.elapsed() < PATIENCE).then(|| throttled.pauses.draw())
    }

    /// As [`Attempt::ready`].
    pub(super) async fn ready(&self) {
        self.place.ready().await;
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
struct MongooseImPauses {
    count: u32,
    base: Duration,
    drawn: u32,
}

impl Backoff for MongooseImPauses {
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

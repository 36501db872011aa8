//! Holds what can't be published for a reason that is not the event's own.
//!
//! A held event waits here, unacknowledged. One of those that wait, the first, is the
//! probe: it tries again after growing pauses, and its success lets the others go on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Accepted, Failure, Publish, Retry};
use crate::arn::TopicArn;
use crate::outcome::{Fault, Scope};
use crate::pause::Pauses;
use crate::route::Notification;

/// The first pause of a probe.
const FIRST_PROBE: Duration = Duration::from_millis(500);

/// Lets notifications through, unless their topic or the service is held.
#[derive(Debug)]
pub struct Gate<R> {
    retry: R,
    service: Barrier,
    topics: Mutex<HashMap<TopicArn, Arc<Barrier>>>,
    exhausted_in_a_row: AtomicU32,
    threshold: u32,
    probe_max: Duration,
}

impl<P: Publish> Gate<Retry<P>> {
    /// `threshold` events in a row out of retries mean that the service is down; probes
    /// pause `probe_max` at most.
    pub fn new(retry: Retry<P>, threshold: u32, probe_max: Duration) -> Self {
        Self {
            retry,
            service: Barrier::default(),
            topics: Mutex::default(),
            exhausted_in_a_row: AtomicU32::new(0),
            threshold,
            probe_max,
        }
    }

    /// Publishes; waits as long as the topic or the service is held.
    ///
    /// # Errors
    ///
    /// Only what is to be dead-lettered: a fault of the message, or a transient one
    /// that outlasted the retries while others got through.
    pub async fn publish(&self, notification: &Notification) -> Result<Accepted, Failure> {
        let topic = self.barrier_of(&notification.topic);
        let mut attempts = 0;
        loop {
            let (barrier, fault) = match self.pass(&topic, notification, &mut attempts).await {
                Ok(accepted) => return Ok(Accepted { attempts, ..accepted }),
                Err(Blocked::Dead(fault)) => return Err(Failure { fault, attempts }),
                Err(Blocked::Topic(fault)) => (&*topic, fault),
                Err(Blocked::Service(fault)) => (&self.service, fault),
            };
            barrier.hold(&notification.topic, &fault);
        }
    }

    /// One way through both barriers, as the probe of whichever is held.
    async fn pass(
        &self,
        topic: &Barrier,
        notification: &Notification,
        attempts: &mut u32,
    ) -> Result<Accepted, Blocked> {
        let mut service_turn = self.service.wait_for_turn().await;
        let mut topic_turn = topic.wait_for_turn().await;
        let mut pauses = Pauses::new(FIRST_PROBE, self.probe_max);
        loop {
            if service_turn.is_some() || topic_turn.is_some() {
                tokio::time::sleep(pauses.draw()).await;
            }
            let answer = self.attempt(notification, attempts).await;
            // Any answer but a service fault, even a topic's own, is one of a service that lives.
            if !matches!(answer, Err(Blocked::Service(_))) {
                self.service.open_by(&mut service_turn, "service");
            }
            if matches!(answer, Ok(_) | Err(Blocked::Dead(_))) {
                topic.open_by(&mut topic_turn, notification.topic.as_str());
            }
            match answer {
                Err(Blocked::Service(_)) if service_turn.is_some() => {}
                Err(Blocked::Topic(_)) if topic_turn.is_some() => {}
                answer => return answer,
            }
        }
    }

    async fn attempt(
        &self,
        notification: &Notification,
        attempts: &mut u32,
    ) -> Result<Accepted, Blocked> {
        let failure = match self.retry.publish(notification).await {
            Ok(accepted) => {
                *attempts += accepted.attempts;
                self.exhausted_in_a_row.store(0, Ordering::Relaxed);
                return Ok(accepted);
            }
            Err(failure) => failure,
        };
        *attempts += failure.attempts;
        Err(match failure.fault.scope {
            Scope::Message => {
                self.exhausted_in_a_row.store(0, Ordering::Relaxed);
                Blocked::Dead(failure.fault)
            }
            Scope::Route => Blocked::Topic(failure.fault),
            Scope::Service => Blocked::Service(failure.fault),
            Scope::Transient => {
                let before = self.exhausted_in_a_row.fetch_add(1, Ordering::Relaxed);
                if before < self.threshold {
                    Blocked::Dead(failure.fault)
                } else {
                    Blocked::Service(failure.fault)
                }
            }
        })
    }

    fn barrier_of(&self, topic: &TopicArn) -> Arc<Barrier> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(barrier) = topics.get(topic) {
            return Arc::clone(barrier);
        }
        Arc::clone(topics.entry(topic.clone()).or_default())
    }
}

/// Why a notification did not get through.
enum Blocked {
    Dead(Fault),
    Topic(Fault),
    Service(Fault),
}

/// The right to probe.
type Turn<'a> = tokio::sync::MutexGuard<'a, ()>;

/// Open or held; while it is held, one event at a time has the turn to probe.
#[derive(Debug, Default)]
struct Barrier {
    held: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl Barrier {
    /// Returns at once when open. While held, returns the turn to probe to the one that
    /// waited longest; the others go on waiting, until the barrier opens.
    async fn wait_for_turn(&self) -> Option<Turn<'_>> {
        if !self.held.load(Ordering::Relaxed) {
            return None;
        }
        let turn = self.turn.lock().await;
        self.held.load(Ordering::Relaxed).then_some(turn)
    }

    fn hold(&self, topic: &TopicArn, fault: &Fault) {
        if self.held.swap(true, Ordering::Relaxed) {
            return;
        }
        let what = if fault.scope == Scope::Route { topic.as_str() } else { "service" };
        tracing::warn!(
            held = what,
            scope = %fault.scope,
            error = %fault,
            "holding: its events wait unacknowledged until a probe gets through"
        );
    }

    /// Opens, if the caller has the turn, and ends the turn, so that those who wait go on.
    fn open_by(&self, turn: &mut Option<Turn<'_>>, what: &str) {
        if turn.take().is_some() {
            self.held.store(false, Ordering::Relaxed);
            tracing::info!(held = what, "a probe got through: going on");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;
    use crate::publisher::MemoryTopics;
    use crate::publisher::memory::{fault, notification};

    const MINUTE: Duration = Duration::from_secs(60);

    fn gate(threshold: u32) -> Gate<Retry<MemoryTopics>> {
        let retry = Retry::new(MemoryTopics::default(), 0, Duration::ZERO);
        Gate::new(retry, threshold, Duration::from_secs(30))
    }

    fn place(gate: &Gate<Retry<MemoryTopics>>) -> &MemoryTopics {
        gate.retry.place()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_fault_holds_everything_and_dead_letters_nothing() {
        let gate = gate(10);
        for _ in 0..30 {
            place(&gate).fail_next(fault(Scope::Service));
        }
        let notes: Vec<_> = (0..20).map(|n| notification("t", &n.to_string())).collect();
        let begun = Instant::now();
        let answers = join_all(notes.iter().map(|note| gate.publish(note))).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(place(&gate).published().len(), 20);
        assert!(begun.elapsed() > Duration::from_secs(30), "probed too eagerly");
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_topic_lets_the_others_flow() {
        let gate = gate(10);
        place(&gate).fail_next(fault(Scope::Route));
        let (bad, good) = (notification("bad", "1"), notification("good", "2"));
        let mut held = Box::pin(gate.publish(&bad));
        while gate.topics.lock().unwrap().values().all(|b| !b.held.load(Ordering::Relaxed)) {
            assert!(held.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_millis(1), gate.publish(&good)).await.unwrap().unwrap();
        tokio::time::timeout(MINUTE, held).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn out_of_retries_is_a_dead_letter_until_the_threshold_says_outage() {
        let gate = gate(3);
        for _ in 0..6 {
            place(&gate).fail_next(fault(Scope::Transient));
        }
        let note = notification("t", "{}");
        for _ in 0..3 {
            gate.publish(&note).await.unwrap_err();
        }
        let accepted = gate.publish(&note).await.unwrap();
        assert_eq!(accepted.attempts, 4, "three failures and the success that opened the gate");
        place(&gate).fail_next(fault(Scope::Transient));
        gate.publish(&note).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_fault_during_a_probe_opens_the_gate() {
        let gate = gate(10);
        place(&gate).fail_next(fault(Scope::Service));
        place(&gate).fail_next(fault(Scope::Message));
        let note = notification("t", "{}");
        assert_eq!(gate.publish(&note).await.unwrap_err().attempts, 2);
        gate.publish(&note).now_or_never();
        assert!(!gate.service.held.load(Ordering::Relaxed));
    }
}

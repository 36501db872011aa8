//! Holds what can't be published for a reason that is not the event's own.
//!
//! A held event waits here, unacknowledged. Those that wait take turns to probe, after growing
//! pauses; the first answer that shows the fault to be gone lets all go on.

mod barrier;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use self::barrier::Barrier;
use super::{Accepted, Attempt, Failure, Retry};
use crate::arn::TopicArn;
use crate::outcome::{Fault, Scope};
use crate::route::Notification;

/// Lets notifications through, unless their topic or the service is held.
#[derive(Debug)]
pub struct Gate<R> {
    retry: R,
    service: Barrier,
    topics: RefCell<HashMap<TopicArn, Rc<Barrier>>>,
    exhausted_in_a_row: Cell<u32>,
    threshold: u32,
    probe_max: Duration,
}

/// What an answer says of a notification that was not accepted.
enum Blocked {
    /// It is its own fault, or of nobody in particular: a dead letter.
    Dead(Fault),
    /// Its topic is at fault.
    Topic(Fault),
    /// The service is.
    Service(Fault),
}

impl<P: Attempt> Gate<Retry<P>> {
    /// `threshold` events in a row out of retries mean that the service is down; probes
    /// pause `probe_max` at most.
    pub fn new(retry: Retry<P>, threshold: u32, probe_max: Duration) -> Self {
        Self {
            retry,
            service: Barrier::new(probe_max),
            topics: RefCell::default(),
            exhausted_in_a_row: Cell::new(0),
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
    pub async fn publish(&self, notification: &Rc<Notification>) -> Result<Accepted, Failure> {
        let topic = self.barrier_of(&notification.topic);
        let mut attempts = 0;
        loop {
            match self.try_to_pass(&topic, notification, &mut attempts).await {
                Ok(Some(accepted)) => return Ok(Accepted { attempts, ..accepted }),
                Ok(None) => {}
                Err(fault) => return Err(Failure { fault, attempts }),
            }
        }
    }

    /// Waits at both barriers and tries once, as the probe of one that is held. `None`: it
    /// was held up, or held back by the answer.
    async fn try_to_pass(
        &self,
        topic: &Barrier,
        notification: &Rc<Notification>,
        attempts: &mut u32,
    ) -> Result<Option<Accepted>, Fault> {
        // Never both turns at once: whoever waits for one while it has the other can block it for ever.
        let service_turn = self.service.pass().await;
        let topic_turn = if service_turn.is_some() { None } else { topic.pass().await };
        if service_turn.is_none() && self.service.is_held() {
            return Ok(None);
        }
        let answer = self.attempt(notification, attempts, topic_turn.is_some()).await;
        let arn = notification.topic.as_str();
        // Any answer but a service fault, even a topic's own, is one of a service that lives.
        if !matches!(answer, Err(Blocked::Service(_))) {
            announce_open("service", self.service.open());
        }
        match answer {
            Ok(accepted) => {
                announce_open(arn, topic.open());
                Ok(Some(accepted))
            }
            Err(Blocked::Dead(fault)) => {
                announce_open(arn, topic.open());
                Err(fault)
            }
            Err(Blocked::Topic(fault)) => {
                announce_hold(arn, &fault, topic.hold(topic_turn.is_some()));
                Ok(None)
            }
            Err(Blocked::Service(fault)) => {
                announce_hold("service", &fault, self.service.hold(service_turn.is_some()));
                Ok(None)
            }
        }
    }

    async fn attempt(
        &self,
        notification: &Rc<Notification>,
        attempts: &mut u32,
        probes_topic: bool,
    ) -> Result<Accepted, Blocked> {
        let failure = match self.retry.publish(notification).await {
            Ok(accepted) => {
                *attempts += accepted.attempts;
                self.exhausted_in_a_row.set(0);
                return Ok(accepted);
            }
            Err(failure) => failure,
        };
        *attempts += failure.attempts;
        Err(match failure.fault.scope {
            Scope::Message => {
                self.exhausted_in_a_row.set(0);
                Blocked::Dead(failure.fault)
            }
            Scope::Route => {
                self.exhausted_in_a_row.set(0);
                Blocked::Topic(failure.fault)
            }
            Scope::Service => Blocked::Service(failure.fault),
            Scope::Transient => self.exhausted(failure.fault, probes_topic),
        })
    }

    /// Out of retries: the event's bad luck, unless something is held or it is one of many.
    fn exhausted(&self, fault: Fault, probes_topic: bool) -> Blocked {
        let in_a_row = self.exhausted_in_a_row.get().saturating_add(1);
        self.exhausted_in_a_row.set(in_a_row);
        if self.service.is_held() || in_a_row >= self.threshold {
            Blocked::Service(fault)
        } else if probes_topic {
            Blocked::Topic(fault)
        } else {
            Blocked::Dead(fault)
        }
    }

    fn barrier_of(&self, topic: &TopicArn) -> Rc<Barrier> {
        let mut topics = self.topics.borrow_mut();
        if let Some(barrier) = topics.get(topic) {
            return Rc::clone(barrier);
        }
        let barrier = Rc::new(Barrier::new(self.probe_max));
        topics.insert(topic.clone(), Rc::clone(&barrier));
        barrier
    }
}

fn announce_hold(held: &str, fault: &Fault, begins: bool) {
    if begins {
        tracing::warn!(
            held,
            scope = %fault.scope,
            error = %fault,
            "holding: its events wait unacknowledged until a probe gets through"
        );
    }
}

fn announce_open(held: &str, lasted: Option<Duration>) {
    if let Some(lasted) = lasted {
        tracing::info!(held, ?lasted, "an answer got through: going on");
    }
}

//! Decides whether a refusal is the fault of the event, of its topic or of the service.
//!
//! An event's own fault makes it a dead letter. Other faults open the circuit breaker of the topic or of the service, and the
//! event waits, unacknowledged: for the topic first, then for the service, so that no deadlock occurs.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;

use super::breaker::{CircuitBreaker, Permit};
use super::fault::{is_denial, is_unreachable, is_untried};
use super::{Accepted, Attempt, Failure, PauseGate, Retry};
use crate::arn::TopicArn;
use crate::observe::incidents::Incidents;
use crate::outcome::{Circuit, Fault, Scope};
use crate::publish::hold::{Deadline, OpenCircuit, Overdue};
use crate::route::Notification;

/// Between two looks at an event that must not leave since its broker is silent.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is held and has no event for so long has been left by those that met the outage.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// Publishes with a circuit breaker for each topic and one for the service.
#[derive(Debug)]
pub struct FaultPolicy<R> {
    retry: R,
    service: Rc<CircuitBreaker>,
    topics: RefCell<HashMap<TopicArn, Rc<CircuitBreaker>>>,
    threshold: u32,
    probe_max: Duration,
    incidents: Rc<Incidents>,
}

/// Why a notification was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpublished {
    /// It is to be dead-lettered: its own fault, or a transient one that outlasted the retries.
    Failed(Failure),
    /// A circuit is open, and it may not go on waiting for that one.
    Overdue(Overdue),
}

impl<P: Attempt> FaultPolicy<Retry<P>> {
    /// `threshold` events in a row out of retries mean that the topic is down, or the service, if
    /// nothing of any topic got through; probes pause `probe_max` at most.
    pub fn new(retry: Retry<P>, threshold: u32, probe_max: Duration) -> Self {
        let incidents = Rc::default();
        let service = Rc::new(CircuitBreaker::new(Circuit::Service, probe_max));
        Self { retry, service, topics: RefCell::default(), threshold, probe_max, incidents }
    }

    /// Circuits that open are announced there. For a policy that has published nothing yet.
    #[must_use]
    pub fn announcing(self, incidents: Rc<Incidents>) -> Self {
        let service = CircuitBreaker::new(Circuit::Service, self.probe_max);
        let service = Rc::new(service.announcing(Rc::clone(&incidents)));
        Self { service, incidents, ..self }
    }

    /// Publishes; waits for open circuits, until the `deadline`.
    ///
    /// # Errors
    ///
    /// What is to be dead-lettered, and what may not go on waiting.
    pub async fn publish(
        &self,
        notification: &Rc<Notification>,
        deadline: &Deadline<'_>,
    ) -> Result<Accepted, Unpublished> {
        let (arn, ordered) = (&notification.topic, notification.order.is_some());
        let breaker = self.topic(arn);
        let mut attempts = 0;
        loop {
            if deadline.budget.goes_back() {
                return Err(Unpublished::Overdue(Overdue::Requeue));
            }
            if deadline.is_lapsed() {
                // Looked at again with all else: what goes back meanwhile waits for nothing.
                sleep(LOOK_AGAIN).await;
                continue;
            }
            if self.pauses().pauses_topic(arn) {
                self.wait_for_resumption(&breaker, notification, deadline).await?;
                continue;
            }
            let slot = || deadline.slot(arn, notification.size(), ordered, breaker.waiting() == 0);
            let slot = breaker.is_open().then(slot).transpose();
            let _slot = slot.map_err(Unpublished::Overdue)?;
            let topic = acquire(&breaker, deadline, ordered).await?;
            let service = acquire(&self.service, deadline, ordered).await?;
            // The topic's circuit opened, or an operator paused the topic, while this event waited.
            if topic.is_outdated() || self.pauses().pauses_topic(arn) {
                continue;
            }
            // One that probes still waits: for what it waited for last.
            let probe = [&service, &topic].into_iter().find(|it| it.is_probe());
            let _waiting = probe.map(|it| it.breaker.wait());
            let answer = self.retry.publish(notification, deadline.taken()).await;
            attempts += answer.as_ref().map_or_else(|it| it.attempts, |it| it.attempts);
            let fault = match answer {
                Ok(accepted) => {
                    service.succeeded();
                    topic.succeeded();
                    return Ok(Accepted { attempts, ..accepted });
                }
                Err(failure) => failure.fault,
            };
            // Nobody was asked.
            if is_untried(&fault) {
                continue;
            }
            // It was an answer, if only that the topic is not there.
            if matches!(fault.scope, Scope::Message | Scope::Route) {
                service.succeeded();
            }
            if fault.scope == Scope::Message {
                topic.succeeded();
            }
            let Some(permit) = self.at_fault(&topic, &service, &fault) else {
                return Err(Unpublished::Failed(Failure { fault, attempts }));
            };
            permit.failed(&fault, arn);
        }
    }

    /// Waits until an operator, or its end, resumes the topic, until the deadline.
    // Boxed, since every event would carry the room for it along.
    fn wait_for_resumption<'a>(
        &'a self,
        breaker: &'a CircuitBreaker,
        notification: &'a Notification,
        deadline: &'a Deadline<'_>,
    ) -> LocalBoxFuture<'a, Result<(), Unpublished>> {
        let (arn, ordered) = (&notification.topic, notification.order.is_some());
        Box::pin(async move {
            let _waiting = self.pauses().wait(arn);
            let slot = deadline.slot(arn, notification.size(), ordered, false);
            let _slot = slot.map_err(Unpublished::Overdue)?;
            tokio::select! {
                biased;
                () = self.pauses().topic_resumed(arn) => Ok(()),
                () = deadline.expired(|| self.pauses().pauses_topic(arn)) => {
                    Err(Unpublished::Overdue(deadline.overdue(breaker.outage(), ordered)))
                }
            }
        })
    }

    /// Whose fault it is: the topic's, the service's, or, `None`, the event's own or nobody's in particular.
    fn at_fault<'a>(
        &self,
        topic: &'a Permit<'a>,
        service: &'a Permit<'a>,
        fault: &Fault,
    ) -> Option<&'a Permit<'a>> {
        match fault.scope {
            Scope::Message => return None,
            Scope::Route => return Some(topic),
            Scope::Service => return Some(service),
            Scope::Transient => {}
        }
        // Out of retries: the event's bad luck, unless something else explains it.
        let both = [service, topic];
        let is_open = |it: &&&Permit<'_>| it.is_outdated() || it.breaker.is_open();
        if let Some(open) = both.iter().find(is_open) {
            return Some(open);
        }
        // Nobody has looked at the event yet.
        if is_unreachable(fault) {
            return Some(if service.is_silent() { service } else { topic });
        }
        let down = both.map(|it| {
            let is_enough = it.breaker.count_exhausted() >= self.threshold;
            (is_enough || (it.breaker.is_half_open() && it.is_silent())).then_some(it)
        });
        down[0].or(down[1])
    }

    fn topic(&self, arn: &TopicArn) -> Rc<CircuitBreaker> {
        let mut topics = self.topics.borrow_mut();
        if let Some(breaker) = topics.get(arn) {
            return Rc::clone(breaker);
        }
        let breaker = || {
            let breaker = CircuitBreaker::new(Circuit::Topic(arn.clone()), self.probe_max);
            Rc::new(breaker.announcing(Rc::clone(&self.incidents)))
        };
        Rc::clone(topics.entry(arn.clone()).or_insert_with(breaker))
    }

    /// Waits until a circuit is not open any more, for a source that has requeued its events: asks for the topic
    /// instead of publishing to it.
    pub async fn wait_while_open(&self, circuit: &Circuit) {
        let breaker = match circuit {
            Circuit::Service => Rc::clone(&self.service),
            Circuit::Topic(arn) => self.topic(arn),
        };
        loop {
            if let Circuit::Topic(arn) = circuit {
                self.pauses().topic_resumed(arn).await;
            }
            let permit = breaker.acquire().await;
            if matches!(circuit, Circuit::Topic(arn) if self.pauses().pauses_topic(arn)) {
                continue;
            }
            let Some(topic) = breaker.topic() else { return };
            self.ask(&topic, &permit).await;
        }
    }

    /// Asks for what is held and has no event here, again and again: those that met the outage went to another worker, as with a partition
    /// that is handed over, and without an event to try it by it would be held for ever.
    pub async fn ask_for_abandoned(&self) {
        let mut before = Vec::new();
        loop {
            sleep(ABANDONED_AFTER).await;
            let now = self.abandoned();
            for breaker in now.iter().filter(|it| before.iter().any(|other| Rc::ptr_eq(it, other)))
            {
                // Not before its next probe is due.
                let Some(permit) = breaker.acquire().now_or_never() else { continue };
                if let Some(topic) = breaker.topic().filter(|it| !self.pauses().pauses_topic(it)) {
                    self.ask(&topic, &permit).await;
                }
            }
            before = now;
        }
    }

    /// What is held, with no event that waits for it.
    fn abandoned(&self) -> Vec<Rc<CircuitBreaker>> {
        let topics = self.topics.borrow();
        let all = std::iter::once(&self.service).chain(topics.values());
        all.filter(|it| it.is_open() && it.waiting() == 0).map(Rc::clone).collect()
    }

    /// Asks whether a circuit may close.
    async fn ask(&self, topic: &TopicArn, permit: &Permit<'_>) {
        match self.retry.find_topic(topic).await {
            Err(fault) if says_still_open(permit.breaker.circuit(), &fault) => {
                permit.failed(&fault, topic);
            }
            Ok(()) | Err(_) => permit.breaker.half_open(),
        }
    }

    /// What operators have paused.
    #[must_use]
    pub const fn pauses(&self) -> &Rc<PauseGate> {
        self.retry.pauses()
    }

    /// As [`Attempt::ready`]. What waits for a circuit is not tried, and leaves room to others.
    pub async fn ready(&self) {
        self.retry.ready().await;
    }

    /// What holds the events of a topic: its circuit, or the service's.
    #[must_use]
    pub fn open_circuit_of(&self, topic: &TopicArn) -> Option<Circuit> {
        if self.service.is_open() {
            return Some(Circuit::Service);
        }
        let is_open = self.topics.borrow().get(topic).is_some_and(|it| it.is_open());
        is_open.then(|| Circuit::Topic(topic.clone()))
    }

    /// All circuits that are open at this moment.
    #[must_use]
    pub fn open_circuits(&self) -> Vec<OpenCircuit> {
        let topics = self.topics.borrow();
        std::iter::once(&self.service).chain(topics.values()).filter_map(|it| it.seen()).collect()
    }
}

/// Waits for a permit, until the deadline.
async fn acquire<'a>(
    breaker: &'a CircuitBreaker,
    deadline: &Deadline<'_>,
    ordered: bool,
) -> Result<Permit<'a>, Unpublished> {
    if let Some(permit) = breaker.try_acquire() {
        return Ok(permit);
    }
    // Boxed, since every event would carry the room for it along.
    Box::pin(async {
        let _waiting = breaker.wait();
        tokio::select! {
            biased;
            permit = breaker.acquire() => Ok(permit),
            () = deadline.expired(|| breaker.is_open()) => {
                Err(Unpublished::Overdue(deadline.overdue(breaker.outage(), ordered)))
            }
        }
    })
    .await
}

/// What asking for a topic tells about publishing to it. Where asking alone is not allowed, only an
/// event can tell.
fn says_still_open(circuit: &Circuit, fault: &Fault) -> bool {
    match fault.scope {
        Scope::Service | Scope::Transient => true,
        Scope::Route => matches!(circuit, Circuit::Topic(_)) && !is_denial(fault),
        Scope::Message => false,
    }
}

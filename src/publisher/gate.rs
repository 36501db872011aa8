//! Holds what can't be published for a reason that is not the event's own.
//!
//! A held event waits here, unacknowledged. Those that wait take turns to probe, after growing
//! pauses; the first answer that shows the fault to be gone lets the others go on, few at first.
//! Topic first, then service: everyone waits in this order, so that nobody blocks anybody for ever.

mod barrier;
mod opening;
mod pass;
mod report;
#[cfg(test)]
mod tests;
mod view;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use self::barrier::Barrier;
use self::pass::{Pass, Try, Waiting};
use self::view::hold;
use super::fault::is_unreachable;
use super::{Accepted, Attempt, Failure, Retry};
use crate::arn::TopicArn;
use crate::hold::{Held, NotNow, Stay};
use crate::outcome::{Fault, Scope};
use crate::route::Notification;

/// Lets notifications through, unless their topic or the service is held.
#[derive(Debug)]
pub struct Gate<R> {
    retry: R,
    service: Rc<Barrier>,
    topics: RefCell<HashMap<TopicArn, Rc<Barrier>>>,
    threshold: u32,
    probe_max: Duration,
}

/// Why a notification was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpublished {
    /// It is to be dead-lettered: its own fault, or a transient one that outlasted the retries
    /// while others got through.
    Failed(Failure),
    /// It is held, and may not go on waiting here.
    NotNow(NotNow),
}

impl From<Failure> for Unpublished {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NotNow> for Unpublished {
    fn from(not_now: NotNow) -> Self {
        Self::NotNow(not_now)
    }
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

/// How one try came past a topic's barrier and the service's.
struct Way<'a> {
    arn: &'a TopicArn,
    topic: &'a Barrier,
    at_topic: Try<'a>,
    at_service: Try<'a>,
    /// A probe still waits for what it probes.
    _held_up: Option<Waiting<'a>>,
}

impl<P: Attempt> Gate<Retry<P>> {
    /// `threshold` events in a row out of retries mean that the topic is down, or the service, if
    /// nothing of any topic got through; probes pause `probe_max` at most.
    pub fn new(retry: Retry<P>, threshold: u32, probe_max: Duration) -> Self {
        let service = Rc::new(Barrier::new(probe_max));
        Self { retry, service, topics: RefCell::default(), threshold, probe_max }
    }

    /// Publishes; waits as long as the topic or the service is held and the `stay` lasts.
    ///
    /// # Errors
    ///
    /// What is to be dead-lettered, and what may not go on waiting.
    pub async fn publish(
        &self,
        notification: &Rc<Notification>,
        stay: &Stay<'_>,
    ) -> Result<Accepted, Unpublished> {
        let topic = self.barrier_of(&notification.topic);
        let mut attempts = 0;
        loop {
            if stay.is_over() {
                return Err(NotNow::HandBack.into());
            }
            if let Some(accepted) =
                self.try_to_pass(&topic, notification, stay, &mut attempts).await?
            {
                return Ok(Accepted { attempts, ..accepted });
            }
        }
    }

    /// Waits at both barriers and tries once, as the probe of one that is held. `None`: it was
    /// held up, or held back by the answer.
    async fn try_to_pass(
        &self,
        topic: &Barrier,
        notification: &Rc<Notification>,
        stay: &Stay<'_>,
        attempts: &mut u32,
    ) -> Result<Option<Accepted>, Unpublished> {
        let arn = &notification.topic;
        let (bytes, ordered) = (notification.size(), notification.order.is_some());
        let _place = if topic.is_held() && !stay.is_stopping() {
            Some(stay.wait_for(arn, bytes, ordered, topic.waiting() == 0).ok_or(NotNow::Park)?)
        } else {
            None
        };
        let way = self.passes(topic, arn, ordered, stay).await?;
        // Held while it waited for the service.
        if topic.is_held() && !way.at_topic.is_probe() && !way.at_service.is_probe() {
            return Ok(None);
        }
        let published = self.retry.publish(notification, stay.taken()).await;
        *attempts += published.as_ref().map_or_else(|it| it.attempts, |it| it.attempts);
        let answer = published.map_err(|failure| self.blocked(&way, failure.fault));
        self.learn(&way, &answer);
        match answer {
            Ok(accepted) => Ok(Some(accepted)),
            Err(Blocked::Dead(fault)) => Err(Failure { fault, attempts: *attempts }.into()),
            Err(Blocked::Topic(_) | Blocked::Service(_)) => Ok(None),
        }
    }

    /// Passes the topic's barrier, then the service's.
    async fn passes<'a>(
        &'a self,
        topic: &'a Barrier,
        arn: &'a TopicArn,
        ordered: bool,
        stay: &Stay<'_>,
    ) -> Result<Way<'a>, NotNow> {
        let at_topic = pass(topic, stay).await;
        let at_topic = at_topic.ok_or_else(|| stay.end(Held::Topic(arn.clone()), ordered))?;
        let at_service = pass(&self.service, stay).await;
        let at_service = at_service.ok_or_else(|| stay.end(Held::Service, ordered))?;
        let (at_topic, at_service) = (topic.begin(at_topic), self.service.begin(at_service));
        // Counted once, where it waited last.
        let tries = [(&*self.service, &at_service), (topic, &at_topic)];
        let probed = tries.into_iter().find(|(_, it)| it.is_probe());
        let held_up = probed.map(|(barrier, _)| barrier.holds_up_an_event());
        Ok(Way { arn, topic, at_topic, at_service, _held_up: held_up })
    }

    fn blocked(&self, way: &Way<'_>, fault: Fault) -> Blocked {
        match fault.scope {
            Scope::Message => Blocked::Dead(fault),
            Scope::Route => Blocked::Topic(fault),
            Scope::Service => Blocked::Service(fault),
            Scope::Transient => self.exhausted(way, fault),
        }
    }

    /// Out of retries: the event's bad luck, unless something else explains it.
    fn exhausted(&self, way: &Way<'_>, fault: Fault) -> Blocked {
        let Way { topic, at_topic, at_service, .. } = way;
        if self.service.is_held_since(at_service) {
            return Blocked::Service(fault);
        }
        if topic.is_held_since(at_topic) {
            return Blocked::Topic(fault);
        }
        let service_is_silent = self.service.is_silent_since(at_service);
        // Nobody has looked at the event yet.
        if is_unreachable(&fault) {
            return if service_is_silent { Blocked::Service(fault) } else { Blocked::Topic(fault) };
        }
        let topic_is_silent = topic.is_silent_since(at_topic);
        let (in_all, in_topic) = (self.service.exhausted(), topic.exhausted());
        if in_all >= self.threshold || (service_is_silent && self.service.is_opening()) {
            Blocked::Service(fault)
        } else if in_topic >= self.threshold || (topic_is_silent && topic.is_opening()) {
            Blocked::Topic(fault)
        } else {
            Blocked::Dead(fault)
        }
    }

    /// Holds and opens as the answer says.
    fn learn(&self, way: &Way<'_>, answer: &Result<Accepted, Blocked>) {
        match answer {
            Err(Blocked::Service(fault)) => {
                hold(Held::Service, &self.service, fault, way.arn, &way.at_service);
            }
            Err(Blocked::Topic(fault)) => {
                if fault.scope == Scope::Route {
                    self.service_lives(way);
                }
                hold(Held::Topic(way.arn.clone()), way.topic, fault, way.arn, &way.at_topic);
            }
            Err(Blocked::Dead(fault)) if fault.scope == Scope::Transient => {}
            Ok(_) | Err(Blocked::Dead(_)) => {
                self.service_lives(way);
                if let Some(lasted) = way.topic.let_through(&way.at_topic) {
                    report::end(&Held::Topic(way.arn.clone()), lasted);
                }
            }
        }
    }

    /// Its answer was one, if only that a topic is not there.
    fn service_lives(&self, way: &Way<'_>) {
        if let Some(lasted) = self.service.let_through(&way.at_service) {
            report::end(&Held::Service, lasted);
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

/// Passes a barrier. `None`: the stay ended first.
async fn pass<'a>(barrier: &'a Barrier, stay: &Stay<'_>) -> Option<Pass<'a>> {
    if barrier.is_open() {
        return Some(Pass::default());
    }
    // Looked at whenever the event wakes, which it does at a stop and when a hold begins anew.
    let in_vain = poll_fn(|_| {
        if stay.is_stopping() && barrier.is_held() { Poll::Ready(()) } else { Poll::Pending }
    });
    // Boxed, since every event would carry the room for it along.
    Box::pin(async {
        let _held_up = barrier.holds_up_an_event();
        tokio::select! {
            biased;
            pass = barrier.pass() => Some(pass),
            () = in_vain => None,
            () = stay.over() => None,
        }
    })
    .await
}

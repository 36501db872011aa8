//! What is held, for those who look at it from outside.

use std::rc::Rc;

use super::barrier::Barrier;
use super::pass::Try;
use super::{Gate, report};
use crate::arn::TopicArn;
use crate::hold::{Held, Hold};
use crate::outcome::{Fault, Scope};
use crate::publisher::fault::{advice, is_denial};
use crate::publisher::{Attempt, Retry};

impl<P: Attempt> Gate<Retry<P>> {
    /// Waits until what was held is so no more, for a source that handed back all its events: it asks
    /// for the topic instead of publishing to it.
    pub async fn reopened(&self, held: &Held) {
        let barrier = self.barrier_to(held);
        loop {
            let pass = barrier.pass().await;
            let tried = barrier.begin(pass);
            let Some(arn) = barrier.read(|holding, _| holding.topic.clone()) else { return };
            match self.retry.find_topic(&arn).await {
                Err(fault) if says_still_held(held, &fault) => {
                    hold(held.clone(), &barrier, &fault, &arn, &tried);
                }
                Ok(()) | Err(_) => {
                    if let Some(lasted) = barrier.begin_to_open() {
                        report::end(held, lasted);
                    }
                }
            }
        }
    }

    /// As [`Attempt::ready`]. What is held here is not tried, and leaves room to others.
    pub async fn ready(&self) {
        self.retry.ready().await;
    }

    /// Whether this is held at the moment.
    #[must_use]
    pub fn is_held(&self, held: &Held) -> bool {
        self.barrier_to(held).is_held()
    }

    /// Whether an event got through since this was held last: a question may have been answered where
    /// an event is not taken.
    #[must_use]
    pub fn is_back(&self, held: &Held) -> bool {
        self.barrier_to(held).is_back()
    }

    fn barrier_to(&self, held: &Held) -> Rc<Barrier> {
        match held {
            Held::Service => Rc::clone(&self.service),
            Held::Topic(arn) => self.barrier_of(arn),
        }
    }

    /// All that is held at this moment.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        let topics = self.topics.borrow();
        let topics = topics.iter().map(|(arn, barrier)| (Held::Topic(arn.clone()), &**barrier));
        let all = std::iter::once((Held::Service, &*self.service)).chain(topics);
        all.filter_map(|(held, barrier)| hold_of(held, barrier)).collect()
    }
}

/// What asking for a topic tells about publishing to it. Where asking alone is not allowed, only an
/// event can tell.
fn says_still_held(held: &Held, fault: &Fault) -> bool {
    match fault.scope {
        Scope::Service | Scope::Transient => true,
        Scope::Route => matches!(held, Held::Topic(_)) && !is_denial(fault),
        Scope::Message => false,
    }
}

/// Holds, and says so.
pub(super) fn hold(
    held: Held,
    barrier: &Barrier,
    fault: &Fault,
    topic: &TopicArn,
    tried: &Try<'_>,
) {
    if let Some(word) = barrier.hold(fault, topic, tried)
        && let Some(hold) = hold_of(held, barrier)
    {
        report::hold(&hold, word);
    }
}

fn hold_of(held: Held, barrier: &Barrier) -> Option<Hold> {
    barrier.read(|holding, next_probe| Hold {
        held,
        since: holding.since,
        lasted: holding.began.elapsed(),
        waiting: barrier.events(),
        next_probe,
        fault: holding.fault.clone(),
        advice: advice(&holding.fault),
    })
}

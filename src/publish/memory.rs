//! Topics in memory, for tests, also of plugins.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::{Attempt, Publish, Taken};
use crate::outcome::{Fault, MessageId};
use crate::route::Notification;

/// A publisher in memory: keeps notifications, and fails as a test configures.
#[derive(Debug, Default)]
pub struct MemoryTopics {
    published: RefCell<Vec<Notification>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryTopics {
    /// All that was accepted, in order.
    pub fn published(&self) -> Vec<Notification> {
        self.published.borrow().clone()
    }

    /// The next publish that has no fault before it in line meets this one.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl Attempt for MemoryTopics {
    async fn attempt(
        &self,
        notification: &Rc<Notification>,
        _taken: Taken,
    ) -> Result<MessageId, Fault> {
        self.publish(notification).await
    }
}

impl Publish for MemoryTopics {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        // A real place answers later; this keeps callers honest about it.
        tokio::task::yield_now().await;
        if let Some(fault) = self.faults.borrow_mut().pop_front() {
            return Err(fault);
        }
        let mut published = self.published.borrow_mut();
        published.push(notification.clone());
        Ok(MessageId(format!("memory-{}", published.len())))
    }

    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let mut answers = Vec::new();
        for notification in batch {
            answers.push(self.publish(notification).await);
        }
        Ok(answers)
    }
}

#[cfg(test)]
pub(crate) fn notification(topic: &str, body: &str) -> Rc<Notification> {
    Rc::new(Notification {
        topic: crate::arn::TopicArn::build("us-east-1", "123456789012", topic).unwrap(),
        body: body.to_owned(),
        attributes: crate::plugin::Attributes::default(),
        order: None,
        group: None,
        dedup_id: None,
    })
}

#[cfg(test)]
pub(crate) fn fault(scope: crate::outcome::Scope) -> Fault {
    Fault { scope, code: "Test".to_owned(), detail: String::new() }
}

/// Runs it under a paused clock, with tasks of its own on one thread.
#[cfg(test)]
pub(crate) fn under_a_paused_clock<F: Future>(run: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(tokio::task::LocalSet::new().run_until(run))
}

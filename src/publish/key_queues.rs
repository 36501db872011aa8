//! Per-key queues: an event is published only after the previous one with the same key.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::route::OrderKey;

/// The queues of all keys that have an event under way.
#[derive(Debug, Clone, Default)]
pub struct KeyQueues(Rc<RefCell<HashMap<OrderKey, Waiting>>>);

/// The events that wait behind the one at the front.
type Waiting = VecDeque<oneshot::Sender<()>>;

/// A slot in the queue of a key. Dropping it wakes the next one, if it was at the front.
#[derive(Debug)]
#[must_use = "dropping it gives the place up"]
pub struct Turn {
    queues: KeyQueues,
    key: OrderKey,
    /// `None`: at the front.
    called: Option<oneshot::Receiver<()>>,
}

impl KeyQueues {
    /// Takes the place behind all that are in the queue of this key.
    pub fn queue_up(&self, key: &OrderKey) -> Turn {
        let mut queues = self.0.borrow_mut();
        let called = if let Some(queue) = queues.get_mut(key) {
            let (call, called) = oneshot::channel();
            queue.push_back(call);
            Some(called)
        } else {
            queues.insert(key.clone(), Waiting::new());
            None
        };
        Turn { queues: self.clone(), key: key.clone(), called }
    }
}

impl Turn {
    /// Waits until all who queued up before are done.
    pub async fn wait(&mut self) {
        if let Some(called) = &mut self.called {
            // A queue that is not empty always has one at the front, which calls the next.
            let _ = called.await;
            self.called = None;
        }
    }

    fn is_at_the_front(&mut self) -> bool {
        self.called.as_mut().is_none_or(|called| called.try_recv().is_ok())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // One that gives up while it waits is passed over when its turn would come.
        if !self.is_at_the_front() {
            return;
        }
        let mut queues = self.queues.0.borrow_mut();
        let Some(queue) = queues.get_mut(&self.key) else { return };
        while let Some(next) = queue.pop_front() {
            if next.send(()).is_ok() {
                return;
            }
        }
        queues.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn key(key: &str) -> OrderKey {
        OrderKey::from(key.to_owned())
    }

    #[test]
    fn events_of_a_key_go_in_order_and_those_of_other_keys_go_freely() {
        let queues = KeyQueues::default();
        let mut first = queues.queue_up(&key("a"));
        let mut second = queues.queue_up(&key("a"));
        let mut third = queues.queue_up(&key("a"));
        let mut other = queues.queue_up(&key("b"));
        assert!(first.wait().now_or_never().is_some());
        assert!(other.wait().now_or_never().is_some());
        assert!(second.wait().now_or_never().is_none());
        drop(first);
        assert!(third.wait().now_or_never().is_none());
        assert!(second.wait().now_or_never().is_some());
        drop(second);
        assert!(third.wait().now_or_never().is_some());
        drop((third, other));
        assert!(queues.0.borrow().is_empty(), "an empty queue takes no memory");
    }

    #[test]
    fn one_that_gives_up_blocks_nobody() {
        let queues = KeyQueues::default();
        let first = queues.queue_up(&key("a"));
        let waits = queues.queue_up(&key("a"));
        let called_but_gone = queues.queue_up(&key("a"));
        let mut last = queues.queue_up(&key("a"));
        drop(waits);
        drop(first);
        drop(called_but_gone);
        assert!(last.wait().now_or_never().is_some());
    }
}

//! One lane for each key: who comes first goes first, and the next only when the first is done.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::route::OrderKey;

/// All lanes that somebody is in.
#[derive(Debug, Clone, Default)]
pub struct Lanes(Rc<RefCell<HashMap<OrderKey, Lane>>>);

/// Those who wait behind the one at the front.
type Lane = VecDeque<oneshot::Sender<()>>;

/// A place in a lane. Dropping it calls whoever is next, if it was at the front.
#[derive(Debug)]
#[must_use = "dropping it gives the place up"]
pub struct Turn {
    lanes: Lanes,
    key: OrderKey,
    /// `None`: at the front.
    called: Option<oneshot::Receiver<()>>,
}

impl Lanes {
    /// Takes the place behind all that are in this lane.
    pub fn queue_up(&self, key: &OrderKey) -> Turn {
        let mut lanes = self.0.borrow_mut();
        let called = if let Some(lane) = lanes.get_mut(key) {
            let (call, called) = oneshot::channel();
            lane.push_back(call);
            Some(called)
        } else {
            lanes.insert(key.clone(), Lane::new());
            None
        };
        Turn { lanes: self.clone(), key: key.clone(), called }
    }
}

impl Turn {
    /// Waits until all who queued up before are done.
    pub async fn come(&mut self) {
        if let Some(called) = &mut self.called {
            // A lane with somebody in it always has one at the front, who calls the next.
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
        let mut lanes = self.lanes.0.borrow_mut();
        let Some(lane) = lanes.get_mut(&self.key) else { return };
        while let Some(next) = lane.pop_front() {
            if next.send(()).is_ok() {
                return;
            }
        }
        lanes.remove(&self.key);
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
    fn a_lane_goes_in_order_and_other_lanes_go_freely() {
        let lanes = Lanes::default();
        let mut first = lanes.queue_up(&key("a"));
        let mut second = lanes.queue_up(&key("a"));
        let mut third = lanes.queue_up(&key("a"));
        let mut other = lanes.queue_up(&key("b"));
        assert!(first.come().now_or_never().is_some());
        assert!(other.come().now_or_never().is_some());
        assert!(second.come().now_or_never().is_none());
        drop(first);
        assert!(third.come().now_or_never().is_none());
        assert!(second.come().now_or_never().is_some());
        drop(second);
        assert!(third.come().now_or_never().is_some());
        drop((third, other));
        assert!(lanes.0.borrow().is_empty(), "an empty lane takes no memory");
    }

    #[test]
    fn one_that_gives_up_blocks_nobody() {
        let lanes = Lanes::default();
        let first = lanes.queue_up(&key("a"));
        let waits = lanes.queue_up(&key("a"));
        let called_but_gone = lanes.queue_up(&key("a"));
        let mut last = lanes.queue_up(&key("a"));
        drop(waits);
        drop(first);
        drop(called_but_gone);
        assert!(last.come().now_or_never().is_some());
    }
}

//! A worker's claim to one partition: whether it is to be handed over, and what it brings.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A partition is active for so long after a delivery.
const ACTIVE_FOR: Duration = Duration::from_secs(2);

/// What came back is given up again after this, and twice that each further time, up to 64 times that.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const MOST_DOUBLED: u16 = 6;

/// Of one partition, through all sessions.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// How often it was given up since the number of workers has changed.
    given_up: Cell<u16>,
    given_up_at: Cell<Option<Instant>>,
    may_begin: watch::Sender<bool>,
    hand_over: Cell<bool>,
    asked: Notify,
    last_delivery: Cell<Option<Instant>>,
    open: Cell<usize>,
    settled: Cell<u64>,
}

/// What the balance between workers depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// How often it was given up before.
    pub(super) given_up: u16,
    /// Something has come lately, or is open.
    pub(super) is_active: bool,
    /// It came back soon after it was given up, and is not given up again for a while: there may be nobody else to take it.
    pub(super) came_back: bool,
}

impl Claim {
    pub(super) fn view(&self) -> View {
        let is_recent = |at: Instant| at.elapsed() < ACTIVE_FOR;
        let comes = self.open.get() > 0 || self.last_delivery.get().is_some_and(is_recent);
        // What is being handed over is another worker's.
        let is_active = comes && !self.hand_over.get();
        let given_up = self.given_up.get();
        let rest = AGAIN_AFTER * 2_u32.pow(given_up.min(MOST_DOUBLED).into());
        let came_back = self.given_up_at.get().is_some_and(|at| at.elapsed() < rest);
        View { given_up, is_active, came_back: given_up > 1 && came_back }
    }

    /// Waits until the partition may be consumed.
    pub(super) async fn begins(&self) {
        // Whoever could say so being gone is as good.
        let _ = self.may_begin.subscribe().wait_for(|it| *it).await;
    }

    pub(super) fn begin(&self) {
        self.may_begin.send_replace(true);
    }

    /// A connection has ended.
    pub(super) fn reset(&self) {
        self.may_begin.send_replace(false);
        self.renew();
        self.begin_anew();
    }

    /// Another worker is to have it.
    pub(super) fn give_up(&self) {
        self.given_up.set(self.given_up.get().saturating_add(1));
        self.given_up_at.set(Some(Instant::now()));
        self.begin_anew();
    }

    /// The number of workers has changed: it is as good as never given up.
    pub(super) fn renew(&self) {
        self.given_up.set(0);
    }

    /// Its consumer is to begin anew, at the end of the line of those that wait for the partition.
    pub(super) fn begin_anew(&self) {
        self.hand_over.set(true);
        self.asked.notify_one();
    }

    /// A session begins: whatever was asked of the one before is done.
    pub(super) fn begin_session(&self) {
        self.hand_over.set(false);
        self.last_delivery.set(None);
    }

    pub(super) fn end_session(&self) {
        self.open.set(0);
    }

    pub(super) fn is_asked_to_hand_over(&self) -> bool {
        self.hand_over.get()
    }

    /// Waits until the session is to end.
    pub(super) async fn asked_to_hand_over(&self) {
        while !self.hand_over.get() {
            self.asked.notified().await;
        }
    }

    pub(super) fn delivered(&self) {
        self.last_delivery.set(Some(Instant::now()));
        self.open.set(self.open.get() + 1);
    }

    pub(super) fn settled(&self) {
        self.open.set(self.open.get().saturating_sub(1));
        self.settled.set(self.settled.get() + 1);
    }

    /// How many deliveries were settled through all sessions.
    pub(super) fn count_of_settled(&self) -> u64 {
        self.settled.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_given_up_counts_again_only_when_something_comes_of_it() {
        let claim = Claim::default();
        claim.begin_session();
        claim.delivered();
        assert!(claim.view().is_active);
        claim.give_up();
        assert!(!claim.view().is_active, "something is open, and the next worker's soon");
        claim.end_session();
        claim.begin_session();
        assert!(!claim.view().is_active, "it waits for its turn");
        claim.delivered();
        assert!(claim.view().is_active, "it came back");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_back_again_and_again_rests_ever_longer() {
        let claim = Claim::default();
        let comes_back = async |seconds: u64| {
            claim.give_up();
            claim.end_session();
            claim.begin_session();
            claim.delivered();
            let at_once = claim.view().came_back;
            tokio::time::advance(Duration::from_secs(seconds)).await;
            (at_once, claim.view().came_back)
        };
        assert_eq!(comes_back(0).await, (false, false), "it may have gone round once");
        assert_eq!(comes_back(3).await, (true, true));
        assert_eq!(comes_back(8).await, (true, false));
        assert_eq!(comes_back(15).await, (true, true));
        claim.renew();
        assert!(!claim.view().came_back, "there is another number of workers");
    }
}

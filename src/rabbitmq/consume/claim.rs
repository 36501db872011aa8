//! A worker's claim to one partition: how strong it is, and what it brings.

use std::cell::Cell;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A partition is active for so long after a delivery.
const ACTIVE_FOR: Duration = Duration::from_secs(2);

/// The least strength of a full claim. One that was given up has less.
const FULL: i32 = 1000;

/// Of one partition, through all sessions.
#[derive(Debug)]
pub(super) struct Claim {
    score: i32,
    /// How often it was given up since it was claimed in full.
    given_up: Cell<u16>,
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
    /// Of those that are too many the weakest are given up.
    pub(super) strength: i32,
    /// Something has come lately, or is open.
    pub(super) is_active: bool,
}

impl Claim {
    /// Workers differ in which partitions they prefer.
    pub(super) fn new(worker: &str, queue: &str) -> Self {
        Self {
            score: FULL + hash28(worker, queue),
            given_up: Cell::default(),
            may_begin: watch::Sender::new(false),
            hand_over: Cell::default(),
            asked: Notify::default(),
            last_delivery: Cell::default(),
            open: Cell::default(),
            settled: Cell::default(),
        }
    }

    pub(super) fn view(&self) -> View {
        let is_recent = |at: Instant| at.elapsed() < ACTIVE_FOR;
        let is_active = self.open.get() > 0 || self.last_delivery.get().is_some_and(is_recent);
        View { strength: self.strength(), is_active }
    }

    /// One that was given up is weaker than any that was given up less often: what nobody has room for goes round until somebody has.
    fn strength(&self) -> i32 {
        match i32::from(self.given_up.get()) {
            0 => self.score,
            times => self.score % FULL - FULL * (times - 1),
        }
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
        self.given_up.set(0);
        self.ask();
    }

    /// Another worker is to have it.
    pub(super) fn give_up(&self) {
        self.given_up.set(self.given_up.get().saturating_add(1));
        self.ask();
    }

    /// The number of workers has changed: it is as good as never given up.
    pub(super) fn renew(&self) {
        self.given_up.set(0);
    }

    /// Its consumer is to begin anew, at the end of the line of those that wait for the partition.
    pub(super) fn begin_anew(&self) {
        self.ask();
    }

    fn ask(&self) {
        self.hand_over.set(true);
        self.asked.notify_one();
    }

    /// A session begins: whatever was asked of the one before is done.
    pub(super) fn begin_session(&self) {
        self.hand_over.set(false);
        self.open.set(0);
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

fn hash28(worker: &str, queue: &str) -> i32 {
    let mut hash = Sha256::new();
    hash.update((worker.len() as u64).to_be_bytes());
    hash.update(worker.as_bytes());
    hash.update(queue.as_bytes());
    let hash = hash.finalize();
    let first = hash.first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
    i32::try_from(first >> 4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_was_given_up_is_weaker_than_any_that_was_given_up_less_often() {
        let (one, other) = (Claim::new("one", "q.2.00"), Claim::new("other", "q.2.00"));
        assert_ne!(one.strength(), other.strength(), "workers differ in what they prefer");
        one.give_up();
        let weaker = one.strength();
        assert!(weaker < FULL && other.strength() >= FULL);
        one.give_up();
        assert!(one.strength() < 0 && weaker >= 0);
        one.renew();
        assert!(one.strength() >= FULL);
    }
}

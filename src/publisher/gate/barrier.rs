//! Open or held; while it is held, those who wait take turns to probe.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::{Instant, sleep_until};

use crate::pause::Pauses;

/// The first pause before a probe.
const FIRST_PROBE: Duration = Duration::from_millis(500);

/// One thing that can be held.
#[derive(Debug)]
pub(super) struct Barrier {
    longest_pause: Duration,
    hold: RefCell<Option<Hold>>,
    next_probe: Cell<Instant>,
    turns: Mutex<()>,
    opened: Notify,
}

#[derive(Debug)]
struct Hold {
    pauses: Pauses,
    since: Instant,
}

/// The right to probe, once. It passes to whoever has waited longest.
pub(super) type Turn<'a> = MutexGuard<'a, ()>;

impl Barrier {
    pub(super) fn new(longest_pause: Duration) -> Self {
        Self {
            longest_pause,
            hold: RefCell::default(),
            next_probe: Cell::new(Instant::now()),
            turns: Mutex::default(),
            opened: Notify::new(),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.hold.borrow().is_some()
    }

    /// Waits until it opens, or until it is the caller's turn to probe: then there is a turn.
    pub(super) async fn pass(&self) -> Option<Turn<'_>> {
        let mut opened = std::pin::pin!(self.opened.notified());
        opened.as_mut().enable();
        if !self.is_held() {
            return None;
        }
        let my_turn = async {
            let turn = self.turns.lock().await;
            sleep_until(self.next_probe.get()).await;
            turn
        };
        tokio::select! {
            biased;
            () = opened => None,
            turn = my_turn => Some(turn),
        }
    }

    /// Holds. Returns whether it was open. What failed as a probe makes the next pause longer;
    /// what had left before the hold began does not.
    pub(super) fn hold(&self, by_probe: bool) -> bool {
        let mut hold = self.hold.borrow_mut();
        let begins = hold.is_none();
        let hold = hold.get_or_insert_with(|| Hold {
            pauses: Pauses::new(FIRST_PROBE.min(self.longest_pause), self.longest_pause),
            since: Instant::now(),
        });
        if begins || by_probe {
            self.next_probe.set(Instant::now() + hold.pauses.draw());
        }
        begins
    }

    /// Opens, and lets all who wait go on. Returns how long it was held, if it was.
    pub(super) fn open(&self) -> Option<Duration> {
        let hold = self.hold.take()?;
        self.opened.notify_waiters();
        Some(hold.since.elapsed())
    }
}

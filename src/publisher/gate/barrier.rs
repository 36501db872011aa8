//! Open, held, or opening. While it is held, those who wait take turns to probe.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::{Instant, sleep_until};

use super::opening::Opening;
use super::pass::{Pass, Try, Waiting};
use super::report::{Reminder, Word};
use crate::arn::TopicArn;
use crate::outcome::Fault;
use crate::pause::Pauses;

/// The first pause before a probe.
const FIRST_PROBE: Duration = Duration::from_millis(500);

/// One thing that can be held.
#[derive(Debug)]
pub(super) struct Barrier {
    longest_pause: Duration,
    state: RefCell<State>,
    /// Who waits to pass, sources that only ask included.
    waiting: Cell<usize>,
    /// Events that wait to pass, or probe.
    events: Cell<usize>,
    next_probe: Cell<Instant>,
    turns: Mutex<()>,
    opened: Notify,
    /// Holds that have begun.
    holds: Cell<u64>,
    /// Answers that said that nothing is to be held.
    answers: Cell<u64>,
    /// Events out of retries since the last of those.
    exhausted_in_a_row: Cell<u32>,
}

#[derive(Debug)]
enum State {
    Open,
    Held(Holding),
    Opening(Opening),
}

/// A hold from its beginning.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) since: Timestamp,
    pub(super) began: Instant,
    /// What the last probe met, or what began it.
    pub(super) fault: Fault,
    /// The topic to probe with where no event is at hand.
    pub(super) topic: TopicArn,
    pauses: Pauses,
    reminder: Reminder,
}

impl Barrier {
    pub(super) fn new(longest_pause: Duration) -> Self {
        Self {
            longest_pause,
            state: RefCell::new(State::Open),
            waiting: Cell::new(0),
            events: Cell::new(0),
            next_probe: Cell::new(Instant::now()),
            turns: Mutex::default(),
            opened: Notify::new(),
            holds: Cell::new(0),
            answers: Cell::new(0),
            exhausted_in_a_row: Cell::new(0),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open)
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(*self.state.borrow(), State::Held(_))
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(*self.state.borrow(), State::Opening(_))
    }

    /// Whether something got through since it was held last.
    pub(super) fn is_back(&self) -> bool {
        match &*self.state.borrow() {
            State::Open => true,
            State::Held(_) => false,
            State::Opening(opening) => opening.has_succeeded(),
        }
    }

    /// How many wait to pass.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// How many events it holds up: they wait to pass, or probe.
    pub(super) fn events(&self) -> usize {
        self.events.get()
    }

    /// Counts an event among those that it holds up.
    pub(super) fn holds_up_an_event(&self) -> Waiting<'_> {
        Waiting::new(&self.events)
    }

    /// Waits until there is a way through. May be dropped while it waits.
    pub(super) async fn pass(&self) -> Pass<'_> {
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let line = match &*self.state.borrow() {
                State::Open => return Pass::default(),
                State::Held(_) => None,
                State::Opening(opening) => Some(opening.line()),
            };
            let pass = match line {
                Some(line) => Pass { turn: None, place: line.place().await },
                None => Pass { turn: self.turn().await, place: None },
            };
            if pass.turn.is_some() || pass.place.is_some() {
                return pass;
            }
        }
    }

    /// Waits for the turn to probe, or, `None`, until it opens.
    async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let opened = self.opened.notified();
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

    /// A try that begins now.
    pub(super) fn begin<'a>(&self, pass: Pass<'a>) -> Try<'a> {
        Try { pass, holds: self.holds.get(), answers: self.answers.get() }
    }

    /// Whether it is held, or was at some time since the try began.
    pub(super) fn is_held_since(&self, tried: &Try<'_>) -> bool {
        self.is_held() || tried.holds < self.holds.get()
    }

    /// Whether nothing got through since the try began.
    pub(super) fn is_silent_since(&self, tried: &Try<'_>) -> bool {
        tried.answers == self.answers.get()
    }

    /// Holds for what a try met. What failed as a probe makes the next pause longer; what had left before the
    /// hold began changes nothing.
    pub(super) fn hold(&self, fault: &Fault, topic: &TopicArn, tried: &Try<'_>) -> Option<Word> {
        let mut state = self.state.borrow_mut();
        if let State::Held(holding) = &mut *state {
            if tried.is_probe() {
                self.next_probe.set(Instant::now() + holding.pauses.draw());
                holding.fault.clone_from(fault);
            }
            return holding.reminder.is_due().then_some(Word::Reminder);
        }
        if tried.holds < self.holds.get() {
            return None;
        }
        let mut pauses = match std::mem::replace(&mut *state, State::Open) {
            State::Opening(opening) => opening.end(),
            _ => Pauses::new(FIRST_PROBE.min(self.longest_pause), self.longest_pause),
        };
        self.next_probe.set(Instant::now() + pauses.draw());
        self.holds.set(self.holds.get() + 1);
        *state = State::Held(Holding {
            since: Timestamp::now(),
            began: Instant::now(),
            fault: fault.clone(),
            topic: topic.clone(),
            pauses,
            reminder: Reminder::new(),
        });
        Some(Word::Begins)
    }

    /// A try got an answer that says that nothing is to be held. Returns how long it was, if
    /// that has ended the hold.
    pub(super) fn let_through(&self, tried: &Try<'_>) -> Option<Duration> {
        self.answers.set(self.answers.get() + 1);
        self.exhausted_in_a_row.set(0);
        let enough = match &mut *self.state.borrow_mut() {
            State::Open => return None,
            // What left before says nothing about now.
            State::Held(_) if tried.holds < self.holds.get() => return None,
            State::Held(_) => false,
            State::Opening(opening) => opening.succeeded(tried.pass.place.is_some()),
        };
        let lasted = self.begin_to_open();
        if enough || self.waiting.get() == 0 {
            self.open();
        }
        lasted
    }

    /// Ends a hold, if it is one; those who go first will show how good that is. Returns how long it
    /// was held.
    pub(super) fn begin_to_open(&self) -> Option<Duration> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Open) {
            State::Held(holding) => {
                *state = State::Opening(Opening::new(holding.pauses));
                self.opened.notify_waiters();
                Some(holding.began.elapsed())
            }
            other => {
                *state = other;
                None
            }
        }
    }

    fn open(&self) {
        if let State::Opening(opening) = self.state.replace(State::Open) {
            opening.end();
        }
    }

    /// One more event is out of retries. Returns how many in a row.
    pub(super) fn exhausted(&self) -> u32 {
        let in_a_row = self.exhausted_in_a_row.get().saturating_add(1);
        self.exhausted_in_a_row.set(in_a_row);
        in_a_row
    }

    /// Reads the hold, if there is one, with the time until its next probe.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Holding, Duration) -> T) -> Option<T> {
        match &*self.state.borrow() {
            State::Held(holding) => {
                let next_probe = self.next_probe.get().saturating_duration_since(Instant::now());
                Some(read(holding, next_probe))
            }
            _ => None,
        }
    }
}

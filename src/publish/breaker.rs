//! A circuit breaker: closed, open or half-open. One stands before each topic, and one before the service.
//!
//! Closed, it gives permits without a limit. Open, it gives one at a time, after growing pauses: a probe. A success
//! makes it half-open: two permits at a time, and one more with each success, until it is closed. The event that has
//! waited longest is next.

mod report;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};

use self::report::Reminder;
use super::fault::advice;
use crate::arn::TopicArn;
use crate::observe::incidents::Incidents;
use crate::outcome::{Circuit, Fault};
use crate::pause::Pauses;
use crate::publish::hold::{OpenCircuit, Outage};

/// The first pause before a probe.
const FIRST_PROBE: Duration = Duration::from_millis(500);

/// Permits of a half-open circuit at first, and those with which it closes.
const FIRST_PERMITS: usize = 2;
const ENOUGH_PERMITS: usize = FIRST_PERMITS + 256;

/// Limits the tries at something that may fail as a whole.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    circuit: Circuit,
    longest_pause: Duration,
    state: RefCell<State>,
    /// Before probes. They go on growing until it is closed.
    pauses: RefCell<Pauses>,
    /// Those that wait for a permit queue up here; the first has the lock.
    queue: Mutex<()>,
    /// Wakes the first.
    changed: Notify,
    /// Shared by all events that wait for it, or probe.
    waiting: Rc<()>,
    /// Permits in use, of those given since it opened last.
    in_use: Cell<usize>,
    /// How often it has opened.
    openings: Cell<u64>,
    /// Answers that did not count against it.
    answers: Cell<u64>,
    /// Events out of retries since the last of those.
    exhausted_in_a_row: Cell<u32>,
    incidents: Rc<Incidents>,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(Opened),
    /// With so many permits.
    HalfOpen(usize),
}

#[derive(Debug)]
struct Opened {
    since: (Timestamp, Instant),
    /// What the last probe met, or what opened it.
    fault: Fault,
    /// The topic to ask for where no event is at hand.
    topic: TopicArn,
    next_probe: Instant,
    reminder: Reminder,
}

impl CircuitBreaker {
    /// Closed. Probes pause for `longest_pause` at most.
    pub(super) fn new(circuit: Circuit, longest_pause: Duration) -> Self {
        Self {
            circuit,
            longest_pause,
            state: RefCell::new(State::Closed),
            pauses: RefCell::new(Pauses::new(FIRST_PROBE, longest_pause)),
            queue: Mutex::default(),
            changed: Notify::new(),
            waiting: Rc::default(),
            in_use: Cell::default(),
            openings: Cell::default(),
            answers: Cell::default(),
            exhausted_in_a_row: Cell::default(),
            incidents: Rc::default(),
        }
    }

    pub(super) fn announcing(self, incidents: Rc<Incidents>) -> Self {
        Self { incidents, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open(_))
    }

    pub(super) fn is_half_open(&self) -> bool {
        matches!(*self.state.borrow(), State::HalfOpen(_))
    }

    /// How many events wait for it, or probe.
    pub(super) fn waiting(&self) -> usize {
        Rc::strong_count(&self.waiting) - 1
    }

    /// Counts an event among them, for as long as this is kept.
    pub(super) fn wait(&self) -> Rc<()> {
        Rc::clone(&self.waiting)
    }

    /// The outage, which lasts until something gets through.
    pub(super) fn outage(&self) -> Outage {
        (self.circuit.clone(), self.answers.get())
    }

    /// What it is of.
    pub(super) const fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// The topic to ask for, while it is open.
    pub(super) fn topic(&self) -> Option<TopicArn> {
        let State::Open(Opened { topic, .. }) = &*self.state.borrow() else { return None };
        Some(topic.clone())
    }

    /// A permit at once, if it is closed.
    pub(super) fn try_acquire(&self) -> Option<Permit<'_>> {
        matches!(*self.state.borrow(), State::Closed).then(|| self.permit(PermitKind::Closed))
    }

    /// Waits for a permit. May be dropped while it waits.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        let _first = self.queue.lock().await;
        loop {
            let in_use = self.in_use.get();
            let next_probe = match &*self.state.borrow() {
                State::Closed => return self.permit(PermitKind::Closed),
                State::HalfOpen(permits) if in_use < *permits => {
                    return self.permit(PermitKind::HalfOpen);
                }
                State::Open(opened) if in_use == 0 => Some(opened.next_probe),
                State::Open(_) | State::HalfOpen(_) => None,
            };
            match next_probe {
                Some(at) if at <= Instant::now() => return self.permit(PermitKind::Probe),
                Some(at) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(at) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    fn permit(&self, kind: PermitKind) -> Permit<'_> {
        self.in_use.set(self.in_use.get() + usize::from(kind != PermitKind::Closed));
        let (openings, answers) = (self.openings.get(), self.answers.get());
        Permit { breaker: self, kind, openings, answers }
    }

    /// Counts an event out of retries. Returns how many in a row there are.
    pub(super) fn count_exhausted(&self) -> u32 {
        let in_a_row = self.exhausted_in_a_row.get().saturating_add(1);
        self.exhausted_in_a_row.set(in_a_row);
        in_a_row
    }

    /// Ends an outage, if there is one; those that go first will show how good that is.
    pub(super) fn half_open(&self) {
        let mut state = self.state.borrow_mut();
        if let State::Open(opened) = &*state {
            opened.reminder.over(&self.circuit, opened.since.1.elapsed());
            *state = State::HalfOpen(FIRST_PERMITS);
        }
        self.changed.notify_one();
    }

    /// Returns how often it has opened since the log told so last, if the log is to tell so now.
    fn open(&self, fault: &Fault, topic: &TopicArn) -> Option<u64> {
        let told = report::count(&self.incidents, &self.circuit, fault);
        if !self.is_half_open() {
            self.pauses.replace(Pauses::new(FIRST_PROBE, self.longest_pause));
        }
        self.openings.set(self.openings.get() + 1);
        self.in_use.set(0);
        self.state.replace(State::Open(Opened {
            since: (Timestamp::now(), Instant::now()),
            fault: fault.clone(),
            topic: topic.clone(),
            next_probe: Instant::now() + self.pauses.borrow_mut().draw(),
            reminder: Reminder::new(told.is_some()),
        }));
        self.changed.notify_one();
        told
    }

    /// What an operator wants to know of it, while it is open.
    pub(super) fn seen(&self) -> Option<OpenCircuit> {
        let State::Open(opened) = &*self.state.borrow() else { return None };
        Some(OpenCircuit {
            circuit: self.circuit.clone(),
            since: opened.since.0,
            lasted: opened.since.1.elapsed(),
            waiting: self.waiting(),
            next_probe: opened.next_probe.saturating_duration_since(Instant::now()),
            fault: opened.fault.clone(),
            advice: advice(&opened.fault),
        })
    }
}

/// The right to try once, and what was known when it was given.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    pub(super) breaker: &'a CircuitBreaker,
    kind: PermitKind,
    openings: u64,
    answers: u64,
}

/// Of which state a permit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PermitKind {
    /// Closed.
    Closed,
    /// Half-open.
    HalfOpen,
    /// Open.
    Probe,
}

impl Permit<'_> {
    pub(super) fn is_probe(&self) -> bool {
        self.kind == PermitKind::Probe
    }

    /// Whether the circuit has opened since: what left before says nothing about now.
    pub(super) fn is_outdated(&self) -> bool {
        self.openings < self.breaker.openings.get()
    }

    /// Whether nothing has got through since.
    pub(super) fn is_silent(&self) -> bool {
        self.answers == self.breaker.answers.get()
    }

    /// The try got an answer that does not count against the circuit.
    pub(super) fn succeeded(&self) {
        let CircuitBreaker { state, answers, exhausted_in_a_row, .. } = self.breaker;
        answers.set(answers.get() + 1);
        exhausted_in_a_row.set(0);
        match &mut *state.borrow_mut() {
            State::Closed => return,
            State::Open(_) if self.is_outdated() => return,
            State::HalfOpen(permits) if self.kind == PermitKind::HalfOpen => *permits += 1,
            State::Open(_) | State::HalfOpen(_) => {}
        }
        self.breaker.half_open();
        // One that probes waits itself.
        let is_last = self.breaker.waiting() <= usize::from(self.is_probe());
        let mut state = state.borrow_mut();
        if matches!(*state, State::HalfOpen(permits) if is_last || permits >= ENOUGH_PERMITS) {
            *state = State::Closed;
        }
    }

    /// The try met a fault of the circuit's: it opens, or a probe's next pause is longer.
    pub(super) fn failed(&self, fault: &Fault, topic: &TopicArn) {
        let still = self.breaker.is_open();
        if let State::Open(opened) = &mut *self.breaker.state.borrow_mut() {
            if self.is_probe() {
                opened.next_probe = Instant::now() + self.breaker.pauses.borrow_mut().draw();
                opened.fault.clone_from(fault);
            }
            if !opened.reminder.is_due() {
                return;
            }
        } else if self.is_outdated() {
            return;
        }
        let told = if still { Some(0) } else { self.breaker.open(fault, topic) };
        if let (Some(openings), Some(seen)) = (told, self.breaker.seen()) {
            report::open(&seen, still, openings);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.kind != PermitKind::Closed && !self.is_outdated() {
            self.breaker.in_use.set(self.breaker.in_use.get() - 1);
            self.breaker.changed.notify_one();
        }
    }
}

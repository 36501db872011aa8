//! A queue in memory, which behaves like RabbitMQ as far as a worker can observe.

mod settler;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

pub use self::settler::{MemoryReceipt, MemorySettler};
use crate::event::Envelope;
use crate::outcome::{DeadLetter, SourceError};
use crate::pipeline::ports::{Delivery, Session, Source};
use crate::replay::{OutcomeReport, ReplayId};

/// What a queue is declared and consumed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOptions {
    /// Deliveries without an acknowledgement, at most; `None`: as many as are taken.
    pub prefetch: Option<u16>,
    /// How often an event may come back before the queue dead-letters it.
    pub delivery_limit: Option<u32>,
    /// When what was parked is ready again; `None`: there is no queue to park in.
    pub parked_for: Option<Duration>,
}

impl QueueOptions {
    /// No limits, and a queue to park in.
    pub const DEFAULT: Self =
        Self { prefetch: None, delivery_limit: None, parked_for: Some(Duration::from_secs(30)) };
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A queue, its unacknowledged deliveries and its dead letters.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueue(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: RefCell<State>,
    changed: Notify,
    options: QueueOptions,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Message>,
    /// What came back, before all else: as in a quorum queue before RabbitMQ 4, behind what came back before.
    returned: VecDeque<Message>,
    unacked: BTreeMap<u64, Message>,
    dead: Vec<(Envelope, DeadLetter)>,
    /// What came back more often than the delivery limit allows.
    exceeded: Vec<Envelope>,
    parked: usize,
    delivered: u64,
    returns: u32,
    most_returns: u32,
    /// Raised when a session ends.
    session: u64,
    reports: Vec<(ReplayId, OutcomeReport)>,
    /// Why no session can be opened.
    refusal: Option<SourceError>,
}

/// An event in the queue.
#[derive(Debug)]
struct Message {
    envelope: Envelope,
    /// What RabbitMQ's delivery limit limits.
    returns: u32,
}

impl MemoryQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(options: QueueOptions) -> Self {
        Self(Rc::new(Inner { options, ..Inner::default() }))
    }

    /// An empty queue whose consumer has at most so many deliveries without an acknowledgement.
    #[must_use]
    pub fn with_prefetch(prefetch: u16) -> Self {
        Self::new(QueueOptions { prefetch: Some(prefetch), ..QueueOptions::DEFAULT })
    }

    /// Enqueues an event.
    pub fn publish(&self, envelope: Envelope) {
        self.0.state.borrow_mut().ready.push_back(Message { envelope, returns: 0 });
        self.0.changed.notify_one();
    }

    /// How many wait, delivered ones not included.
    #[must_use]
    pub fn ready(&self) -> usize {
        let state = self.0.state.borrow();
        state.returned.len() + state.ready.len()
    }

    /// How many came back and were not delivered again yet.
    #[must_use]
    pub fn returned(&self) -> usize {
        self.0.state.borrow().returned.len()
    }

    /// How many are delivered and not settled.
    #[must_use]
    pub fn unacked(&self) -> usize {
        self.0.state.borrow().unacked.len()
    }

    /// How many are parked and will come back.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.0.state.borrow().parked
    }

    /// How often events have come back unsettled: all of them together, and the one that did so most often.
    #[must_use]
    pub fn returns(&self) -> (u32, u32) {
        let state = self.0.state.borrow();
        (state.returns, state.most_returns)
    }

    /// How often each event that waits has come back, the next one to be delivered first.
    #[must_use]
    pub fn returns_of_each(&self) -> Vec<u32> {
        let state = self.0.state.borrow();
        state.returned.iter().chain(&state.ready).map(|message| message.returns).collect()
    }

    /// What the queue itself has dead-lettered, since it came back more often than the delivery limit allows.
    #[must_use]
    pub fn exceeded(&self) -> Vec<Envelope> {
        self.0.state.borrow().exceeded.clone()
    }

    /// What was dead-lettered by a consumer, in order.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<(Envelope, DeadLetter)> {
        self.0.state.borrow().dead.clone()
    }

    /// What was reported to replays, in order.
    #[must_use]
    pub fn reports(&self) -> Vec<(ReplayId, OutcomeReport)> {
        self.0.state.borrow().reports.clone()
    }

    /// Refuses sessions for this reason from now on, or no longer. The one that is open lasts.
    pub fn refuse(&self, refusal: Option<SourceError>) {
        self.0.state.borrow_mut().refusal = refusal;
    }

    /// Ends the session as a broken connection does: receipts are void, and what was
    /// not settled is ready again, in its old order, before what never left.
    pub fn cut(&self) {
        let mut state = self.0.state.borrow_mut();
        state.session += 1;
        while let Some((_, mut message)) = state.unacked.pop_first() {
            message.returns += 1;
            state.returns += 1;
            state.most_returns = state.most_returns.max(message.returns);
            if self.0.options.delivery_limit.is_some_and(|most| message.returns > most) {
                state.exceeded.push(message.envelope);
            } else {
                state.returned.push_back(message);
            }
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

impl Source for MemoryQueue {
    type Session = MemorySession;

    async fn open(&self) -> Result<MemorySession, SourceError> {
        let state = self.0.state.borrow();
        match &state.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(MemorySession { queue: self.clone(), id: state.session }),
        }
    }
}

/// A consumer of a [`MemoryQueue`].
#[derive(Debug)]
pub struct MemorySession {
    queue: MemoryQueue,
    id: u64,
}

impl MemorySession {
    fn deliver(&self) -> Option<Result<Delivery<MemoryReceipt>, SourceError>> {
        let mut state = self.queue.0.state.borrow_mut();
        if state.session != self.id {
            return Some(Err(SourceError::Failed("the session was cut".to_owned())));
        }
        if self.queue.0.options.prefetch.is_some_and(|most| state.unacked.len() >= most.into()) {
            return None;
        }
        let message = state.returned.pop_front().or_else(|| state.ready.pop_front())?;
        state.delivered += 1;
        let tag = state.delivered;
        let envelope = message.envelope.clone();
        state.unacked.insert(tag, message);
        Some(Ok(Delivery { envelope: Box::new(envelope), receipt: MemoryReceipt { tag } }))
    }
}

impl Session for MemorySession {
    type Receipt = MemoryReceipt;
    type Settler = MemorySettler;

    async fn next(&mut self) -> Result<Delivery<MemoryReceipt>, SourceError> {
        loop {
            let changed = self.queue.0.changed.notified();
            if let Some(delivered) = self.deliver() {
                return delivered;
            }
            changed.await;
        }
    }

    fn settler(&self) -> MemorySettler {
        MemorySettler(self.queue.clone())
    }

    async fn stop_taking(&mut self) -> Vec<Delivery<MemoryReceipt>> {
        std::iter::from_fn(|| self.deliver()?.ok()).collect()
    }

    async fn close(self) {
        self.queue.cut();
    }
}

//! Monitors one source: its state, and the outcomes of its deliveries.

mod final_outcome;
mod state;
#[cfg(test)]
mod tests;

pub use self::state::{SeenBroker, SourceObservation, State};

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus::{Gauge, Histogram, IntCounter, IntGauge};
use tokio::time::Instant;

use self::final_outcome::FinalOutcome;
use crate::event::EventKind;
use crate::observe::incidents::{Announcement, IncidentKind, Incidents};
use crate::observe::metrics::Metrics;
use crate::observe::recent::RecentErrors;
use crate::outcome::{Outcome, Reason, SkipReason};

/// The kinds of event that have counters of their own, and the one of what is no event.
const KINDS: usize = EventKind::ALL.len() + 1;

/// The ways to end: published, and a reason for all else.
const ENDS: usize = 1 + SkipReason::ALL.len() + Reason::ALL.len();

/// Watches over one source.
#[derive(Debug)]
pub struct Monitor {
    source: String,
    metrics: Arc<Metrics>,
    seen: RefCell<SourceObservation>,
    deliveries: IntCounter,
    handed_back: IntCounter,
    mended: IntCounter,
    in_flight: IntGauge,
    backlog: Gauge,
    seconds: Histogram,
    /// By kind and way to end.
    outcomes: [[OnceCell<IntCounter>; ENDS]; KINDS],
    prefetch: u16,
    /// Ready events and consumers of the queue, as the broker says.
    queue: Cell<(u32, u32)>,
    /// Only one consumer of the queue gets messages.
    is_single_active: Cell<bool>,
    /// The deliveries before this session.
    deliveries_before: Cell<u64>,
    /// Whose depth was told.
    dead_letter_queue: OnceCell<String>,
    recent: Rc<RecentErrors>,
    incidents: Rc<Incidents>,
}

impl Monitor {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(source: &str, metrics: Arc<Metrics>) -> Self {
        let label = &[source];
        let monitor = Self {
            source: source.to_owned(),
            seen: RefCell::new(SourceObservation::now(source, State::Connecting)),
            deliveries: metrics.deliveries.with_label_values(label),
            handed_back: metrics.handed_back.with_label_values(label),
            mended: metrics.mended.with_label_values(label),
            in_flight: metrics.in_flight.with_label_values(label),
            backlog: metrics.backlog.with_label_values(label),
            seconds: metrics.delivery_seconds.with_label_values(label),
            outcomes: Default::default(),
            prefetch: 0,
            queue: Cell::default(),
            is_single_active: Cell::default(),
            deliveries_before: Cell::default(),
            dead_letter_queue: OnceCell::new(),
            recent: Rc::default(),
            incidents: Rc::default(),
            metrics,
        };
        // So that the first one of each is an increase, which alerts ask for.
        for kind in EventKind::ALL {
            monitor.outcome(Some(kind), FinalOutcome::Published);
        }
        for reason in Reason::ALL {
            let of_no_event = matches!(reason, Reason::Undecodable | Reason::Panicked);
            let of_events = !matches!(reason, Reason::Undecodable);
            let kinds = EventKind::ALL.map(Some).into_iter().filter(|_| of_events);
            for kind in kinds.chain(of_no_event.then_some(None)) {
                monitor.outcome(kind, FinalOutcome::DeadLettered(*reason));
            }
        }
        monitor
    }

    /// Errors are noted there.
    #[must_use]
    pub fn noting(self, recent: Rc<RecentErrors>) -> Self {
        Self { recent, ..self }
    }

    /// Dead letters are announced there.
    #[must_use]
    pub fn announcing(self, incidents: Rc<Incidents>) -> Self {
        Self { incidents, ..self }
    }

    /// As many deliveries may be unacknowledged.
    #[must_use]
    pub fn with_prefetch(self, prefetch: u16) -> Self {
        Self { prefetch, ..self }
    }

    /// Where it counts.
    #[cfg(test)]
    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The state now.
    #[must_use]
    pub fn seen(&self) -> SourceObservation {
        self.seen.borrow().clone()
    }

    /// The source's state is another one, or still the same.
    pub fn is(&self, state: State) {
        if !state.is_connected() {
            self.queue(None);
        }
        if let State::Disconnected(error) = &state {
            self.recent.note(&self.source, "disconnected", error);
        }
        let mut seen = self.seen.borrow_mut();
        // Another error in the same state is no other beginning.
        if std::mem::discriminant(&seen.state) != std::mem::discriminant(&state) {
            seen.since = Timestamp::now();
        }
        seen.state = state;
    }

    /// It is connected to this broker.
    pub fn is_on(&self, broker: Arc<SeenBroker>) {
        self.seen.borrow_mut().broker = Some(broker);
    }

    /// What the broker says of the queue: ready events and consumers. `None`: nobody knows.
    pub fn queue(&self, depth: Option<(u32, u32)>) {
        let source = &[&*self.source];
        let Metrics { queue_ready, queue_consumers, queue_parked, .. } = &*self.metrics;
        if let Some((ready, consumers)) = depth {
            queue_ready.with_label_values(source).set(ready.into());
            queue_consumers.with_label_values(source).set(consumers.into());
            self.queue.set((ready, consumers));
        } else {
            // Not there is no trouble.
            let _ = queue_ready.remove_label_values(source);
            let _ = queue_consumers.remove_label_values(source);
            let _ = queue_parked.remove_label_values(source);
            self.no_dead_letters_known();
            self.queue.set((0, 0));
        }
    }

    /// A session begins, in which nothing has come yet.
    pub fn begin_session(&self, is_single_active: bool) {
        self.is_single_active.set(is_single_active);
        self.deliveries_before.set(self.deliveries.get());
    }

    /// The ready events that this worker may expect, so that the sum over all workers is what is ready.
    fn share(&self) -> f64 {
        let (ready, consumers) = self.queue.get();
        if self.is_single_active.get() {
            // RabbitMQ tells nobody who is active. Where messages wait, the active one gets some; a quorum queue counts only that one.
            let has_come = self.deliveries.get() > self.deliveries_before.get();
            return if has_come || consumers == 0 { ready.into() } else { 0.0 };
        }
        // A quorum queue counts the active consumer alone, whose share is all then; a classic one counts those that stand by, too.
        let is_standby = self.seen.borrow().state == State::Standby && consumers <= 1;
        if is_standby { 0.0 } else { f64::from(ready) / f64::from(consumers.max(1)) }
    }

    /// The broker says no more of the dead-letter queue.
    pub fn no_dead_letters_known(&self) {
        if let Some(queue) = self.dead_letter_queue.get() {
            let _ = self.metrics.dead_letters_queued.remove_label_values(&[&**queue]);
        }
    }

    /// What the broker says of the queue for parked events.
    pub fn parked(&self, count: u32) {
        self.metrics.queue_parked.with_label_values(&[&*self.source]).set(count.into());
    }

    /// What the broker says of the dead-letter queue.
    pub fn dead_letters(&self, queue: &str, count: u32) {
        let queue = self.dead_letter_queue.get_or_init(|| queue.to_owned());
        self.metrics.dead_letters_queued.with_label_values(&[&**queue]).set(count.into());
    }

    /// Brings up to date what is not counted as it happens.
    pub fn refresh(&self) {
        #[allow(clippy::cast_precision_loss, reason = "the prefetch bounds it")]
        let taken = self.in_flight.get() as f64;
        let share = self.share();
        // Some are ready only where no consumer may get more: some of what this one has may not be taken yet.
        let delivered = if share > 0.0 { taken.max(self.prefetch.into()) } else { taken };
        self.backlog.set(share + delivered);
    }

    /// A delivery is on its way from now until the return value says how it ended, or is dropped.
    #[must_use]
    pub fn taken(self: &Rc<Self>, kind: Option<EventKind>) -> DeliveryGuard {
        self.deliveries.inc();
        self.in_flight.inc();
        DeliveryGuard { monitor: Rc::clone(self), kind, since: Instant::now(), ended: false }
    }

    /// Parts of an event were replaced to read it. Returns whether it is the source's first.
    #[must_use]
    pub fn mended(&self) -> bool {
        self.mended.inc();
        let is_first = self.mended.get() == 1;
        let told = self.met(IncidentKind::Mended, "json", "parts of an event's JSON were replaced");
        // The first one has a line of its own.
        told.filter(|_| !is_first).iter().for_each(Announcement::log);
        is_first
    }

    /// Counts an incident of this source. With an announcement, the caller logs it.
    #[must_use]
    pub fn met(&self, kind: IncidentKind, cause: &str, error: &str) -> Option<Announcement> {
        self.incidents.count(Instant::now(), kind, &self.source, cause, &error)
    }

    /// A delivery had come, and goes back.
    pub fn requeued_untaken(&self) {
        self.deliveries.inc();
        self.handed_back.inc();
    }

    fn outcome(&self, kind: Option<EventKind>, end: FinalOutcome) -> &IntCounter {
        let row = kind.map_or(EventKind::ALL.len(), |kind| kind as usize);
        self.outcomes[row][end.place()].get_or_init(|| {
            let kind = kind.map_or("unknown", EventKind::label);
            let (outcome, reason) = end.labels();
            self.metrics.outcomes.with_label_values(&[&*self.source, kind, outcome, reason])
        })
    }
}

/// Counts the end of a delivery that is in flight.
#[derive(Debug)]
pub struct DeliveryGuard {
    monitor: Rc<Monitor>,
    kind: Option<EventKind>,
    since: Instant,
    ended: bool,
}

impl DeliveryGuard {
    /// It has ended. Returns whether it is this process's first that ended so, whichever source it was from; what
    /// comes again is never a first.
    #[must_use]
    pub fn end(mut self, outcome: &Outcome) -> bool {
        // What was parked or requeued is counted where this is dropped, as is what has not ended at all.
        let Some(end) = FinalOutcome::of(outcome) else { return false };
        self.ended = true;
        let Monitor { recent, incidents, source, seconds, metrics, .. } = &*self.monitor;
        seconds.observe(self.since.elapsed().as_secs_f64());
        let counter = self.monitor.outcome(self.kind, end);
        counter.inc();
        let (label, reason) = end.labels();
        let is_first = counter.get() == 1 && metrics.reading().ended(label, reason) == 1;
        if let Outcome::DeadLettered(letter) = outcome {
            recent.note(source, reason, &letter.error);
            let kind = IncidentKind::DeadLettered;
            let told = incidents.count(Instant::now(), kind, source, reason, &letter.error);
            // The first one has a line of its own.
            told.filter(|_| !is_first).iter().for_each(Announcement::log);
        }
        is_first
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        self.monitor.in_flight.dec();
        if !self.ended {
            self.monitor.handed_back.inc();
        }
    }
}

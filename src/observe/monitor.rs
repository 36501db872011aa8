//! Monitors one source: its state, and the outcomes of its deliveries.

mod ages;
mod final_outcome;
mod queues;
mod shared_depth;
mod sorting;
mod state;
#[cfg(test)]
mod tests;

pub use self::shared_depth::SharedDepth;
pub use self::state::{PartitionShare, SeenBroker, Sorting, SourceObservation, State};

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus::{Gauge, Histogram, IntCounter, IntGauge};
use tokio::time::Instant;

use self::ages::Ages;
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
    ages: RefCell<Ages>,
    prefetch: Cell<u16>,
    /// Ready events and consumers of the queue, as the broker says.
    queue: Cell<(u32, u32)>,
    /// Only one consumer of the queue gets messages.
    is_single_active: Cell<bool>,
    /// The deliveries before this session.
    deliveries_before: Cell<u64>,
    dead_letters: Rc<SharedDepth>,
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
            ages: RefCell::default(),
            prefetch: Cell::default(),
            queue: Cell::default(),
            is_single_active: Cell::default(),
            deliveries_before: Cell::default(),
            dead_letters: Rc::default(),
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

    /// All sources have the same dead-letter queue.
    #[must_use]
    pub fn sharing(self, dead_letters: Rc<SharedDepth>) -> Self {
        Self { dead_letters, ..self }
    }

    /// As many deliveries may be unacknowledged.
    #[must_use]
    pub fn with_prefetch(self, prefetch: u16) -> Self {
        self.prefetch.set(prefetch);
        self
    }

    /// Where it counts.
    #[cfg(test)]
    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The state now.
    #[must_use]
    pub fn seen(&self) -> SourceObservation {
        let oldest = self.ages.borrow().oldest();
        SourceObservation { oldest, ..self.seen.borrow().clone() }
    }

    /// The source's state is another one, or still the same.
    pub fn is(&self, state: State) {
        if !state.is_connected() {
            self.queue(None);
            self.has_no_partitions();
            self.sorts_no_more();
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

    /// Brings up to date what is not counted as it happens.
    pub fn refresh(&self) {
        #[allow(clippy::cast_precision_loss, reason = "the prefetch bounds it")]
        let taken = self.in_flight.get() as f64;
        let share = self.share();
        // Some are ready only where no consumer may get more: some of what this one has may not be taken yet.
        let delivered = if share > 0.0 { taken.max(self.prefetch.get().into()) } else { taken };
        self.backlog.set(share + delivered);
    }

    /// A delivery is on its way from now until the return value says how it ended, or is dropped.
    #[must_use]
    pub fn taken(self: &Rc<Self>, kind: Option<EventKind>) -> DeliveryGuard {
        self.deliveries.inc();
        self.in_flight.inc();
        let since = Instant::now();
        self.ages.borrow_mut().begin(since);
        DeliveryGuard { monitor: Rc::clone(self), kind, since, ended: false }
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

    /// Counts a failed try, its cause being the error without numbers. With an announcement, the caller logs it.
    #[must_use]
    pub fn lasts(&self, kind: IncidentKind, error: &dyn std::fmt::Display) -> Option<Announcement> {
        self.incidents.lasts(kind, &self.source, error)
    }

    /// What lasted is over.
    pub fn ended(&self, kind: IncidentKind) {
        self.incidents.ended(kind, &self.source);
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
        let told = match outcome {
            Outcome::DeadLettered(letter) => {
                recent.note(source, reason, &letter.error);
                let kind = IncidentKind::DeadLettered;
                incidents.count(Instant::now(), kind, source, reason, &letter.error)
            }
            Outcome::Skipped(_) => {
                incidents.count(Instant::now(), IncidentKind::Skipped, source, reason, &"")
            }
            _ => None,
        };
        // The first one has a line of its own.
        told.filter(|_| !is_first).iter().for_each(Announcement::log);
        is_first
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        self.monitor.in_flight.dec();
        self.monitor.ages.borrow_mut().end(self.since);
        if !self.ended {
            self.monitor.handed_back.inc();
        }
    }
}

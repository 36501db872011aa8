//! The wait budget of a source: how many deliveries may wait for open circuits, and how long; others are parked or requeued.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Outage, Overdue};
use crate::arn::TopicArn;
use crate::config::Source;
use crate::observe::incidents::{Announcement, IncidentKind, Incidents};
use crate::outcome::Circuit;
use crate::publish::{Lease, Taken};

/// After a refusal to park, events wait for so long before it is tried again.
const PARK_AGAIN: Duration = Duration::from_mins(1);

/// Limits the deliveries that wait for open circuits, and decides what a session does with them.
#[derive(Debug)]
pub struct WaitBudget {
    source: String,
    /// For those that wait for a topic, and the same in bytes.
    slots: usize,
    most_bytes: u64,
    used: Cell<(usize, u64)>,
    /// How long a delivery may wait.
    patience: Duration,
    /// Whether the source's events may be parked: it would break their order.
    parks: bool,
    /// Parking was refused, and is not tried again before that.
    refused_until: Cell<Option<Instant>>,
    /// Whether it was said what becomes of those beyond the slots.
    said: Cell<bool>,
    incidents: Rc<Incidents>,
    phase: watch::Sender<Phase>,
    /// Of the session's deliveries.
    lease: RefCell<Option<Lease>>,
}

/// What a session does about open circuits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Deliveries wait, until their deadline. Those for a topic are parked then, if they can be.
    Consuming,
    /// The same, after a session that requeued in this outage. Whatever waits for the end of it is parked, if it can be:
    /// requeued again and again, it would spend its delivery limit.
    Parking(Outage),
    /// Nothing waits: the session ends, and finishes what is under way. After that it is as it was, or parks.
    Draining {
        /// In which the source parks.
        before: Option<Outage>,
        /// What waits is parked, if it can be, since a pause by hand is to cost nothing. Else it goes back.
        parks: bool,
    },
    /// A delivery that can't be parked is past its deadline in this outage: all go back.
    Requeuing(Outage),
    /// All that is not on its way to SNS goes back at once: another worker is to have it.
    HandingOver {
        /// In which the source parks.
        before: Option<Outage>,
    },
}

impl WaitBudget {
    /// At most half of the prefetch may wait for topics; what comes beyond is parked, if the source has a queue for
    /// that. A delivery may wait for `patience`.
    #[must_use]
    pub fn new(source: &Source, prefetch: u16, patience: Duration) -> Self {
        let slots = usize::from(prefetch / 2).max(1);
        Self::of(&source.name, slots, patience, source.parking.is_some())
    }

    fn of(source: &str, slots: usize, patience: Duration, parks: bool) -> Self {
        let (used, refused_until, said, incidents) = Default::default();
        let (source, phase) = (source.to_owned(), watch::Sender::new(Phase::Consuming));
        let most_bytes = u64::MAX;
        Self {
            source,
            slots,
            most_bytes,
            used,
            patience,
            parks,
            refused_until,
            said,
            incidents,
            phase,
            lease: RefCell::default(),
        }
    }

    /// With so many slots, for as long as anyone likes.
    #[cfg(test)]
    pub(crate) fn without_deadline(slots: usize, parks: bool) -> Self {
        Self::of("test", slots, Duration::from_hours(10_000), parks)
    }

    /// The same where deliveries may be so many bytes in all: half of them may wait for topics.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { most_bytes: bytes / 2, ..self }
    }

    /// What becomes of those beyond the slots is announced there.
    #[must_use]
    pub fn announcing(self, incidents: Rc<Incidents>) -> Self {
        Self { incidents, ..self }
    }

    /// For a delivery that has come just now.
    #[must_use]
    pub fn deadline(&self) -> Deadline<'_> {
        Deadline { budget: self, taken: Instant::now() }
    }

    /// A session begins whose deliveries may be published under this lease.
    pub fn begin_under(&self, lease: Option<Lease>) {
        self.lease.replace(lease);
    }

    /// Deliveries that its source may have at once, or nearly.
    #[must_use]
    pub fn prefetch(&self) -> usize {
        2 * self.slots
    }

    /// The circuit for which all deliveries go back, if they do.
    #[must_use]
    pub fn requeuing(&self) -> Option<Circuit> {
        match &*self.phase.borrow() {
            Phase::Requeuing((circuit, _)) => Some(circuit.clone()),
            _ => None,
        }
    }

    /// The session is to end: nothing waits for open circuits any more, whether they are so now or later.
    pub fn drain(&self) {
        self.drain_and(false);
    }

    /// The same, and what waits is parked, if it can be.
    pub fn drain_parking(&self) {
        self.drain_and(true);
    }

    /// The session is to end, and what has not been begun goes back.
    pub fn hand_over(&self) {
        let before = match &*self.phase.borrow() {
            Phase::Requeuing(_) | Phase::Draining { .. } | Phase::HandingOver { .. } => return,
            Phase::Parking(outage) => Some(outage.clone()),
            Phase::Consuming => None,
        };
        self.phase.send_replace(Phase::HandingOver { before });
    }

    /// Whether nothing is begun any more.
    #[must_use]
    pub(crate) fn goes_back(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Requeuing(_) | Phase::HandingOver { .. })
    }

    fn drain_and(&self, parks: bool) {
        let before = match &*self.phase.borrow() {
            Phase::Requeuing(_) | Phase::Draining { .. } | Phase::HandingOver { .. } => return,
            Phase::Parking(outage) => Some(outage.clone()),
            Phase::Consuming => None,
        };
        self.phase.send_replace(Phase::Draining { before, parks });
    }

    /// A session has ended, and the next one may begin.
    pub fn begin_anew(&self) {
        self.phase.send_modify(|phase| match phase {
            Phase::Requeuing(it)
            | Phase::Draining { before: Some(it), .. }
            | Phase::HandingOver { before: Some(it) } => *phase = Phase::Parking(it.clone()),
            Phase::Draining { before: None, .. } | Phase::HandingOver { before: None } => {
                *phase = Phase::Consuming;
            }
            Phase::Consuming | Phase::Parking(_) => {}
        });
    }

    /// The source can't park for a while: its events wait, even beyond their slots.
    pub fn cannot_park(&self, why: &str) {
        self.refused_until.set(Some(Instant::now() + PARK_AGAIN));
        let told = self.incidents.lasts(IncidentKind::CannotPark, &self.source, &why);
        let Some(Announcement { count: since_last_line, .. }) = told else { return };
        tracing::warn!(
            event = "cannot_park",
            source = self.source,
            error = why,
            since_last_line,
            "cannot park the events of a held topic: they fill the \
            prefetch, and the source's other topics wait too"
        );
    }

    /// An event was parked.
    pub fn parked(&self) {
        if self.refused_until.take().is_some() {
            self.incidents.ended(IncidentKind::CannotPark, &self.source);
        }
    }

    fn can_park(&self) -> bool {
        self.parks && self.refused_until.get().is_none_or(|until| Instant::now() >= until)
    }

    fn say_once(&self, topic: &TopicArn, parked: bool) {
        if self.said.replace(true) {
            return;
        }
        let (source, (waiting, _)) = (&self.source, self.used.get());
        // A topic that is held and flows again and again uses it up as often.
        let (kind, error) =
            (IncidentKind::ShareUsed, &"a held topic used its share of the prefetch");
        let told = self.incidents.count(Instant::now(), kind, source, topic.name(), error);
        let Some(Announcement { count: since_last_line, .. }) = told else { return };
        if parked {
            tracing::info!(event = "parking", source, %topic, waiting, since_last_line, "held topic has used its share of the prefetch: \
                further events are parked, and come back from time to time");
        } else {
            tracing::warn!(event = "share_exceeded", source, %topic, waiting, since_last_line, "held topic exceeds its share of the prefetch, \
                and its events cannot be parked: the source's other topics will wait too; give the topic a source of its own");
        }
    }
}

/// How long one delivery may wait.
#[derive(Debug, Clone, Copy)]
pub struct Deadline<'a> {
    pub(crate) budget: &'a WaitBudget,
    /// When it was taken.
    pub(crate) taken: Instant,
}

impl<'a> Deadline<'a> {
    /// With the lease of the session now: one that has ended has no delivery that waits.
    pub(crate) fn taken(&self) -> Taken {
        Taken { at: self.taken, lease: self.budget.lease.borrow().clone() }
    }

    /// Whether the broker that delivered it is silent, or was: it may be another worker's.
    pub(crate) fn is_lapsed(&self) -> bool {
        self.budget.lease.borrow().as_ref().is_some_and(Lease::has_lapsed)
    }

    fn is_draining(&self) -> bool {
        matches!(*self.budget.phase.borrow(), Phase::Draining { .. })
    }

    /// Takes a slot among those that wait for a topic, for a message of so many bytes. If none is free, one that waits
    /// `alone` takes one all the same, since something must probe.
    ///
    /// # Errors
    ///
    /// The event is to be parked.
    pub(crate) fn slot(
        &self,
        topic: &TopicArn,
        bytes: usize,
        ordered: bool,
        alone: bool,
    ) -> Result<Slot<'a>, Overdue> {
        let (budget, bytes) = (self.budget, bytes as u64);
        let (slots, in_all) = budget.used.get();
        let is_full = slots >= budget.slots || in_all + bytes > budget.most_bytes;
        if is_full && !alone && !self.is_draining() {
            let parked = !ordered && budget.can_park();
            budget.say_once(topic, parked);
            if parked {
                return Err(Overdue::Park);
            }
        }
        budget.used.set((slots + 1, in_all + bytes));
        Ok(Slot { budget, bytes })
    }

    /// Waits until another worker is to have what has not been begun.
    pub(crate) async fn handed_over(&self) {
        let mut phase = self.budget.phase.subscribe();
        let _ = phase.wait_for(|it| matches!(it, Phase::HandingOver { .. })).await;
    }

    /// Waits until the delivery has waited for as long as it may, all go back, or the session ends while the circuit
    /// `is_open`, which is looked at whenever the event wakes.
    pub(crate) async fn expired(&self, is_open: impl Fn() -> bool) {
        let mut phase = self.budget.phase.subscribe();
        let in_vain =
            poll_fn(
                |_| {
                    if self.is_draining() && is_open() { Poll::Ready(()) } else { Poll::Pending }
                },
            );
        tokio::select! {
            biased;
            () = in_vain => {}
            _ = phase.wait_for(|it| matches!(it, Phase::Requeuing(_) | Phase::HandingOver { .. })) => {}
            () = sleep_until(self.taken + self.budget.patience) => {}
        }
    }

    /// What becomes of the delivery after that. The first one that can't be parked makes all others go back; so
    /// does one in order when the session ends, for those behind it must not overtake it.
    pub(crate) fn overdue(&self, outage: Outage, ordered: bool) -> Overdue {
        let budget = self.budget;
        let may_park = match &*budget.phase.borrow() {
            Phase::Requeuing(_) | Phase::HandingOver { .. } => return Overdue::Requeue,
            Phase::Draining { parks: true, .. } if !ordered => true,
            Phase::Draining { .. } if !ordered => return Overdue::Requeue,
            Phase::Parking(before) if *before == outage => true,
            _ => outage.0 != Circuit::Service,
        };
        if may_park && !ordered && budget.can_park() {
            return Overdue::Park;
        }
        if !ordered && self.is_draining() {
            return Overdue::Requeue;
        }
        budget.phase.send_replace(Phase::Requeuing(outage));
        Overdue::Requeue
    }
}

/// A slot among those that wait for a topic.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    budget: &'a WaitBudget,
    bytes: u64,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let (slots, in_all) = self.budget.used.get();
        self.budget.used.set((slots - 1, in_all - self.bytes));
        if slots == 1 {
            self.budget.said.set(false);
            // Nothing is to be parked any more.
            self.budget.incidents.ended(IncidentKind::CannotPark, &self.budget.source);
        }
    }
}

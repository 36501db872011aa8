//! Where the held events of one source wait.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Held, NotNow};
use crate::arn::TopicArn;
use crate::config::Source;

/// After a refusal to park, events wait for so long before it is tried again.
const PARK_AGAIN: Duration = Duration::from_mins(1);

/// Where the held events of one source wait.
#[derive(Debug)]
pub struct Room {
    source: String,
    /// For those who wait for a topic.
    places: usize,
    taken: Cell<usize>,
    /// The same in bytes.
    most_bytes: u64,
    bytes: Cell<u64>,
    /// How long a delivery may wait.
    patience: Duration,
    parking: RefCell<Parking>,
    /// Whether some of its events go to FIFO topics.
    fifo: bool,
    /// Whether it was said what becomes of those beyond the places.
    said: Cell<bool>,
    /// Set when everyone must leave: by what they were held.
    closed_by: RefCell<Option<Held>>,
    /// The worker or the session stops: who would wait for what is held leaves instead.
    stopping: Cell<bool>,
    /// The session takes single events, to try whether what was held is back.
    trying: Cell<bool>,
    leave: Notify,
}

#[derive(Debug)]
enum Parking {
    /// It would break the order.
    Never,
    Possible,
    /// The last try was refused.
    Refused {
        why: String,
        until: Instant,
    },
}

impl Room {
    /// At most half of the prefetch may wait for held topics; what comes beyond is parked, if the source has
    /// a queue for that. A delivery may wait for `patience`.
    #[must_use]
    pub fn new(source: &Source, prefetch: u16, patience: Duration) -> Self {
        let parks = source.parking.is_some();
        Self {
            source: source.name.clone(),
            places: usize::from(prefetch / 2).max(1),
            taken: Cell::new(0),
            most_bytes: u64::MAX,
            bytes: Cell::new(0),
            patience,
            parking: RefCell::new(if parks { Parking::Possible } else { Parking::Never }),
            fifo: false,
            said: Cell::new(false),
            closed_by: RefCell::default(),
            stopping: Cell::new(false),
            trying: Cell::new(false),
            leave: Notify::new(),
        }
    }

    /// The same where some events may go to FIFO topics, whose order is kept whatever else is.
    #[must_use]
    pub fn with_fifo(self, fifo: bool) -> Self {
        Self { fifo, ..self }
    }

    /// The same where deliveries may be so many bytes in all: half of them may wait for held topics.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { most_bytes: bytes / 2, ..self }
    }

    /// With so many places, for as long as anyone likes.
    #[cfg(test)]
    pub(crate) fn patient(places: usize, parks: bool) -> Self {
        Self {
            source: "test".to_owned(),
            places,
            taken: Cell::new(0),
            most_bytes: u64::MAX,
            bytes: Cell::new(0),
            patience: Duration::from_hours(10_000),
            parking: RefCell::new(if parks { Parking::Possible } else { Parking::Never }),
            fifo: false,
            said: Cell::new(false),
            closed_by: RefCell::default(),
            stopping: Cell::new(false),
            trying: Cell::new(false),
            leave: Notify::new(),
        }
    }

    /// For a delivery that has come just now.
    #[must_use]
    pub fn stay(&self) -> Stay<'_> {
        Stay { room: self, taken: Instant::now() }
    }

    /// The source can't park for a while: its events wait, even beyond their places.
    pub fn cannot_park(&self, why: String) {
        let mut parking = self.parking.borrow_mut();
        if !matches!(&*parking, Parking::Refused { why: before, .. } if *before == why) {
            tracing::warn!(
                source = self.source,
                error = why,
                "cannot park a held topic's events: they fill the prefetch, and the source's other topics \
                 wait too"
            );
        }
        *parking = Parking::Refused { why, until: Instant::now() + PARK_AGAIN };
    }

    /// Deliveries that its source may have at once, or nearly.
    #[must_use]
    pub fn prefetch(&self) -> usize {
        2 * self.places
    }

    /// By what its events were held when it was closed.
    #[must_use]
    pub fn closed_by(&self) -> Option<Held> {
        self.closed_by.borrow().clone()
    }

    /// Lets events in again.
    pub fn reopen(&self) {
        self.closed_by.take();
        self.stopping.set(false);
    }

    /// Whether single events only try whether what was held is back. What waits for too long is parked then
    /// whatever it waits for, if it can be: handed back again and again, it would spend its delivery limit.
    pub fn only_try(&self, trying: bool) {
        self.trying.set(trying);
    }

    /// Nobody waits any more for what is held, whether it is so now or later.
    pub fn stop(&self) {
        self.stopping.set(true);
        self.leave.notify_waiters();
    }

    /// Whether something that is held may have a place in the queue that must not change.
    pub(crate) fn keeps_order(&self) -> bool {
        self.fifo || matches!(*self.parking.borrow(), Parking::Never)
    }

    fn parks(&self) -> bool {
        match &*self.parking.borrow() {
            Parking::Never => false,
            Parking::Possible => true,
            Parking::Refused { until, .. } => Instant::now() >= *until,
        }
    }

    fn say_once(&self, topic: &TopicArn, parked: bool) {
        if self.said.replace(true) {
            return;
        }
        let (source, waiting) = (&self.source, self.taken.get());
        if parked {
            tracing::info!(
                source,
                %topic,
                waiting,
                "a held topic has its share of the prefetch: what comes beyond is parked, and comes back from time to \
                 time"
            );
        } else {
            tracing::warn!(
                source,
                %topic,
                waiting,
                "a held topic exceeds its share of the prefetch and can't be parked: the source's other topics will \
                 wait too; give it a source of its own"
            );
        }
    }
}

/// One delivery's right to wait.
#[derive(Debug, Clone, Copy)]
pub struct Stay<'a> {
    room: &'a Room,
    taken: Instant,
}

impl<'a> Stay<'a> {
    /// When the delivery was taken.
    pub(crate) fn taken(&self) -> Instant {
        self.taken
    }

    /// Takes a place among those who wait for a topic, for a message of so many bytes. `None`: the event is to be parked, for there
    /// is none, unless it would be the only one, since somebody must probe.
    pub(crate) fn wait_for(
        &self,
        topic: &TopicArn,
        bytes: usize,
        ordered: bool,
        alone: bool,
    ) -> Option<Place<'a>> {
        let room = self.room;
        let (own, bytes) = (bytes as u64, room.bytes.get() + bytes as u64);
        let is_full = room.taken.get() >= room.places || bytes > room.most_bytes;
        if is_full && !alone {
            let parked = !ordered && room.parks();
            room.say_once(topic, parked);
            if parked {
                return None;
            }
        }
        room.taken.set(room.taken.get() + 1);
        room.bytes.set(bytes);
        Some(Place { room, bytes: own })
    }

    /// Whether everyone must leave.
    pub(crate) fn is_over(&self) -> bool {
        self.room.closed_by.borrow().is_some()
    }

    /// Whether the worker stops, which is no time to wait for what is held.
    pub(crate) fn is_stopping(&self) -> bool {
        self.room.stopping.get()
    }

    /// Waits until the delivery has waited for as long as it may, or everyone must leave. A stop wakes
    /// those who wait for this, and does not end it.
    pub(crate) async fn over(&self) {
        let mut time = pin!(sleep_until(self.taken + self.room.patience));
        loop {
            let leave = self.room.leave.notified();
            if self.is_over() {
                return;
            }
            tokio::select! {
                () = leave => {}
                () = &mut time => return,
            }
        }
    }

    /// What becomes of the event after that. The first one that can't be parked makes all others leave; so
    /// does one in order at a stop, for those behind it must not overtake it.
    pub(crate) fn end(&self, held: Held, ordered: bool) -> NotNow {
        let room = self.room;
        if self.is_over() || (room.stopping.get() && !ordered) {
            return NotNow::HandBack;
        }
        let parks = held != Held::Service || room.trying.get();
        if parks && !ordered && room.parks() {
            return NotNow::Park;
        }
        *room.closed_by.borrow_mut() = Some(held);
        room.leave.notify_waiters();
        NotNow::HandBack
    }
}

/// A place among those who wait for a topic.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Self { room, bytes } = self;
        room.taken.set(room.taken.get() - 1);
        room.bytes.set(room.bytes.get() - *bytes);
        if room.taken.get() == 0 {
            room.said.set(false);
        }
    }
}

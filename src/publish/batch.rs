//! Gathers notifications of one topic into requests of up to ten.
//!
//! A batch leaves when it is full, or when its oldest entry has waited for the linger; then
//! as soon as the limit of requests in flight allows. Entries are answered one by one.

mod queue;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use self::queue::{BatchEntry, Topics};
use super::classify::may_be_for_one_entry;
use super::fault::{is_throttle, lapsed, paused};
use super::limit::Limit;
use super::measure::{Answers, PublishMetrics};
use super::{Attempt, PauseGate, Publish, Taken};
use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId, Scope};
use crate::route::Notification;

/// What one request may hold, how long it may wait, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Batching {
    /// Entries of a request, 1 to 10.
    pub max_entries: usize,
    /// Bytes of all its entries, as SNS counts them.
    pub max_bytes: usize,
    /// How long an entry waits for others.
    pub linger: Duration,
    /// Requests in flight.
    pub max_requests: u16,
}

/// Publishes in batches. Its requests run as tasks on a [`tokio::task::LocalSet`], so that
/// a dropped caller does not cancel the entries of others.
#[derive(Debug)]
pub struct Batcher<P>(Rc<Inner<P>>);

#[derive(Debug)]
struct Inner<P> {
    place: P,
    batching: Batching,
    limit: RefCell<Limit>,
    in_flight: Cell<u16>,
    measures: PublishMetrics,
    pauses: Rc<PauseGate>,
    topics: RefCell<Topics>,
    /// Entries in those requests.
    carried: Cell<usize>,
    /// Wakes those who wait for room.
    room: Notify,
}

impl<P: Publish + 'static> Batcher<P> {
    /// Nothing is sent yet.
    pub fn new(place: P, batching: Batching) -> Self {
        Self::measured(place, batching, PublishMetrics::default(), Rc::default())
    }

    /// The same, and counts; what is paused does not leave.
    pub(super) fn measured(
        place: P,
        batching: Batching,
        measures: PublishMetrics,
        pauses: Rc<PauseGate>,
    ) -> Self {
        let limit = Limit::new(batching.max_requests);
        measures.metrics.request_limit.set(limit.current());
        Self(Rc::new(Inner {
            place,
            batching,
            limit: RefCell::new(limit),
            in_flight: Cell::new(0),
            measures,
            pauses,
            topics: RefCell::default(),
            carried: Cell::new(0),
            room: Notify::new(),
        }))
    }

    #[cfg(test)]
    pub(super) fn place(&self) -> &P {
        &self.0.place
    }
}

impl<P: Publish + 'static> Attempt for Batcher<P> {
    async fn attempt(
        &self,
        notification: &Rc<Notification>,
        taken: Taken,
    ) -> Result<MessageId, Fault> {
        let (reply, answer) = oneshot::channel();
        self.0.enqueue(BatchEntry::new(Rc::clone(notification), taken, reply));
        answer.await.unwrap_or_else(|_| Err(Fault::unanswered("the request was dropped")))
    }

    async fn ready(&self) {
        loop {
            let room = self.0.room.notified();
            if self.0.has_room() {
                return;
            }
            room.await;
        }
    }

    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        self.0.place.find_topic(topic).await
    }
}

impl<P: Publish + 'static> Inner<P> {
    fn enqueue(self: &Rc<Self>, entry: BatchEntry) {
        let full = self.topics.borrow_mut().push(entry, &self.batching);
        if full || self.batching.linger.is_zero() || self.watch() {
            self.go_on();
        }
    }

    /// Sends what is ready, as far as the limit allows, and watches over the rest.
    fn go_on(self: &Rc<Self>) {
        loop {
            self.send_ready();
            if self.has_room() {
                self.room.notify_waiters();
            }
            // What has become due just now, between the two, has nobody else to send it.
            if !(self.watch() && self.limit.borrow().allows(self.in_flight.get())) {
                return;
            }
        }
    }

    fn send_ready(self: &Rc<Self>) {
        while self.limit.borrow().allows(self.in_flight.get()) {
            let Some(batch) = self.topics.borrow_mut().take_ready(&self.batching) else { return };
            if self.pauses.pauses_topic(&batch[0].notification.topic) {
                for entry in batch {
                    entry.answer(Err(paused()));
                }
                continue;
            }
            self.goes(self.in_flight.get() + 1);
            self.carried.set(self.carried.get() + batch.len());
            tokio::task::spawn_local(Rc::clone(self).send(batch, Instant::now()));
        }
    }

    /// Whether requests could carry more than is here. What lingers does not fill any; with many topics
    /// it must not keep their batches small.
    fn has_room(&self) -> bool {
        let (waiting, topics) = self.topics.borrow().waiting();
        let requests = usize::from(self.limit.borrow().whole());
        self.carried.get() + waiting < (requests + topics) * self.batching.max_entries
    }

    fn goes(&self, in_flight: u16) {
        self.in_flight.set(in_flight);
        self.measures.metrics.requests_in_flight.set(in_flight.into());
    }

    /// Sees to it that somebody watches over every linger. Returns whether one is over already.
    fn watch(self: &Rc<Self>) -> bool {
        let (unwatched, due) = self.topics.borrow_mut().watch(&self.batching);
        for topic in unwatched {
            let inner = Rc::clone(self);
            tokio::task::spawn_local(async move {
                while let Some(due) = inner.watch_until(topic) {
                    sleep_until(due).await;
                }
                inner.go_on();
            });
        }
        due
    }

    /// `ready` is when it could have begun.
    async fn send(self: Rc<Self>, batch: Vec<BatchEntry>, ready: Instant) {
        let _slot = Slot { inner: &self, entries: batch.len() };
        let busy = ready.elapsed();
        // One bad entry must not take the others down: a batch that is refused as a whole
        // is sent in halves.
        let mut parts = vec![batch];
        let mut rest = None;
        while let Some(part) = parts.pop() {
            // It may have waited since it was taken, as the second half of a batch does.
            let (late, mut part): (Vec<_>, Vec<_>) =
                part.into_iter().partition(BatchEntry::is_lapsed);
            for entry in late {
                entry.answer(Err(lapsed()));
            }
            if part.is_empty() {
                continue;
            }
            let began = Instant::now();
            let answers = self.request(&part).await;
            self.measures.request(&part[0].notification.topic, part.len(), began, &answers);
            rest = rest.max(self.learn(&answers, busy, began.elapsed()));
            match answers {
                Err(fault) if part.len() > 1 && may_be_for_one_entry(&fault) => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Err(fault) => part.into_iter().for_each(|entry| entry.answer(Err(fault.clone()))),
                Ok(answers) => {
                    part.into_iter().zip(answers).for_each(|(entry, answer)| entry.answer(answer));
                }
            }
        }
        if let Some(rest) = rest {
            sleep(rest).await;
        }
    }

    fn watch_until(&self, topic: usize) -> Option<Instant> {
        self.topics.borrow_mut().watch_until(topic, &self.batching)
    }

    async fn request(&self, batch: &[BatchEntry]) -> Answers {
        if let ([entry], 1) = (batch, self.batching.max_entries) {
            self.place.publish(&entry.notification).await.map(|id| vec![Ok(id)])
        } else {
            let batch: Vec<_> = batch.iter().map(|entry| &*entry.notification).collect();
            self.place.publish_batch(&batch).await
        }
    }

    /// Returns how long the request is to keep its place, if it was throttled. It took so long, of which the
    /// answer waited about as long for this thread as its beginning did.
    fn learn(&self, answers: &Answers, busy: Duration, took: Duration) -> Option<Duration> {
        let met = |is: fn(&Fault) -> bool| match answers {
            Ok(answers) => answers.iter().filter_map(|it| it.as_ref().err()).any(is),
            Err(fault) => is(fault),
        };
        let mut limit = self.limit.borrow_mut();
        if met(is_transient) {
            limit.shrink();
        } else if took < 2 * busy {
            limit.ease();
        } else {
            limit.grow();
        }
        self.measures.metrics.request_limit.set(limit.current());
        met(is_throttle).then(|| limit.rest())
    }
}

/// A request's place among those in flight; it is given up even if the request panics.
struct Slot<'a, P: Publish + 'static> {
    inner: &'a Rc<Inner<P>>,
    entries: usize,
}

impl<P: Publish + 'static> Drop for Slot<'_, P> {
    fn drop(&mut self) {
        let Self { inner, entries } = self;
        inner.carried.set(inner.carried.get() - *entries);
        inner.goes(inner.in_flight.get() - 1);
        inner.go_on();
    }
}

fn is_transient(fault: &Fault) -> bool {
    fault.scope == Scope::Transient
}

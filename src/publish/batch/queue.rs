//! Entries that wait to be sent, by topic.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Batching;
use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId};
use crate::publish::Taken;
use crate::publish::fault::lapsed;
use crate::route::Notification;

/// A queued entry of a batch: a notification, and the sender of its result.
#[derive(Debug)]
pub(super) struct BatchEntry {
    pub(super) notification: Rc<Notification>,
    size: usize,
    since: Instant,
    taken: Taken,
    /// What was queued before, among those of one age.
    place: u64,
    reply: oneshot::Sender<Result<MessageId, Fault>>,
}

impl BatchEntry {
    pub(super) fn new(
        notification: Rc<Notification>,
        taken: Taken,
        reply: oneshot::Sender<Result<MessageId, Fault>>,
    ) -> Self {
        let size = notification.size();
        Self { notification, size, since: Instant::now(), taken, place: 0, reply }
    }

    /// Whether it must not be sent any more.
    pub(super) fn is_lapsed(&self) -> bool {
        self.taken.is_lapsed()
    }

    /// Nobody waiting any more is no fault.
    pub(super) fn answer(self, answer: Result<MessageId, Fault>) {
        let _ = self.reply.send(answer);
    }
}

/// The oldest delivery is the first. What waited for its turn, or for its retry, is older than what has just
/// come: to pass by it is to keep the oldest open deliveries few, and the acknowledged prefix close behind.
impl Ord for BatchEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        let age = |entry: &Self| (entry.taken.at, entry.place);
        age(self).cmp(&age(other))
    }
}

impl PartialOrd for BatchEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BatchEntry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BatchEntry {}

/// The queues of all topics. They take turns, so that a busy one does not starve the others.
#[derive(Debug, Default)]
pub(super) struct Topics {
    queues: Vec<TopicQueue>,
    next: usize,
    queued: u64,
    /// Entries in all queues.
    waiting: usize,
    /// Queues that have any.
    filled: usize,
}

#[derive(Debug)]
struct TopicQueue {
    topic: TopicArn,
    entries: BinaryHeap<Reverse<BatchEntry>>,
    bytes: usize,
    /// Whether somebody watches over the linger of the oldest entry.
    watched: bool,
}

impl Topics {
    /// Queues an entry. Returns whether a batch is full now.
    pub(super) fn push(&mut self, mut entry: BatchEntry, batching: &Batching) -> bool {
        let topic = &entry.notification.topic;
        let known = self.queues.iter().position(|queue| queue.topic == *topic);
        let index = known.unwrap_or_else(|| {
            self.queues.push(TopicQueue::new(topic.clone()));
            self.queues.len() - 1
        });
        let queue = &mut self.queues[index];
        self.queued += 1;
        entry.place = self.queued;
        self.waiting += 1;
        self.filled += usize::from(queue.entries.is_empty());
        queue.bytes += entry.size;
        queue.entries.push(Reverse(entry));
        queue.is_full(batching)
    }

    /// Takes the next batch that may leave now.
    pub(super) fn take_ready(&mut self, batching: &Batching) -> Option<Vec<BatchEntry>> {
        let now = Instant::now();
        let topics = self.queues.len();
        for _ in 0..topics {
            let queue = &mut self.queues[self.next];
            self.next = (self.next + 1) % topics;
            while queue.is_ready(batching, now) {
                let before = queue.entries.len();
                let batch = queue.take(batching);
                self.waiting -= before - queue.entries.len();
                self.filled -= usize::from(queue.entries.is_empty());
                if !batch.is_empty() {
                    return Some(batch);
                }
            }
        }
        None
    }

    /// How many entries wait, and in how many queues.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting, self.filled)
    }

    /// The topics that have lingering entries and nobody to watch over them; from now on
    /// the caller does. And whether there are entries that nobody watches over since they are due.
    pub(super) fn watch(&mut self, batching: &Batching) -> (Vec<usize>, bool) {
        let (mut unwatched, mut due) = (Vec::new(), false);
        for (index, queue) in self.queues.iter_mut().enumerate() {
            if queue.watched || queue.entries.is_empty() {
                continue;
            }
            queue.watched = queue.lingers_until(batching).is_some();
            if queue.watched {
                unwatched.push(index);
            } else {
                due = true;
            }
        }
        (unwatched, due)
    }

    /// When the first entry of a watched topic has lingered long enough; `None`, which
    /// ends the watch, if a batch is ready or there is none.
    pub(super) fn watch_until(&mut self, topic: usize, batching: &Batching) -> Option<Instant> {
        let queue = &mut self.queues[topic];
        let until = queue.lingers_until(batching);
        queue.watched = until.is_some();
        until
    }
}

impl TopicQueue {
    fn new(topic: TopicArn) -> Self {
        Self { topic, entries: BinaryHeap::new(), bytes: 0, watched: false }
    }

    fn is_full(&self, batching: &Batching) -> bool {
        self.entries.len() >= batching.max_entries || self.bytes >= batching.max_bytes
    }

    /// When what waits here is to leave though it fills no batch; `None` where it may leave already.
    fn lingers_until(&self, batching: &Batching) -> Option<Instant> {
        self.due(batching).filter(|due| *due > Instant::now())
    }

    fn is_ready(&self, batching: &Batching, now: Instant) -> bool {
        self.is_full(batching) || self.due(batching).is_some_and(|due| due <= now)
    }

    /// `None` where nobody lingers: these are few.
    fn due(&self, batching: &Batching) -> Option<Instant> {
        if self.is_full(batching) {
            return None;
        }
        let since = self.entries.iter().map(|Reverse(entry)| entry.since).min()?;
        Some(since + batching.linger)
    }

    /// The oldest entries that fit into one request. Those that nobody waits for any more are
    /// dropped: their deliveries come again.
    fn take(&mut self, batching: &Batching) -> Vec<BatchEntry> {
        let mut batch = Vec::with_capacity(batching.max_entries.min(self.entries.len()));
        let mut bytes = 0;
        while batch.len() < batching.max_entries
            && let Some(Reverse(oldest)) = self.entries.peek()
            && (batch.is_empty() || bytes + oldest.size <= batching.max_bytes)
            && let Some(Reverse(entry)) = self.entries.pop()
        {
            self.bytes -= entry.size;
            if entry.is_lapsed() {
                entry.answer(Err(lapsed()));
            } else if !entry.reply.is_closed() {
                bytes += entry.size;
                batch.push(entry);
            }
        }
        batch
    }
}

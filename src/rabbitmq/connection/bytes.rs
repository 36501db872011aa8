//! Limits the bytes that a source has in flight. RabbitMQ ignores `prefetch_size`, so this is done here: the reader
//! between the socket and lapin counts deliveries, and stops reading while there are too many bytes.

mod channels;
mod sizes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use lapin::types::DeliveryTag;
use tokio::sync::Notify;

pub(in crate::rabbitmq) use self::channels::Amount;
use self::channels::Channels;
pub(in crate::rabbitmq) use self::sizes::Sizes;
use crate::limits::{DELIVERY_OVERHEAD, HEADER_WEIGHT, LARGE_HEADERS};

/// The deliveries of one connection, in bytes. The connection's reader adds bytes, settling a delivery takes them away.
#[derive(Debug)]
pub(crate) struct InFlightBytes {
    /// More are not read; `u64::MAX` until a source asks for a limit.
    limit: AtomicU64,
    received: AtomicU64,
    settled: AtomicU64,
    /// Deliveries that have begun to come, and that have come as a whole.
    begun: AtomicU64,
    whole: AtomicU64,
    whole_settled: AtomicU64,
    /// Deliveries with large headers: channel, tag and charge. Others need no lock.
    large: Mutex<VecDeque<(u16, DeliveryTag, u64)>>,
    has_large: AtomicBool,
    /// Of each channel, where several consume.
    channels: Channels,
    /// What is too much is read and thrown away, so that answers behind it arrive.
    is_discarding: AtomicBool,
    pause: Mutex<Option<Pause>>,
    is_paused: AtomicBool,
    paused: Notify,
    reader: AtomicWaker,
}

/// The reader waits.
#[derive(Debug, Clone, Copy)]
struct Pause {
    began: Instant,
    /// Since when nothing moved.
    since: Instant,
    /// So many deliveries would have been within the limit.
    fits: u64,
}

impl Pause {
    fn new(fits: u64) -> Self {
        let now = Instant::now();
        Self { began: now, since: now, fits }
    }
}

impl Default for InFlightBytes {
    fn default() -> Self {
        Self {
            limit: AtomicU64::new(u64::MAX),
            received: AtomicU64::default(),
            settled: AtomicU64::default(),
            begun: AtomicU64::default(),
            whole: AtomicU64::default(),
            whole_settled: AtomicU64::default(),
            large: Mutex::default(),
            has_large: AtomicBool::default(),
            channels: Channels::default(),
            is_discarding: AtomicBool::default(),
            pause: Mutex::default(),
            is_paused: AtomicBool::default(),
            paused: Notify::default(),
            reader: AtomicWaker::default(),
        }
    }
}

impl InFlightBytes {
    /// From now on no more than so many, but always one delivery.
    pub(in crate::rabbitmq) fn limit_to(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Release);
    }

    pub(in crate::rabbitmq) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Acquire)
    }

    /// Several channels consume, each for a time of its own.
    pub(in crate::rabbitmq) fn share(&self) {
        self.channels.share();
    }

    /// What a delivery is charged; to be asked once, in the order of a channel's deliveries.
    pub(in crate::rabbitmq) fn charge(&self, channel: u16, tag: DeliveryTag, body: usize) -> u64 {
        let mut charge = DELIVERY_OVERHEAD + body as u64;
        if self.has_large.load(Ordering::Acquire) {
            let mut large = lock(&self.large);
            large.retain(|&(on, at, headers)| {
                charge += if (on, at) == (channel, tag) { headers } else { 0 };
                on != channel || at > tag
            });
            self.has_large.store(!large.is_empty(), Ordering::Release);
        }
        charge
    }

    /// A channel is closed, on which so many deliveries were settled, with charges of so many bytes. What else had come on it
    /// comes again.
    pub(in crate::rabbitmq) fn end_channel(&self, channel: u16, settled: Amount) {
        let Some(come) = self.channels.take(channel) else { return };
        lock(&self.large).retain(|(on, ..)| *on != channel);
        self.whole_settled.fetch_add(come.whole.saturating_sub(settled.whole), Ordering::SeqCst);
        self.settled.fetch_add(come.bytes.saturating_sub(settled.bytes), Ordering::SeqCst);
        self.reader.wake();
    }

    /// A delivery with this charge is settled.
    pub(in crate::rabbitmq) fn settle(&self, charge: u64) {
        self.whole_settled.fetch_add(1, Ordering::SeqCst);
        self.settled.fetch_add(charge, Ordering::SeqCst);
        if !self.is_paused.load(Ordering::SeqCst) {
            return;
        }
        if self.is_full() {
            // Something moves, so the reader's patience begins anew.
            if let Some(pause) = &mut *lock(&self.pause) {
                pause.since = Instant::now();
            }
        } else {
            self.reader.wake();
        }
    }

    /// Waits until the reader has been pausing for so long, and tells how many deliveries fit.
    pub(in crate::rabbitmq) async fn stuck(&self, patience: Duration) -> u64 {
        loop {
            let paused = self.paused.notified();
            let Some(Pause { began, since, fits }) = self.pause_now() else {
                paused.await;
                continue;
            };
            // However much moves: the broker is kept waiting, and gives up at some time.
            let left = patience.saturating_sub(since.elapsed());
            let left = left.min((2 * patience).saturating_sub(began.elapsed()));
            if left.is_zero() {
                return fits;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn pause_now(&self) -> Option<Pause> {
        if self.is_paused.load(Ordering::Acquire) { *lock(&self.pause) } else { None }
    }

    /// No pause any more: what is too much is thrown away, and all that comes after it. The broker takes it back
    /// when the channel closes.
    pub(in crate::rabbitmq) fn start_discarding(&self) {
        self.is_discarding.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn is_discarding(&self) -> bool {
        self.is_discarding.load(Ordering::Acquire)
    }

    fn in_flight(&self) -> u64 {
        let settled = self.settled.load(Ordering::SeqCst);
        self.received.load(Ordering::Acquire).saturating_sub(settled)
    }

    /// Never by a single delivery: a consumer that may have no more gets no more, and a reader that pauses for it would
    /// keep the broker's heartbeats and answers from lapin for as long as it is held.
    fn is_full(&self) -> bool {
        self.in_flight() > self.limit() && self.whole_in_flight() > 1
    }

    fn whole_in_flight(&self) -> u64 {
        let settled = self.whole_settled.load(Ordering::SeqCst);
        self.whole.load(Ordering::Acquire).saturating_sub(settled)
    }

    /// So many bytes have come.
    fn receive(&self, bytes: u64) {
        let before = self.in_flight();
        self.received.fetch_add(bytes, Ordering::AcqRel);
        if before <= self.limit() && before + bytes > self.limit() {
            *lock(&self.pause) = Some(Pause::new(self.whole_in_flight()));
        }
    }

    /// The reader: whether it may go on. If not, it is woken when it may.
    pub(in crate::rabbitmq) fn may_read(&self, waker: &Waker) -> bool {
        if self.is_discarding() || !self.is_full() {
            self.is_paused.store(false, Ordering::Release);
            return true;
        }
        self.reader.register(waker);
        // Nobody else begins one.
        if !self.is_paused.load(Ordering::SeqCst) {
            let mut pause = lock(&self.pause);
            let fits = pause.map_or_else(|| self.whole_in_flight(), |pause| pause.fits);
            *pause = Some(Pause::new(fits));
            drop(pause);
            self.is_paused.store(true, Ordering::SeqCst);
            self.paused.notify_one();
        }
        // What was settled since may have woken nobody.
        if self.is_full() && !self.is_discarding() {
            return false;
        }
        self.is_paused.store(false, Ordering::Release);
        true
    }
}

/// What the reader tells of a delivery as it comes.
impl InFlightBytes {
    /// A new channel has this number. What came for the one before after its end comes again.
    pub(in crate::rabbitmq) fn open(&self, channel: u16) {
        self.end_channel(channel, Amount::default());
    }

    /// It has begun; its headers have so many bytes.
    pub(in crate::rabbitmq) fn begin(&self, channel: u16, headers: u64) {
        let begun = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let tag = self.channels.begin(channel).unwrap_or(begun);
        let mut charge = DELIVERY_OVERHEAD;
        if headers > LARGE_HEADERS {
            charge += headers * HEADER_WEIGHT;
            lock(&self.large).push_back((channel, tag, headers * HEADER_WEIGHT));
            self.has_large.store(true, Ordering::Release);
        }
        self.channels.receive(channel, Amount { bytes: charge, whole: 0 });
        self.receive(charge);
    }

    /// So many bytes of its body have come.
    pub(in crate::rabbitmq) fn body(&self, channel: u16, bytes: u64) {
        self.channels.receive(channel, Amount { bytes, whole: 0 });
        self.receive(bytes);
    }

    /// It is whole.
    pub(in crate::rabbitmq) fn end(&self, channel: u16) {
        self.channels.receive(channel, Amount { bytes: 0, whole: 1 });
        self.whole.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it is read and thrown away.
    pub(in crate::rabbitmq) fn leaves_out(&self) -> bool {
        self.is_discarding() && self.is_full()
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

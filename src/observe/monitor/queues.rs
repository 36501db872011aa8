//! The depths of a source's queues, as far as the broker tells them.

use tokio::time::Instant;

use super::{Monitor, PartitionShare, State};
use crate::observe::metrics::Metrics;

impl Monitor {
    /// What the broker says of the queue: ready events and consumers. `None`: there is no connection, and nothing is known of any
    /// queue.
    pub fn queue(&self, depth: Option<(u32, u32)>) {
        let Some((ready, consumers)) = depth else {
            self.queue_is_unknown();
            self.parked(None);
            self.dead_letters.forget(&self.source, &self.metrics);
            return;
        };
        let source = &[&*self.source];
        let Metrics { queue_ready, queue_consumers, .. } = &*self.metrics;
        queue_ready.with_label_values(source).set(ready.into());
        queue_consumers.with_label_values(source).set(consumers.into());
        self.queue.set((ready, consumers));
    }

    /// A session begins, in which nothing has come yet.
    pub fn begin_session(&self, is_single_active: bool) {
        self.is_single_active.set(is_single_active);
        self.deliveries_before.set(self.deliveries.get());
    }

    /// The ready events that this worker may expect, so that the sum over all workers is what is ready.
    pub(super) fn share(&self) -> f64 {
        let (ready, consumers) = self.queue.get();
        if self.is_single_active.get() {
            // RabbitMQ tells nobody who is active. Where messages wait, the active one gets some.
            let has_come = self.deliveries.get() > self.deliveries_before.get();
            return if has_come { ready.into() } else { 0.0 };
        }
        // A quorum queue counts the active consumer alone, whose share is all then; a classic one counts those that stand by, too.
        let is_standby = self.seen.borrow().state == State::Standby && consumers <= 1;
        if is_standby { 0.0 } else { f64::from(ready) / f64::from(consumers.max(1)) }
    }

    /// This worker's share of the partitions.
    pub fn partitions(&self, share: PartitionShare) {
        self.metrics.partitions.with_label_values(&[&*self.source]).set(share.active.into());
        self.prefetch.set(share.active.saturating_mul(share.prefetch));
        self.seen.borrow_mut().partitions = Some(share);
    }

    /// Without a consumer, this worker gets events from no partition.
    pub(super) fn has_no_partitions(&self) {
        if self.seen.borrow_mut().partitions.take().is_some() {
            self.metrics.partitions.with_label_values(&[&*self.source]).set(0);
        }
    }

    /// The broker may say nothing of the queue.
    pub fn queue_is_unknown(&self) {
        self.queue_is_silent();
        self.queue.set((0, 0));
    }

    /// The queue has not answered for long. For the backlog, what it said last is a better guess than nothing: it may be too busy,
    /// and fewer workers would not help.
    pub fn queue_is_silent(&self) {
        let source = &[&*self.source];
        // Not there is no trouble.
        let _ = self.metrics.queue_ready.remove_label_values(source);
        let _ = self.metrics.queue_consumers.remove_label_values(source);
    }

    /// What the broker says of the queue for parked events.
    pub fn parked(&self, count: Option<u32>) {
        let (parked, source) = (&self.metrics.queue_parked, &[&*self.source]);
        match count {
            Some(count) => parked.with_label_values(source).set(count.into()),
            None => _ = parked.remove_label_values(source),
        }
    }

    /// What the broker says of the dead-letter queue, and when it was asked. `None`: this source knows nothing of it.
    pub fn dead_letters(&self, queue: &str, depth: Option<(u32, Instant)>) {
        let (source, metrics) = (&*self.source, &*self.metrics);
        match depth {
            Some((count, asked)) => {
                self.dead_letters.update(source, queue, (asked, count), metrics);
            }
            None => self.dead_letters.forget(source, metrics),
        }
    }
}

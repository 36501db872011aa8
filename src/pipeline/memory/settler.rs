//! Settles deliveries of a queue in memory.

use super::MemoryQueue;
use crate::event::Envelope;
use crate::headers::REPLAY_ID;
use crate::outcome::DeadLetter;
use crate::pipeline::ports::{Delivery, NotParked, Settle, StaleReceipt};
use crate::replay::{OutcomeReport, ReplayId};

/// The right to settle one delivery of a [`MemoryQueue`].
#[derive(Debug)]
#[must_use = "a delivery that is not settled comes back only when its session ends"]
pub struct MemoryReceipt {
    /// No other delivery has it: once its session has ended, nothing has.
    pub(super) tag: u64,
}

/// Settles what a session in memory delivered.
#[derive(Debug, Clone)]
pub struct MemorySettler(pub(super) MemoryQueue);

impl Settle for MemorySettler {
    type Receipt = MemoryReceipt;

    async fn ack(&self, receipt: MemoryReceipt) -> Result<(), StaleReceipt> {
        let mut state = self.0.0.state.borrow_mut();
        self.0.0.changed.notify_one();
        state.unacked.remove(&receipt.tag).map(drop).ok_or(StaleReceipt)
    }

    async fn dead_letter(
        &self,
        envelope: &Envelope,
        receipt: &MemoryReceipt,
        letter: &DeadLetter,
    ) -> Result<(), StaleReceipt> {
        let mut state = self.0.0.state.borrow_mut();
        if !state.unacked.contains_key(&receipt.tag) {
            return Err(StaleReceipt);
        }
        state.dead.push((envelope.clone(), letter.clone()));
        Ok(())
    }

    async fn park(&self, envelope: &Envelope, receipt: &MemoryReceipt) -> Result<(), NotParked> {
        if !self.0.0.state.borrow().unacked.contains_key(&receipt.tag) {
            return Err(NotParked::Stale(StaleReceipt));
        }
        let Some(time) = self.0.0.options.parked_for else {
            return Err(NotParked::Refused("there is no queue to park in".to_owned()));
        };
        let (queue, envelope) = (self.0.clone(), envelope.clone());
        queue.0.state.borrow_mut().parked += 1;
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            queue.0.state.borrow_mut().parked -= 1;
            queue.publish(envelope);
        });
        Ok(())
    }

    fn asks_for_outcome(&self, delivery: &Delivery<MemoryReceipt>) -> Option<ReplayId> {
        let (_, id) = delivery.envelope.headers.iter().find(|(name, _)| name == REPLAY_ID)?;
        id.parse().ok().filter(|id: &ReplayId| id.asks)
    }

    async fn report(&self, id: ReplayId, report: &OutcomeReport) {
        self.0.0.state.borrow_mut().reports.push((id, report.clone()));
    }
}

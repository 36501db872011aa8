//! Settles deliveries: the only place that acknowledges and dead-letters.

use std::fmt;

use crate::outcome::Outcome;
use crate::pipeline::ports::{Delivery, NotParked, Settle, StaleReceipt};

/// A delivery that could not be settled as it should.
pub enum Unsettled<R> {
    /// It is delivered again.
    Stale(StaleReceipt),
    /// The broker does not take it for parked.
    NotParked {
        /// As it was.
        delivery: Delivery<R>,
        /// In words for the operator.
        why: String,
    },
}

impl<R> fmt::Debug for Unsettled<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(stale) => stale.fmt(f),
            Self::NotParked { why, .. } => write!(f, "NotParked({why:?})"),
        }
    }
}

impl<R> From<StaleReceipt> for Unsettled<R> {
    fn from(stale: StaleReceipt) -> Self {
        Self::Stale(stale)
    }
}

/// Settles a delivery: publishes its dead letter or parked event if needed, then acknowledges. A delivery to be requeued
/// stays unacknowledged, and RabbitMQ requeues it in its position when the session closes.
///
/// # Errors
///
/// [`Unsettled`]: the session has ended, or the delivery can't be parked now.
pub async fn settle<S: Settle>(
    settler: &S,
    delivery: Delivery<S::Receipt>,
    outcome: &Outcome,
) -> Result<(), Unsettled<S::Receipt>> {
    // What is rare is boxed, since every event in flight would carry the room for it along: several kilobytes.
    match outcome {
        Outcome::Published(_) | Outcome::Skipped(_) => {}
        Outcome::DeadLettered(letter) => {
            Box::pin(settler.dead_letter(&delivery.envelope, &delivery.receipt, letter)).await?;
        }
        Outcome::Parked => {
            match Box::pin(settler.park(&delivery.envelope, &delivery.receipt)).await {
                Ok(()) => {}
                Err(NotParked::Stale(stale)) => return Err(stale.into()),
                Err(NotParked::Refused(why)) => {
                    return Err(Unsettled::NotParked { delivery, why });
                }
            }
        }
        Outcome::Requeued => return Ok(()),
    }
    Ok(settler.ack(delivery.receipt).await?)
}

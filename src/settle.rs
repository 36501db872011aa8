//! The one place where deliveries are acknowledged and dead-lettered.

use std::future::Future;

use crate::event::Envelope;
use crate::outcome::{DeadLetter, Outcome};
use crate::source::Delivery;

/// What a session offers to settle its deliveries with.
pub trait Settle {
    /// The right to settle one delivery.
    type Receipt;

    /// Acknowledges: the broker forgets the delivery.
    ///
    /// # Errors
    ///
    /// The session has ended; the delivery will come again.
    fn ack(&self, receipt: Self::Receipt) -> impl Future<Output = Result<(), Void>>;

    /// Copies the event to where dead letters are kept. Returns when it is safe there,
    /// however long that takes.
    ///
    /// # Errors
    ///
    /// The session has ended while it waited; the delivery will come again.
    fn bury(
        &self,
        envelope: &Envelope,
        receipt: &Self::Receipt,
        letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), Void>>;

    /// Copies the event to where the broker keeps it for a while and brings it back from. Returns
    /// when it is safe there.
    ///
    /// # Errors
    ///
    /// Why that can't be done now.
    fn park(
        &self,
        envelope: &Envelope,
        receipt: &Self::Receipt,
    ) -> impl Future<Output = Result<(), String>>;
}

/// The receipt is void, since its session has ended. Nothing is lost: the broker
/// delivers the event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery's channel is gone; the broker delivers it again")]
pub struct Void;

/// Acknowledges a delivery whose outcome is safe, and makes it safe first where it is a
/// dead letter.
///
/// # Errors
///
/// [`Void`], if the session has ended.
pub async fn settle<S: Settle>(
    settler: &S,
    delivery: Delivery<S::Receipt>,
    outcome: &Outcome,
) -> Result<(), Void> {
    let Delivery { envelope, receipt } = delivery;
    match outcome {
        Outcome::Published(_) | Outcome::Skipped(_) => {}
        // Boxed, since every event in flight would carry the room for it along: several kilobytes.
        Outcome::DeadLettered(letter) => {
            Box::pin(settler.bury(&envelope, &receipt, letter)).await?;
        }
    }
    settler.ack(receipt).await
}

/// Parks a delivery, and acknowledges it when that is safe. Not parked, it is given back with the reason.
///
/// # Errors
///
/// [`Void`], if the session has ended.
pub async fn park<S: Settle>(
    settler: &S,
    delivery: Delivery<S::Receipt>,
) -> Result<Result<(), NotParked<S::Receipt>>, Void> {
    match settler.park(&delivery.envelope, &delivery.receipt).await {
        Ok(()) => settler.ack(delivery.receipt).await.map(Ok),
        Err(why) => Ok(Err(NotParked { delivery, why })),
    }
}

/// A delivery that could not be parked.
#[derive(Debug)]
pub struct NotParked<R> {
    /// As it was.
    pub delivery: Delivery<R>,
    /// In words for the operator.
    pub why: String,
}

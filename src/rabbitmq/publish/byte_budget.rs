//! Bounds the bytes of bodies that are being published at once: lapin copies each body into frames.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::PUBLISHING_BYTES;

/// Bytes for which one permit is taken.
const UNIT: usize = 1024;

/// A semaphore of as many bytes as may be copied at once.
#[derive(Debug)]
pub(in crate::rabbitmq) struct ByteBudget(Semaphore);

impl Default for ByteBudget {
    fn default() -> Self {
        Self(Semaphore::new(PUBLISHING_BYTES / UNIT))
    }
}

impl ByteBudget {
    /// Waits until a body may be copied into frames. One that is larger than the whole budget has it to itself. Never
    /// `None`, since the semaphore is never closed.
    pub(in crate::rabbitmq) async fn reserve(&self, body: &[u8]) -> Option<SemaphorePermit<'_>> {
        let units = (body.len() / UNIT + 1).min(PUBLISHING_BYTES / UNIT);
        self.0.acquire_many(u32::try_from(units).unwrap_or(u32::MAX)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_body_more_than_the_budget_waits_and_a_giant_has_all_of_it() {
        let budget = ByteBudget::default();
        let enter = |bytes: usize| budget.reserve(&vec![0; bytes]).now_or_never();
        let many: Vec<_> = (0..PUBLISHING_BYTES / UNIT).map_while(|_| enter(UNIT - 1)).collect();
        assert_eq!(many.len(), PUBLISHING_BYTES / UNIT);
        assert!(enter(0).is_none());
        drop(many);
        let giant = enter(PUBLISHING_BYTES + 1);
        assert!(giant.is_some() && enter(0).is_none());
        drop(giant);
        assert!(enter(0).is_some());
    }
}

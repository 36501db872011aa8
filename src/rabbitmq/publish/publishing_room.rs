//! Room for what is being published: lapin copies each body into frames.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::PUBLISHING_BYTES;

/// Bytes for which one permit is taken.
const UNIT: usize = 1024;

/// As many bytes as may be copied at once.
#[derive(Debug)]
pub(in crate::rabbitmq) struct PublishingRoom(Semaphore);

impl Default for PublishingRoom {
    fn default() -> Self {
        Self(Semaphore::new(PUBLISHING_BYTES / UNIT))
    }
}

impl PublishingRoom {
    /// Waits until a body may be copied into frames. One that is larger than all the room has it to itself. Never
    /// `None`, since the semaphore is never closed.
    pub(in crate::rabbitmq) async fn for_body(&self, body: &[u8]) -> Option<SemaphorePermit<'_>> {
        let units = (body.len() / UNIT + 1).min(PUBLISHING_BYTES / UNIT);
        self.0.acquire_many(u32::try_from(units).unwrap_or(u32::MAX)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_body_more_than_there_is_room_for_waits_and_a_giant_has_all_of_it() {
        let room = PublishingRoom::default();
        let enter = |bytes: usize| room.for_body(&vec![0; bytes]).now_or_never();
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

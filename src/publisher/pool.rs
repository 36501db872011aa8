//! At most `pool_size` requests at once.

use tokio::sync::Semaphore;

use super::Publish;
use crate::outcome::{Fault, MessageId};
use crate::route::Notification;

/// Bounds how many publishes are in flight.
#[derive(Debug)]
pub struct Pool<P> {
    place: P,
    permits: Semaphore,
}

impl<P> Pool<P> {
    /// Lets `size` requests through at once; further ones wait in the order they came.
    pub fn new(place: P, size: usize) -> Self {
        Self { place, permits: Semaphore::new(size) }
    }
}

impl<P: Publish> Publish for Pool<P> {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        // Nobody closes this semaphore; were it closed, publishing unbounded would still lose nothing.
        let _permit = self.permits.acquire().await.ok();
        self.place.publish(notification).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;
    use crate::publisher::memory::notification;

    #[derive(Default)]
    struct Busy {
        now: Cell<usize>,
        most: Cell<usize>,
    }

    impl Publish for Busy {
        async fn publish(&self, _: &Notification) -> Result<MessageId, Fault> {
            self.now.set(self.now.get() + 1);
            self.most.set(self.most.get().max(self.now.get()));
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.now.set(self.now.get() - 1);
            Ok(MessageId(String::new()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_the_pool_size_is_in_flight_and_all_of_it_is_used() {
        let pool = Pool::new(Busy::default(), 7);
        let note = notification("t", "{}");
        join_all((0..50).map(|_| pool.publish(&note))).await;
        assert_eq!(pool.place.most.get(), 7);
    }
}

//! Counts the dead letters without browsing them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{DeadLetters, DeadLettersError};
use crate::rabbitmq::topology::queue_state::{EmptyDebounce, KNOWN_FOR, QueueState};

impl DeadLetters {
    /// Asks the queue again and again, on a connection of its own. `show` gets the number, or `None` once nobody knows it: while a
    /// browser holds all letters, the queue does not tell how many they are.
    ///
    /// # Errors
    ///
    /// The broker does not answer, or there is no such queue. Without one it never ends.
    pub async fn count(
        &self,
        pause: Duration,
        mut show: impl FnMut(Option<u64>),
    ) -> Result<std::convert::Infallible, DeadLettersError> {
        let connection = self.broker.connect("counts dead letters").await?;
        let (mut debounce, mut known) = (EmptyDebounce::default(), Instant::now());
        loop {
            let state = match QueueState::on(&connection, self.queue()).await {
                Ok(state) => state,
                Err(error) => {
                    connection.close().await;
                    return Err(error.into());
                }
            };
            if debounce.accepts(state) && state.consumers == 0 {
                known = Instant::now();
                show(Some(state.ready.into()));
            } else if known.elapsed() >= KNOWN_FOR {
                show(None);
            }
            sleep(pause).await;
        }
    }
}

//! Counts the dead letters without browsing them.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeadLetters, DeadLettersError};
use crate::rabbitmq::topology::queue_state::{EmptyDebounce, QueueState};

impl DeadLetters {
    /// Asks the queue again and again, on a connection of its own. `show` gets the number whenever it is known: not
    /// while a browser holds all letters.
    ///
    /// # Errors
    ///
    /// The broker does not answer, or there is no such queue. Without one it never ends.
    pub async fn count(
        &self,
        pause: Duration,
        mut show: impl FnMut(u64),
    ) -> Result<std::convert::Infallible, DeadLettersError> {
        let connection = self.broker.connect("counts dead letters").await?;
        let mut debounce = EmptyDebounce::default();
        loop {
            let state = match QueueState::on(&connection, self.queue()).await {
                Ok(state) => state,
                Err(error) => {
                    connection.close().await;
                    return Err(error.into());
                }
            };
            if debounce.accepts(state) && state.consumers == 0 {
                show(state.ready.into());
            }
            sleep(pause).await;
        }
    }
}

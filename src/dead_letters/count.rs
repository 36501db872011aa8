//! How many dead letters there are, without a look at them.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeadLetters, Trouble};
use crate::rabbitmq::topology::queue_state::{Doubt, QueueState};

impl DeadLetters {
    /// Asks again and again, on a connection of its own. `show` gets the number whenever it is known: not
    /// while somebody looks at the letters, who holds them all.
    ///
    /// # Errors
    ///
    /// The broker does not answer, or there is no such queue. Without one it never ends.
    pub async fn count(
        &self,
        pause: Duration,
        mut show: impl FnMut(u64),
    ) -> Result<std::convert::Infallible, Trouble> {
        let connection = self.broker.connect("counts dead letters").await?;
        let mut doubt = Doubt::default();
        loop {
            let state = match QueueState::on(&connection, self.queue()).await {
                Ok(state) => state,
                Err(error) => {
                    connection.close().await;
                    return Err(error.into());
                }
            };
            if doubt.believes(state) && state.consumers == 0 {
                show(state.ready.into());
            }
            sleep(pause).await;
        }
    }
}

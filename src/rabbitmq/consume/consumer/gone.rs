//! A consumer that the broker has cancelled.

use super::SourceConsumer;
use super::options::ConsumeOptions;
use crate::outcome::SourceError;
use crate::rabbitmq::consume::cancelled::{self, Held, Holder};

impl SourceConsumer {
    /// The broker gives no reason, so that is asked for; once, however often this is dropped while it waits.
    pub(super) async fn cancelled(&mut self, is_held: bool) -> SourceError {
        let ConsumeOptions { broker, queue, timeout, .. } = self.options.clone();
        let held = Held::of(is_held, self.began.elapsed(), timeout);
        let asking = self.asking.get_or_insert_with(|| {
            Box::pin(async move {
                let cause = cancelled::cause(&broker, &queue, held, Holder::Source).await;
                SourceError::Failed(format!("the consumer of `{queue}` was cancelled: {cause}"))
            })
        });
        asking.await
    }
}

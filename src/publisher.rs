//! From a notification to SNS's answer, through four small layers:
//!
//! [`Gate`] waits while a topic or the whole service is held, [`Retry`] repeats what
//! failed for a passing reason, [`Pool`] bounds the requests in flight, and [`Sns`]
//! makes the request and says how far a fault reaches.

mod classify;
mod gate;
mod memory;
mod pool;
mod retry;
mod sns;

use std::future::Future;

pub use gate::Gate;
pub use memory::MemoryTopics;
pub use pool::Pool;
pub use retry::{Accepted, Failure, Retry};
pub use sns::{Sns, SnsSetupError};

use crate::config;
use crate::outcome::{Fault, MessageId};
use crate::route::Notification;

/// Somewhere to publish: one attempt, one answer.
pub trait Publish {
    /// Publishes once.
    ///
    /// # Errors
    ///
    /// A [`Fault`] means that the notification was not accepted, or that nobody can tell.
    fn publish(
        &self,
        notification: &Notification,
    ) -> impl Future<Output = Result<MessageId, Fault>>;
}

/// The layers in their order, over any place to publish to.
pub type Publisher<P> = Gate<Retry<Pool<P>>>;

/// Stacks the layers as the configuration has them.
pub fn stack<P: Publish>(sns: &config::Sns, outage: &config::Outage, place: P) -> Publisher<P> {
    let pool = Pool::new(place, sns.pool_size.into());
    let retry = Retry::new(pool, sns.publish_retry_count, sns.publish_retry_time);
    Gate::new(retry, outage.threshold, outage.probe_max)
}

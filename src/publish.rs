//! Publishes a notification through four layers:
//!
//! [`FaultPolicy`] decides whether a fault is the event's, the topic's or the service's and waits for open circuits,
//! [`Retry`] repeats attempts after temporary faults, [`Batcher`] gathers entries into one request and
//! limits the requests in flight, and [`Sns`](crate::sns::Sns) makes the request and classifies its
//! fault. [`KeyQueues`] keep the order, if ordering is configured.

mod batch;
mod breaker;
pub(crate) mod classify;
pub(crate) mod fault;
mod fault_policy;
pub mod hold;
mod key_queues;
mod lease;
mod limit;
mod measure;
pub(crate) mod memory;
mod pause_gate;
mod retry;

use std::future::Future;
use std::rc::Rc;

use tokio::time::Instant;

pub use batch::{Batcher, Batching};
pub use fault_policy::{FaultPolicy, Unpublished};
pub use key_queues::{KeyQueues, Turn};
pub use lease::Lease;
pub use measure::PublishMetrics;
pub use memory::MemoryTopics;
pub use pause_gate::PauseGate;
pub use retry::{Accepted, Failure, Retry};

use crate::arn::TopicArn;
use crate::config;
use crate::outcome::{Fault, MessageId};
use crate::route::Notification;

/// The port for publishing: one request, one answer.
pub trait Publish {
    /// Publishes one notification; as a batch of one, where that is no other request.
    ///
    /// # Errors
    ///
    /// A [`Fault`] means that the notification was not accepted, or that nobody can tell.
    fn publish(
        &self,
        notification: &Notification,
    ) -> impl Future<Output = Result<MessageId, Fault>> {
        async {
            let answers = self.publish_batch(&[notification]).await?;
            let nothing = || Err(Fault::unanswered("the answer names no message"));
            answers.into_iter().next().unwrap_or_else(nothing)
        }
    }

    /// Publishes up to ten notifications of the same topic. Returns an answer for each,
    /// in their order.
    ///
    /// # Errors
    ///
    /// As [`Publish::publish`], for the request as a whole.
    fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> impl Future<Output = Result<Vec<Result<MessageId, Fault>>, Fault>>;

    /// Asks for the topic and publishes nothing. Where that can't be asked, it is there.
    ///
    /// # Errors
    ///
    /// A [`Fault`] as for a publish.
    fn find_topic(&self, topic: &TopicArn) -> impl Future<Output = Result<(), Fault>> {
        let _ = topic;
        std::future::ready(Ok(()))
    }
}

/// When a delivery was taken, and how long it may be published.
#[derive(Debug, Clone)]
pub struct Taken {
    /// When it was taken.
    pub at: Instant,
    /// Of what a broker delivers to one worker alone.
    pub lease: Option<Lease>,
}

impl Taken {
    /// Now, and it may be published at any time.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Instant::now(), lease: None }
    }

    /// Whether it may be published no more.
    #[must_use]
    pub fn is_lapsed(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::has_lapsed)
    }
}

/// One attempt to publish a notification, in a request with or without others.
pub trait Attempt {
    /// Tries once. Of those that wait, the one that was taken first goes first.
    ///
    /// # Errors
    ///
    /// As [`Publish::publish`].
    fn attempt(
        &self,
        notification: &Rc<Notification>,
        taken: Taken,
    ) -> impl Future<Output = Result<MessageId, Fault>>;

    /// Waits until requests can carry more than what is tried now.
    fn ready(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// As [`Publish::find_topic`].
    ///
    /// # Errors
    ///
    /// As there.
    fn find_topic(&self, topic: &TopicArn) -> impl Future<Output = Result<(), Fault>> {
        let _ = topic;
        std::future::ready(Ok(()))
    }
}

/// The layers in their order, over any place to publish to.
pub type Publisher<P> = FaultPolicy<Retry<Batcher<P>>>;

/// Stacks the layers as the configuration has them.
pub fn stack<P: Publish + 'static>(
    sns: &config::Sns,
    outage: &config::Outage,
    place: P,
) -> Publisher<P> {
    measured_stack(sns, outage, place, PublishMetrics::default(), Rc::default())
}

/// Stacks the layers as configured, with metrics, and with what operators pause.
pub fn measured_stack<P: Publish + 'static>(
    sns: &config::Sns,
    outage: &config::Outage,
    place: P,
    measures: PublishMetrics,
    pauses: Rc<PauseGate>,
) -> Publisher<P> {
    let batching = Batching {
        max_entries: sns.batch_max_entries.into(),
        max_bytes: sns.max_message_bytes,
        linger: sns.batch_linger,
        max_requests: sns.pool_size,
    };
    let batcher = Batcher::measured(place, batching, measures.clone(), Rc::clone(&pauses));
    let retry = Retry::new(batcher, sns.publish_retry_count, sns.publish_retry_time);
    let retry = retry.pausing(pauses);
    let incidents = Rc::clone(&measures.incidents);
    FaultPolicy::new(retry.measured(measures), outage.threshold, outage.probe_max)
        .announcing(incidents)
}

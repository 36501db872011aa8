//! What belongs together in a source with partitions.

use crate::config::key::Key;
use crate::config::merged::Merged;
use crate::config::settings::{QueueType, Source};
use crate::limits::LONGEST_SHORT;

/// Room for what is appended to the queue's name: `.partitions`, or `.256.hash` and the like.
const APPENDED: usize = ".partitions".len();

/// What is said of all sources.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) queue_type: QueueType,
    /// As it is chosen where it is 0.
    pub(super) prefetch: u16,
}

/// Notes what keeps a source from having partitions.
pub(super) fn check(merged: &mut Merged, source: &Source, amqp: Given, keeps_order: bool) {
    let of_source = Key::from(["amqp", "sources", &source.name]);
    let key = of_source.child("partitions");
    if source.partitions == 0 || !merged.is_sound(&key) {
        return;
    }
    let mut problem = |wrong: &str, remedy: &str| merged.problem(&key, wrong.to_owned(), remedy);
    if !keeps_order {
        problem(
            "divides events so that their order is kept, but this source keeps none",
            "set sns.ordering = \"per-key\", or a FIFO topic for its events; or leave it at 0: workers share a queue well without",
        );
    }
    if amqp.queue_type != QueueType::Quorum {
        problem(
            "needs quorum queues, but amqp.queue_type is another one",
            "set amqp.queue_type = \"quorum\"; only such a queue returns in order what a dead worker held",
        );
    }
    if amqp.prefetch < source.partitions {
        problem(
            "is more than amqp.prefetch, of which each partition has its part",
            "raise amqp.prefetch to some tens for each partition, or leave it at 0",
        );
    }
    if source.queue.len() > LONGEST_SHORT - APPENDED {
        problem(
            "has no room to append `.partitions` to the name of its queue",
            "shorten `queue` to 244 bytes",
        );
    }
    let single_active = of_source.child("single_active");
    if !source.single_active && merged.is_sound(&single_active) {
        let wrong = "is false, but each partition has one active consumer at a time".to_owned();
        merged.problem(&single_active, wrong, "leave it out where `partitions` is set");
    }
}

//! The depth of the dead-letter queue: all sources have the same, and the session of each looks for itself.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::observe::metrics::Metrics;

/// What each source knows of the dead-letter queue. The latest answer counts; nothing is known once no source knows anything.
#[derive(Debug, Default)]
pub struct SharedDepth {
    queue: OnceCell<String>,
    /// By source: when the queue was asked, and its depth.
    answers: RefCell<BTreeMap<String, (Instant, u32)>>,
}

impl SharedDepth {
    /// A source has an answer.
    pub(super) fn update(
        &self,
        source: &str,
        queue: &str,
        answer: (Instant, u32),
        metrics: &Metrics,
    ) {
        self.queue.get_or_init(|| queue.to_owned());
        self.answers.borrow_mut().insert(source.to_owned(), answer);
        self.show(metrics);
    }

    /// A source knows nothing any more. What others know stays.
    pub(super) fn forget(&self, source: &str, metrics: &Metrics) {
        self.answers.borrow_mut().remove(source);
        self.show(metrics);
    }

    fn show(&self, metrics: &Metrics) {
        let Some(queue) = self.queue.get() else { return };
        let (answers, gauge) = (self.answers.borrow(), &metrics.dead_letters_queued);
        match answers.values().max_by_key(|(asked, _)| asked) {
            Some((_, count)) => gauge.with_label_values(&[&**queue]).set((*count).into()),
            // Not there is no trouble.
            None => _ = gauge.remove_label_values(&[&**queue]),
        }
    }
}

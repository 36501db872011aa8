//! How long live events wait, by what all workers say: the bound of a replay's rate.

use std::collections::BTreeMap;
use std::time::Instant;

use super::members::Members;
use super::{Report, SourceReport};

/// What live events meet at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Since the oldest delivery in flight of any worker came, in seconds.
    pub oldest_seconds: f64,
    /// The queues of all sources, by the source's name.
    pub queues: BTreeMap<String, QueueLoad>,
    /// SNS throttles requests of a worker.
    pub is_throttled: bool,
    /// What is held, if anything is: a topic's ARN, or `service`.
    pub held: Option<String>,
}

/// The queue of a source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct QueueLoad {
    /// Events that no worker has been given yet.
    pub ready: u64,
    /// Events that all workers take out of it, a second.
    pub received_per_second: f64,
}

impl Members {
    /// What the workers that are heard say of their load. `None`: nobody is heard.
    #[must_use]
    pub fn load(&self, now: Instant) -> Option<Load> {
        self.joined?;
        let mut workers = self.heard(now).peekable();
        workers.peek()?;
        let mut load = Load::default();
        workers.for_each(|it| load.add(it));
        Some(load)
    }
}

impl Load {
    fn add(&mut self, report: &Report) {
        self.oldest_seconds = self.oldest_seconds.max(report.oldest_seconds().unwrap_or(0.0));
        self.is_throttled |= report.requests.throttled_per_second > 0.0;
        if let Some(hold) = report.holds.first() {
            self.held = Some(hold.topic.clone().unwrap_or_else(|| "service".to_owned()));
        }
        for SourceReport { name, ready, rates, .. } in &report.sources {
            let queue = self.queues.entry(name.clone()).or_default();
            // They have one queue, and each was told its length at another moment.
            queue.ready = queue.ready.max(ready.unwrap_or(0));
            queue.received_per_second += rates.received;
        }
    }
}

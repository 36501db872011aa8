//! What the jobs on dead letters work with.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::dead_letters::{DeadLetters, Replay};
use crate::fleet::SharedMembers;
use crate::route::Router;

/// How long a job waits for another reader of the queue: less than a client may wait for an answer.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(90);

/// What every job works with.
#[derive(Debug)]
pub(in super::super) struct OperatorContext {
    pub(in super::super) dead_letters: DeadLetters,
    pub(in super::super) router: Router,
    replay: Replay,
    /// Letters that are held are not ready, and would not be counted.
    pub(super) is_looking: Cell<bool>,
    /// The number of letters, while somebody watches.
    pub(super) count: watch::Sender<Option<u64>>,
    /// Whether somebody else has the letters, and what is to be done waits for them.
    pub(super) waits_in_line: Arc<AtomicBool>,
}

impl OperatorContext {
    pub(in super::super) fn new(
        config: Config,
        router: Router,
        name: String,
        fleet: Option<SharedMembers>,
    ) -> Self {
        let waits_in_line = Arc::<AtomicBool>::default();
        let waits = Arc::clone(&waits_in_line);
        Self {
            replay: Replay::new(&config),
            dead_letters: DeadLetters::new(config.amqp, name)
                .in_fleet(fleet)
                .waiting(PATIENCE_WITH_OTHERS, move |it| waits.store(it, Ordering::Relaxed)),
            router,
            is_looking: Cell::new(false),
            count: watch::Sender::new(None),
            waits_in_line,
        }
    }

    /// So many letters are in the queue after what a job has done or seen. Where nobody watches, nobody would bring the number up to
    /// date later, and it stays unknown.
    pub(in super::super) fn now_has(&self, letters: u64) {
        self.count.send_if_modified(|count| {
            let is_news = count.is_some_and(|count| count != letters);
            if is_news {
                *count = Some(letters);
            }
            is_news
        });
    }

    /// One of all letters, as the configuration asks for.
    pub(in super::super) fn replay(&self) -> Replay {
        self.replay.clone()
    }
}

//! The harness: a stand with a RabbitMQ and an SNS, and workers to put between them.

mod admin;
mod both;
mod by_hand;
mod collector;
mod desk;
mod environment;
mod event;
mod exit;
mod fifo;
mod mix;
mod own_broker;
mod poser;
mod program;
mod proxy;
pub mod raw;
mod sns;
mod stand;
mod version;
mod worker;

pub use admin::{ADMIN, Admin, Scrape};
pub use both::short;
pub(crate) use both::{on_both_brokers, on_both_own_brokers};
pub use by_hand::quorum;
pub use collector::Collector;
pub use desk::{COUNTS, Letter, deliveries_before, dlq, dlq_program, id, message_id};
pub use environment::number_from;
pub use event::Event;
pub use exit::{Exit, Totals};
pub use fifo::FifoTopic;
pub use mix::{End, event_of, number_in};
pub use own_broker::{Authority, HASH_PLUGIN, OwnBroker, Supervised, free_port};
pub use poser::Poser;
pub use program::{Ended, Program, Running};
pub use proxy::{Door, Proxy};
pub use sns::{GENTLY, Received};
pub use stand::{Stand, header};
use version::Version;
pub use worker::{Worker, binary, custom_plugin};

use std::time::Duration;

/// For a fact to come true, also on a machine that does much else. Reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks at a fact that has no event to wait for.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `look` returns something, and fails the test if it never does.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

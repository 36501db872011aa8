//! Order, where it is asked for, with everything going wrong that a key's next event could
//! use to get ahead.

pub mod conversations;
mod fifo;
mod priorities;
mod restarts;
pub mod storm;
mod workers;

pub use workers::SHARED;

use crate::fake_sns::FakeSns;
use crate::support::{Stand, Totals, Worker};

/// Chats, which go to one topic, and rooms, which go to another.
const KEYS: usize = 32;
const EACH: usize = 10;

/// Many retries with short pauses: what fails by chance must not end as a dead letter.
const PATIENT: [(&str, &str); 6] = [
    ("SNS__ORDERING", "per-key"),
    ("SNS__PUBLISH_RETRY_COUNT", "16"),
    ("SNS__PUBLISH_RETRY_TIME_MS", "1"),
    // An answer that is only slow on a busy machine must not look like one that is lost.
    ("SNS__CONNECT_TIMEOUT_MS", "2000"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "5000"),
    ("OUTAGE__PROBE_MAX_MS", "100"),
];

pub async fn worker_on(stand: &Stand, sns: &FakeSns, further: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let settings = [&PATIENT[..], &[("SNS__SNS_HOST", &*url)], further].concat();
    Worker::start_with(stand, &settings).await
}

/// Stops the worker, which must have published everything, and nothing may be left.
async fn all_was_published(stand: Stand, worker: Worker, count: usize) {
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(count as u64), "{exit:?}");
    stand.leave_nothing().await;
}

//! The operator's page: what it shows is so, and who may do what.

mod access;
mod depth;
mod http;
mod letters;
mod pausing;
mod replays;
mod streams;
mod visitors;

use crate::fake_sns::FakeSns;
use crate::support::{ADMIN, Admin, Stand, Worker};
use http::TOKEN;

/// A worker on the fake whose page has a token.
async fn worker_on(stand: &Stand, sns: &FakeSns, settings: &[(&str, &str)]) -> (Worker, Admin) {
    let url = sns.url();
    let base = [
        ("SNS__SNS_HOST", &*url),
        ("OUTAGE__PROBE_MAX_MS", "1000"),
        ("ADMIN__TOKEN", TOKEN),
        ADMIN,
    ];
    let worker = Worker::start_with(stand, &[&base, settings].concat()).await;
    let admin = Admin::of(&worker).await;
    (worker, admin)
}

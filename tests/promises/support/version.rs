//! Which RabbitMQ a run of the tests is on.

use tokio::sync::OnceCell;

use super::environment::shared_uri;
use super::raw;

/// The releases of `RabbitMQ` with which every promise is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Oldest,
    Newest,
}

impl Version {
    /// Of the broker that all tests of this run share, which is also what brokers of a test's own are.
    pub async fn of_this_run() -> Self {
        static SHARED: OnceCell<Version> = OnceCell::const_new();
        let ask = || async { Self::of(&shared_uri()).await };
        *SHARED.get_or_init(ask).await
    }

    /// Of a broker that runs.
    pub async fn of(uri: &str) -> Self {
        let version = raw::version_of(uri).await.unwrap();
        if version.starts_with("3.") { Self::Oldest } else { Self::Newest }
    }
}

//! Nodes that several tests share.

use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{HASH_PLUGIN, OwnBroker, Version};

/// A node that several tests share, one after the other where they must.
struct Spare {
    broker: OnceCell<OwnBroker>,
    /// Held for writing while everybody on it would feel what is done.
    use_of: RwLock<()>,
}

impl Spare {
    const fn new() -> Self {
        Self { broker: OnceCell::const_new(), use_of: RwLock::const_new(()) }
    }

    fn of(version: Version) -> &'static Self {
        static OLDEST: Spare = Spare::new();
        static NEWEST: Spare = Spare::new();
        match version {
            Version::Oldest => &OLDEST,
            Version::Newest => &NEWEST,
        }
    }

    async fn broker(&self, version: Version) -> &OwnBroker {
        self.broker.get_or_init(|| OwnBroker::start(1, version, &[HASH_PLUGIN])).await
    }
}

impl OwnBroker {
    /// A node that is there for whoever needs to do to it what does not touch the others on it.
    pub async fn shared() -> (&'static Self, RwLockReadGuard<'static, ()>) {
        Self::shared_of(Version::of_this_run().await).await
    }

    /// The same of the oldest RabbitMQ that is promised to work, whatever this run is on.
    pub async fn oldest() -> (&'static Self, RwLockReadGuard<'static, ()>) {
        Self::shared_of(Version::Oldest).await
    }

    /// And of the newest.
    pub async fn newest() -> (&'static Self, RwLockReadGuard<'static, ()>) {
        Self::shared_of(Version::Newest).await
    }

    async fn shared_of(version: Version) -> (&'static Self, RwLockReadGuard<'static, ()>) {
        let spare = Spare::of(version);
        let guard = spare.use_of.read().await;
        (spare.broker(version).await, guard)
    }

    /// The node of the newest RabbitMQ while nobody else uses it. Leave it as you have found it.
    pub async fn newest_alone() -> (&'static Self, RwLockWriteGuard<'static, ()>) {
        Self::alone_of(Version::Newest).await
    }

    /// The same node while nobody else uses it. Leave it as you have found it.
    pub async fn alone() -> (&'static Self, RwLockWriteGuard<'static, ()>) {
        Self::alone_of(Version::of_this_run().await).await
    }

    async fn alone_of(version: Version) -> (&'static Self, RwLockWriteGuard<'static, ()>) {
        let spare = Spare::of(version);
        let guard = spare.use_of.write().await;
        (spare.broker(version).await, guard)
    }
}

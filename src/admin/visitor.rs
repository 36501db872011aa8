//! Who has connected, and for how long they may stay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A connection's other end. Each request carries it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) peer: SocketAddr,
    until: Arc<watch::Sender<Instant>>,
}

impl Visitor {
    pub(super) fn new(peer: SocketAddr, stay: Duration) -> Self {
        Self { peer, until: Arc::new(watch::Sender::new(Instant::now() + stay)) }
    }

    /// They may stay for so long from now, if that is longer.
    pub(super) fn may_stay(&self, stay: Duration) {
        self.until.send_modify(|until| *until = (*until).max(Instant::now() + stay));
    }

    /// Waits until they have to go.
    pub(super) async fn overstays(&self) {
        loop {
            let until = *self.until.borrow();
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

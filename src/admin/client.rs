//! The client of a connection, and the time limit of the connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::connection_slots::{ConnectionSlot, Phase};

/// A connection's other end. Each request carries it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    until: Arc<watch::Sender<Instant>>,
    slot: Option<Arc<ConnectionSlot>>,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, stay: Duration) -> Self {
        let until = Arc::new(watch::Sender::new(Instant::now() + stay));
        Self { peer, until, slot: None }
    }

    /// With the slot that it has.
    pub(super) fn in_slot(self, slot: ConnectionSlot) -> Self {
        Self { slot: Some(Arc::new(slot)), ..self }
    }

    pub(super) fn slot(&self) -> Option<&ConnectionSlot> {
        self.slot.as_deref()
    }

    /// The request has come to its end; only the answer is awaited.
    pub(super) fn has_asked(&self) {
        self.comes_to(Phase::Answered);
    }

    /// They may stay for so long from now, if that is longer.
    pub(super) fn may_stay(&self, stay: Duration) {
        self.comes_to(Phase::Lasting);
        self.until.send_modify(|until| *until = (*until).max(Instant::now() + stay));
    }

    /// Waits until they have to go.
    pub(super) async fn overstays(&self) {
        let needed = async {
            match &self.slot {
                Some(slot) => slot.is_needed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = needed => {}
            () = self.is_late() => {}
        }
    }

    async fn is_late(&self) {
        loop {
            let until = *self.until.borrow();
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }

    fn comes_to(&self, phase: Phase) {
        if let Some(slot) = &self.slot {
            slot.comes_to(phase);
        }
    }
}

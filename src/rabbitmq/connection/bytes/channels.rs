//! What has come on each of several channels that consume on one connection.
//!
//! A channel that closes takes along what was not settled, while the connection goes on: then its bytes are in flight no more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::types::DeliveryTag;

/// Deliveries and their charges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Amount {
    pub(in crate::rabbitmq) bytes: u64,
    /// Those that have come as a whole.
    pub(in crate::rabbitmq) whole: u64,
}

/// Counts nothing, and takes no lock, where only one channel consumes.
#[derive(Debug, Default)]
pub(super) struct Channels {
    is_shared: AtomicBool,
    /// Deliveries that have begun, and what has come of them.
    come: Mutex<HashMap<u16, (DeliveryTag, Amount)>>,
}

impl Channels {
    pub(super) fn share(&self) {
        self.is_shared.store(true, Ordering::Release);
    }

    /// A delivery begins. Returns its tag, which goes up by one from 1 on each channel; `None` where it is not counted.
    pub(super) fn begin(&self, channel: u16) -> Option<DeliveryTag> {
        let mut come = self.lock()?;
        let (tag, _) = come.entry(channel).or_default();
        *tag += 1;
        Some(*tag)
    }

    pub(super) fn receive(&self, channel: u16, more: Amount) {
        let Some(mut come) = self.lock() else { return };
        let (_, amount) = come.entry(channel).or_default();
        amount.bytes += more.bytes;
        amount.whole += more.whole;
    }

    /// The channel is closed. What has come on it.
    pub(super) fn take(&self, channel: u16) -> Option<Amount> {
        self.lock()?.remove(&channel).map(|(_, amount)| amount)
    }

    fn lock(&self) -> Option<MutexGuard<'_, HashMap<u16, (DeliveryTag, Amount)>>> {
        let is_shared = self.is_shared.load(Ordering::Acquire);
        is_shared.then(|| self.come.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

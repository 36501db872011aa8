//! The fleet: what a worker says of itself, the picture of all workers that is made of what they say, and what operators have paused.
//! Pure: how it comes and goes is `rabbitmq/fleet`'s affair.

mod bounds;
mod comparison;
mod fingerprint;
mod ignored;
mod load;
mod members;
mod partitions;
pub mod pauses;
mod picture;
mod rates;
mod replay;
mod replays;
mod report;
mod said;
mod share;
mod shortages;
#[cfg(test)]
mod tests;

pub use self::comparison::{Compared, Comparison};
pub use self::fingerprint::Fingerprint;
pub use self::ignored::Ignored;
pub use self::load::{Load, QueueLoad};
pub use self::members::{Link, Members};
pub use self::partitions::SourcePartitions;
pub use self::picture::{LinkShown, Picture, Sums, Worker};
pub use self::rates::{RateWindow, Rates};
pub use self::replay::{OperatorReport, ReplayReport, Replaying};
pub use self::report::{Books, Hold, LEFT, Report, Requests, SourceReport};
pub use self::said::Said;
pub use self::share::PartitionsReport;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The members, shared by the thread that hears them and those that show them.
#[derive(Debug, Clone)]
pub struct SharedMembers(Arc<Mutex<Members>>);

impl SharedMembers {
    /// Of a fleet of this name; nobody has been heard.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::new(Mutex::new(Members::new(name))))
    }

    /// For a moment only: others wait.
    pub fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What became of all deliveries, as the page shows it.

use serde::Serialize;

use crate::observe::metrics::{Totals, sum};

/// Every delivery and what became of it, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(in crate::admin::page) struct DeliveryTotals {
    pub(super) received: u64,
    pub(super) published: u64,
    pub(super) skipped: u64,
    pub(super) dead_lettered: u64,
    pub(super) handed_back: u64,
    pub(super) in_flight: i64,
    /// Received, less all the rest. Numbers that are read while they change may differ by a few.
    pub(super) unaccounted: i64,
}

impl From<Totals> for DeliveryTotals {
    fn from(totals: Totals) -> Self {
        Self {
            received: totals.received,
            published: totals.published,
            skipped: sum(&totals.skipped),
            dead_lettered: sum(&totals.dead_lettered),
            handed_back: totals.handed_back,
            in_flight: totals.in_flight,
            unaccounted: totals.unaccounted(),
        }
    }
}

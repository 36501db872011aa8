//! A worker's share of a source's partitions, as it says itself.

use serde::{Deserialize, Serialize};

/// The largest number of partitions, and the largest prefetch, that is believed.
const LARGEST: u64 = 65_535;

/// A worker's share of a source's partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionsReport {
    /// Partitions from which it got events lately, or has some in flight.
    pub active: u64,
    /// All partitions of the source.
    pub of: u64,
    /// From so many it may have events, by the number of workers that it counts; `None`: it has not counted yet.
    pub bound: Option<u64>,
    /// Unacknowledged deliveries of each partition that it may hold.
    pub prefetch: u64,
    /// It is the sorter of the source, whether it can pass events on or not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sorts: bool,
}

impl PartitionsReport {
    /// With numbers that are believed.
    pub(super) fn bounded(self) -> Option<Self> {
        let Self { active, of, bound, prefetch, sorts } = self;
        let [active, of, prefetch] = [active, of, prefetch].map(|it| it.min(LARGEST));
        let bound = bound.map(|it| it.min(LARGEST));
        (of > 0).then_some(Self { active, of, bound, prefetch, sorts })
    }

    /// Its bound, if it has more.
    #[must_use]
    pub fn exceeded(&self) -> Option<u64> {
        self.bound.filter(|bound| self.active > *bound)
    }

    /// `4 of 40`, or, of the sorter, `4 of 40, sorts`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { active, of, sorts, .. } = self;
        let bound = self.exceeded().map(|it| format!(" (share {it})")).unwrap_or_default();
        format!("{active} of {of}{bound}{}", if *sorts { ", sorts" } else { "" })
    }
}

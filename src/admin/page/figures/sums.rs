//! Sums of a reading over all sources, or all topics.

use crate::observe::metrics::Reading;

pub(super) fn received(reading: &Reading) -> u64 {
    reading.sources.values().map(|it| it.received).sum()
}

pub(super) fn published(reading: &Reading) -> u64 {
    reading.topics.values().map(|it| it.published).sum()
}

pub(super) fn requests(reading: &Reading) -> u64 {
    reading.topics.values().flat_map(|it| it.requests.values()).sum()
}

pub(super) fn retries(reading: &Reading) -> u64 {
    reading.topics.values().flat_map(|it| it.retries.values()).sum()
}

pub(super) fn throttled(reading: &Reading) -> u64 {
    reading.topics.values().filter_map(|it| it.requests.get("throttled")).sum()
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

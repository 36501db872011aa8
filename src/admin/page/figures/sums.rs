//! Sums of a reading over all sources, or all topics.

use crate::observe::metrics::Reading;
use crate::outcome::Reason;

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

/// Requests that were refused as a whole or in part, or not answered.
pub(super) fn failed(reading: &Reading) -> u64 {
    let all = reading.topics.values().flat_map(|it| &it.requests);
    all.filter(|(result, _)| *result != "accepted").map(|(_, count)| count).sum()
}

pub(super) fn dead_lettered(reading: &Reading, reason: Reason) -> u64 {
    reading.ended("dead_lettered", reason.label())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

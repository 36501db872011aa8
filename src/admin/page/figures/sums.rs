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
fn failed(reading: &Reading) -> u64 {
    let all = reading.topics.values().flat_map(|it| &it.requests);
    all.filter(|(result, _)| *result != "accepted").map(|(_, count)| count).sum()
}

fn dead_lettered(reading: &Reading, reason: Reason) -> u64 {
    reading.ended("dead_lettered", reason.label())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Requests within the window of which a share says something.
const ENOUGH_REQUESTS: u64 = 10;

/// What is dead-lettered, by reason and a second, the most frequent one first.
pub(super) fn dying(before: &Reading, now: &Reading, seconds: f64) -> Vec<(Reason, f64)> {
    let count = |it: Reason| dead_lettered(now, it).saturating_sub(dead_lettered(before, it));
    let rate = |it: &Reason| (*it, float(count(*it)) / seconds.max(f64::EPSILON));
    let mut dying: Vec<_> = Reason::ALL.iter().map(rate).filter(|it| it.1 > 0.0).collect();
    dying.sort_by(|one, other| other.1.total_cmp(&one.1));
    dying
}

/// The share of requests that failed, if there were enough to tell.
pub(super) fn failed_share(before: &Reading, now: &Reading) -> Option<f64> {
    let of = |count: fn(&Reading) -> u64| count(now).saturating_sub(count(before));
    let (failed, all) = (of(failed), of(requests));
    (all >= ENOUGH_REQUESTS).then(|| float(failed) / float(all))
}

//! Validates `[sns]` but for its routing, and `[outage]`, which bounds its retries.

use super::key::Key;
use super::reader::Reader;
use super::settings::{Access, Ordering, Outage, Routing, Sns};

/// Ten minutes, in milliseconds: longer than anything here can sensibly take.
const LONG_MS: i64 = 600_000;

pub(super) fn sns(read: &mut Reader, routing: Routing, accesses: Vec<Access>) -> Sns {
    let mut host_accesses = accesses;
    let access = host_accesses.remove(0);
    let sns = Sns {
        routing,
        region: read.optional(&Key::from("sns.region")),
        access,
        host_accesses,
        pool_size: read.number(
            "sns.pool_size",
            1..=1000,
            "every request may have a connection of its own, and a process has 1,024 open files by default",
        ),
        publish_retry_count: read.number("sns.publish_retry_count", 0..=30, "the pauses double with each"),
        publish_retry_time: read.millis("sns.publish_retry_time_ms", 0..=LONG_MS, "0 retries at once"),
        batch_max_entries: read.number("sns.batch_max_entries", 1..=10, "SNS takes no more in one request"),
        batch_linger: read.millis("sns.batch_linger_ms", 0..=10_000, "it delays every event in quiet hours"),
        max_message_bytes: read.number("sns.max_message_bytes", 1..=1_048_576, "SNS's own limit is 1 MiB"),
        connect_timeout: read.millis("sns.connect_timeout_ms", 1..=LONG_MS, "without a limit it could hang"),
        attempt_timeout: read.millis("sns.attempt_timeout_ms", 1..=LONG_MS, "without a limit it could hang"),
        ordering: read.choice(
            &Key::from("sns.ordering"),
            &[("none", Ordering::None), ("per-key", Ordering::PerKey)],
        ),
        group_id: read.flag(&Key::from("sns.group_id")),
    };
    if sns.connect_timeout > sns.attempt_timeout
        && read.sound(&["sns.connect_timeout_ms", "sns.attempt_timeout_ms"])
    {
        let wrong = format!(
            "is longer than sns.attempt_timeout_ms = {}, which includes connecting",
            sns.attempt_timeout.as_millis()
        );
        read.problem(&Key::from("sns.connect_timeout_ms"), wrong, "lower it, or raise the other");
    }
    sns
}

pub(super) fn outage(read: &mut Reader, sns: &Sns) -> Outage {
    let outage = Outage {
        threshold: read.number(
            "outage.threshold",
            1..=1_000_000,
            "0 would be an outage from the start",
        ),
        probe_max: read.millis(
            "outage.probe_max_ms",
            1..=LONG_MS,
            "a recovery would go unnoticed for longer",
        ),
        hand_back_after: std::time::Duration::from_secs(read.number(
            "outage.hand_back_after_s",
            1..=1799,
            "after 1,800 s without an acknowledgement the broker closes the channel",
        )),
    };
    check_retries(read, sns, &outage);
    outage
}

/// A delivery must be settled before it is due to be handed back, however badly its
/// publishing goes.
fn check_retries(read: &mut Reader, sns: &Sns, outage: &Outage) {
    let keys = [
        "sns.publish_retry_count",
        "sns.publish_retry_time_ms",
        "sns.attempt_timeout_ms",
        "outage.hand_back_after_s",
    ];
    if !read.sound(&keys) {
        return;
    }
    let retries = u128::from(sns.publish_retry_count);
    // The longest pauses, 2^k times the base for every k, add up to 2^count - 1 times the base.
    let pauses = ((1_u128 << sns.publish_retry_count) - 1) * sns.publish_retry_time.as_millis();
    let attempts = (retries + 1) * sns.attempt_timeout.as_millis();
    if pauses + attempts < outage.hand_back_after.as_millis() {
        return;
    }
    let wrong = format!(
        "lets one event take up to {} s ({} attempts of {} ms and {} s of pauses), which is not below \
         outage.hand_back_after_s = {}; what stays unacknowledged for longer is taken away by the broker, \
         after 30 minutes by default",
        (pauses + attempts).div_ceil(1000),
        retries + 1,
        sns.attempt_timeout.as_millis(),
        pauses.div_ceil(1000),
        outage.hand_back_after.as_secs(),
    );
    let remedy = "lower it, sns.publish_retry_time_ms or sns.attempt_timeout_ms";
    read.problem(&Key::from(keys[0]), wrong, remedy);
}

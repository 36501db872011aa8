//! What belongs together in the other sections: times of attempts and retries, and addresses.

use std::time::Duration;

use super::key::Key;
use super::merged::Merged;
use super::settings::{Admin, Config, Outage, Sns};

/// The most that `outage.hand_back_after_s` may be.
const LONGEST_HAND_BACK: Duration = Duration::from_secs(1799);

/// Notes what doesn't fit together.
pub(super) fn check(merged: &mut Merged, config: &Config) {
    check_attempts(merged, &config.sns);
    check_retries(merged, &config.sns, &config.outage);
    check_addresses(merged, &config.admin);
}

fn check_attempts(merged: &mut Merged, sns: &Sns) {
    if sns.connect_timeout > sns.attempt_timeout
        && merged.are_sound(&["sns.connect_timeout_ms", "sns.attempt_timeout_ms"])
    {
        let wrong = format!(
            "is longer than sns.attempt_timeout_ms = {}, which includes connecting",
            sns.attempt_timeout.as_millis()
        );
        merged.problem(&Key::from("sns.connect_timeout_ms"), wrong, "lower it, or raise the other");
    }
}

fn check_addresses(merged: &mut Merged, admin: &Admin) {
    let fixed = |it: &&String| !it.ends_with(":0");
    if admin.listen.is_some()
        && admin.health_listen.as_ref().filter(fixed) == admin.listen.as_ref()
        && merged.are_sound(&["admin.listen", "admin.health_listen"])
    {
        merged.problem(
            &Key::from("admin.health_listen"),
            "is the address that admin.listen has",
            "give it another port, or leave it empty: then probes are answered on admin.listen",
        );
    }
}

/// A delivery must be settled before it is due to be handed back, however badly its
/// publishing goes. What is wrong itself counts as little as it could.
fn check_retries(merged: &mut Merged, sns: &Sns, outage: &Outage) {
    const COUNT: &str = "sns.publish_retry_count";
    const TIMEOUT: &str = "sns.attempt_timeout_ms";
    const PAUSE: &str = "sns.publish_retry_time_ms";
    const LIMIT: &str = "outage.hand_back_after_s";
    let [counts, times, pauses, is_limited] =
        [COUNT, TIMEOUT, PAUSE, LIMIT].map(|key| merged.are_sound(&[key]));
    let mut least = sns.clone();
    least.publish_retry_count *= u32::from(counts);
    least.attempt_timeout *= u32::from(times);
    least.publish_retry_time *= u32::from(pauses);
    let limit = if is_limited { outage.hand_back_after } else { LONGEST_HAND_BACK };
    let longest = least.longest_publish();
    if longest < limit {
        return;
    }
    let seconds = |time: Duration| time.as_millis().div_ceil(1000);
    let whole = if counts && times && pauses {
        format!("up to {} s", seconds(longest))
    } else {
        format!("{} s or more", seconds(longest))
    };
    let attempts = least.publish_retry_count.saturating_add(1);
    let of_attempts = format!("{attempts} attempts of {} ms", least.attempt_timeout.as_millis());
    let of_pauses = format!("{} s of pauses", seconds(least.longest_pauses()));
    let parts: Vec<_> = [(times, of_attempts), (counts && pauses, of_pauses)]
        .into_iter()
        .filter(|it| it.0)
        .collect();
    let parts = parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(" and ");
    let relation = if is_limited { "=" } else { "at its most," };
    let wrong = format!(
        "lets one event take {whole} ({parts}), which is not below {LIMIT} {relation} {}; what stays \
         unacknowledged for longer is taken away by the broker, after 30 minutes by default",
        limit.as_secs(),
    );
    let (key, remedy) = if counts {
        (COUNT, "lower it, sns.publish_retry_time_ms or sns.attempt_timeout_ms")
    } else {
        (TIMEOUT, "lower it, or raise outage.hand_back_after_s")
    };
    merged.problem(&Key::from(key), wrong, remedy);
}

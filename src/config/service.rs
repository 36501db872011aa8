//! What belongs together in the other sections: times of attempts and retries, and addresses.

use super::key::Key;
use super::merged::Merged;
use super::settings::{Admin, Config, Outage, Sns};

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
    if admin.listen.is_some() && admin.health_listen.as_ref().filter(fixed) == admin.listen.as_ref()
    {
        merged.problem(
            &Key::from("admin.health_listen"),
            "is the address that admin.listen has",
            "give it another port, or leave it empty: then probes are answered on admin.listen",
        );
    }
}

/// A delivery must be settled before it is due to be handed back, however badly its
/// publishing goes.
fn check_retries(merged: &mut Merged, sns: &Sns, outage: &Outage) {
    let keys = [
        "sns.publish_retry_count",
        "sns.publish_retry_time_ms",
        "sns.attempt_timeout_ms",
        "outage.hand_back_after_s",
    ];
    if !merged.are_sound(&keys) {
        return;
    }
    let longest = sns.longest_publish();
    if longest < outage.hand_back_after {
        return;
    }
    let wrong = format!(
        "lets one event take up to {} s ({} attempts of {} ms and {} s of pauses), which is not below \
         outage.hand_back_after_s = {}; what stays unacknowledged for longer is taken away by the broker, \
         after 30 minutes by default",
        longest.as_millis().div_ceil(1000),
        sns.publish_retry_count + 1,
        sns.attempt_timeout.as_millis(),
        sns.longest_pauses().as_millis().div_ceil(1000),
        outage.hand_back_after.as_secs(),
    );
    let remedy = "lower it, sns.publish_retry_time_ms or sns.attempt_timeout_ms";
    merged.problem(&Key::from(keys[0]), wrong, remedy);
}

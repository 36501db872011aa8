//! What machines read of a letter and of a replay: the command line's `--json` and the page are given the same.

use serde_json::{Value as Json, json};

use super::{Ended, Found, Report};
use crate::forecast::Forecast;

/// A letter, what it would become now, and, only `with_body`, what its user wrote.
pub(crate) fn found_as_json(found: &Found, forecast: &Forecast, with_body: bool) -> Json {
    let Found { letter, message } = found;
    let now = if with_body { forecast.told() } else { forecast.told().discreet() };
    let mut shown = json!({"letter": letter, "properties": message.properties, "now": now});
    if with_body {
        shown["body"] = match std::str::from_utf8(&message.body) {
            Ok(text) => text.into(),
            Err(_) => message.body.escape_ascii().to_string().into(),
        };
    }
    shown
}

/// How far a replay has come, or how it ended.
pub(crate) fn report_as_json(report: &Report) -> Json {
    let (ended, why) = match &report.ended {
        Ended::Done => ("done", None),
        Ended::Stopped => ("stopped", None),
        Ended::CanaryFailed => ("canary_failed", None),
        Ended::CanaryUnknown(why) => ("canary_unknown", Some(why)),
        Ended::TooManyFailures => ("too_many_failures", None),
        Ended::Broken(why) => ("broken", Some(why)),
    };
    json!({
        "matching": report.matching,
        "unseen": report.unseen,
        "replayed": report.replayed,
        "came_back": report.came_back,
        "came_back_as": report.came_back_as,
        "refused": report.refused,
        "left": report.left(),
        "plan": report.plan,
        "ended": ended,
        "why": why,
        "seconds": report.took.as_secs_f64(),
    })
}

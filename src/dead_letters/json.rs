//! JSON of letters and replays, the same for the command line's `--json` and for the page.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Found, Letter, ReplayEnd, Report};
use crate::dry_run::{DryRun, DryRunJson};
use crate::rabbitmq::message::Properties;

/// A letter, and what it would become now.
#[derive(Debug, Serialize)]
pub(crate) struct FoundAsJson<'a> {
    letter: &'a Letter,
    properties: &'a Properties,
    now: DryRunJson<'a>,
    /// What its user wrote, only on demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
}

impl<'a> FoundAsJson<'a> {
    pub(crate) fn new(found: &'a Found, dry_run: &'a DryRun, with_body: bool) -> Self {
        let Found { letter, message } = found;
        let now =
            if with_body { dry_run.as_json() } else { dry_run.as_json().without_event_text() };
        let body = with_body.then(|| match std::str::from_utf8(&message.body) {
            Ok(text) => text.into(),
            Err(_) => message.body.escape_ascii().to_string().into(),
        });
        Self { letter, properties: &message.properties, now, body }
    }
}

/// How far a replay has come, or how it ended.
pub(crate) fn report_as_json(report: &Report) -> Json {
    let (ended, why) = match &report.ended {
        ReplayEnd::Done => ("done", None),
        ReplayEnd::Stopped => ("stopped", None),
        ReplayEnd::CanaryFailed => ("canary_failed", None),
        ReplayEnd::CanaryUnknown(why) => ("canary_unknown", Some(why)),
        ReplayEnd::CanaryHeld(circuit) => ("canary_held", Some(circuit)),
        ReplayEnd::Held(circuit) => ("held", Some(circuit)),
        ReplayEnd::TooManyFailures => ("too_many_failures", None),
        ReplayEnd::Broken(why) => ("broken", Some(why)),
    };
    json!({
        "matching": report.matching,
        "unseen": report.unseen,
        "replayed": report.replayed,
        "came_back": report.came_back,
        "came_back_as": report.came_back_as,
        "refused": report.refused,
        "left": report.left(),
        "remarks": report.remarks,
        "plan": report.plan,
        "blocked": report.blocked,
        "held": report.held,
        "unconfirmed": report.unconfirmed,
        "rate": report.rate,
        "slowed": report.slowed,
        "ended": ended,
        "why": why,
        "seconds": report.took.as_secs_f64(),
    })
}

//! What the headline says of what operators have paused. It is no alarm: somebody wants it so.

use super::super::point::Point;
use super::super::section::Section;
use crate::admin::paused::PausedNow;
use crate::fleet::pauses::Target;

pub(super) fn point(paused: &PausedNow) -> Point {
    Point {
        section: Section::Paused,
        what: paused.what(),
        since: Some(paused.since),
        what_to_do: "no action is needed: it ends by itself at that time; to end it now, resume it on this page, or with \
                     `event-pusher-sns fleet resume`"
            .to_owned(),
    }
}

/// Where nothing else is to be said.
pub(super) fn title(paused: &[PausedNow]) -> String {
    if paused.iter().any(|it| it.scope == "all") {
        return "Everything is paused by an operator".to_owned();
    }
    match paused {
        [one] => {
            let target = Target::of(one.scope, &one.name);
            let short = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
            match target {
                Some(Target::Topic(arn)) => {
                    format!("Topic {} is paused by an operator", short(&arn))
                }
                _ => format!("Source {} is paused by an operator", one.name),
            }
        }
        many => format!("{} topics and sources are paused by operators", many.len()),
    }
}

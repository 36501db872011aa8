//! What the headline says of what operators have paused. It is no alarm: somebody wants it so.

use super::super::point::Point;
use super::super::section::Section;
use crate::admin::paused::PausedNow;
use crate::fleet::pauses::Target;

pub(super) fn point(paused: &PausedNow) -> Point {
    Point {
        section: Section::Paused,
        what: paused.what(),
        since: Some(paused.pause.since),
        what_to_do: "no action is needed: it ends by itself at that time; to end it now, resume it on this page, or with \
                     `event-pusher-sns fleet resume`"
            .to_owned(),
    }
}

/// Where nothing else is to be said.
pub(super) fn title(paused: &[PausedNow]) -> String {
    if paused.iter().any(|it| it.pause.target == Target::Everything) {
        return "Everything is paused by an operator".to_owned();
    }
    match paused {
        [one] => match &one.pause.target {
            Target::Topic(arn) => {
                let name = arn.rsplit(':').next().unwrap_or_default();
                format!("Topic {name} is paused by an operator")
            }
            other => format!("Source {} is paused by an operator", other.name()),
        },
        many => format!("{} topics and sources are paused by operators", many.len()),
    }
}

//! What the headline says of each reason for not being ready.

use super::super::point::Point;
use super::super::section::Section;
use super::Level;
use crate::admin::health::Problem;

pub(super) fn level_and_title(reason: &str) -> (Level, &'static str) {
    match reason {
        "stuck" => (Level::Bad, "The worker is stuck and publishes nothing"),
        "stopping" => (Level::Attention, "Stopping: the worker finishes the events in flight"),
        "starting" => (Level::Attention, "Starting"),
        "service_held" => (Level::Bad, "All topics are held: SNS accepts no events"),
        "connecting" => (Level::Attention, "Connecting to RabbitMQ"),
        "disconnected" => (Level::Bad, "Not connected to RabbitMQ: no events arrive"),
        "waiting" => {
            (Level::Bad, "Not consuming: the events wait in their queue until SNS accepts events")
        }
        "cannot_sort" => {
            (Level::Bad, "The sorter is stuck: events do not come to their partitions")
        }
        _ => (Level::Bad, "Not ready"),
    }
}

pub(super) fn point_of_problem(problem: &Problem) -> Point {
    let source = problem.source.as_deref().unwrap_or_default();
    let what = match problem.reason {
        "stuck" => "the worker is stuck".to_owned(),
        "stopping" => "the worker is stopping".to_owned(),
        "starting" => "the worker is starting".to_owned(),
        "service_held" => "the service is held".to_owned(),
        "connecting" => format!("source {source} is connecting to RabbitMQ"),
        "disconnected" => format!("source {source} is not connected to RabbitMQ"),
        "waiting" => format!("source {source} is not consuming: the service is held"),
        "cannot_sort" => format!("events of source {source} can't be sorted into their partitions"),
        other => other.to_owned(),
    };
    let error = problem.error.as_ref().map(|error| format!(": {error}"));
    Point {
        section: Section::of_problem(problem.reason),
        what: format!("{what}{}", error.unwrap_or_default()),
        since: Some(problem.since),
        what_to_do: problem.what_to_do.clone(),
    }
}

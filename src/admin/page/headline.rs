//! The headline of the page: whether events flow, and what to do if not, as in `/readyz`.

mod paused;
mod problems;
#[cfg(test)]
mod tests;
mod words;

use serde::Serialize;

use self::problems::{level_and_title, point_of_problem};
use self::words::{dead_letters, deliveries};
use super::fleet;
use super::incident::{Dying, Failing};
use super::point::Point;
use super::section::Section;
use crate::admin::health::{HeldNow, Readiness, SourceStatus};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// Nothing to do.
    Good,
    /// Nobody knows whether there is anything to do.
    Unknown,
    /// Something wants to be looked at, or passes.
    Attention,
    /// Events don't flow.
    Bad,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Headline {
    pub(super) level: Level,
    pub(super) title: String,
    pub(super) points: Vec<Point>,
}

impl Headline {
    /// Where the runbook says more: at the first point, which is the most urgent.
    pub(super) fn section(&self) -> Section {
        self.points.first().map_or(Section::Well, |it| it.section)
    }
}

/// What the numbers say, beside the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Signs {
    pub(super) per_second: f64,
    pub(super) throttled_per_second: f64,
    /// In the dead-letter queue; `None` where nobody has asked.
    pub(super) dead_letters: Option<u64>,
    /// Deliveries that stay unaccounted for.
    pub(super) missing: u64,
    /// A replay can't publish, since RabbitMQ has an alarm.
    pub(super) replay_waits: bool,
    /// What is dead-lettered now, the most frequent reason first.
    pub(super) dying: Vec<Dying>,
    /// The share of requests that fail, if it is high.
    pub(super) failing: Option<Failing>,
    /// What is to be said of the other workers of the fleet.
    pub(super) fleet: Vec<Point>,
}

pub(super) fn headline(ready: &Readiness, signs: &Signs) -> Headline {
    let mut points: Vec<_> = ready.problems.iter().map(point_of_problem).collect();
    if let Some(first) = ready.problems.first() {
        let (level, title) = level_and_title(first.reason);
        points.extend(ready.held.iter().filter(|it| it.topic.is_some()).map(point_of_hold));
        points.extend(ready.paused.iter().map(paused::point));
        // Without a connection that goes without saying.
        if ready.sources.iter().any(SourceStatus::is_connected) {
            points.extend(signs.point_of_unknown());
        }
        return Headline { level, title: title.to_owned(), points };
    }
    let held: Vec<_> = ready.held.iter().filter(|it| it.topic.is_some()).collect();
    points.extend(held.iter().map(|it| point_of_hold(it)));
    let waiting: Vec<_> = ready.sources.iter().filter(|it| it.is_waiting()).collect();
    points.extend(waiting.iter().map(|it| point_of_waiting(it)));
    let without_topic: Vec<_> = ready.sources.iter().filter(|it| it.has_no_topic()).collect();
    points.extend(without_topic.iter().map(|it| point_without_topic(it)));
    points.extend(ready.paused.iter().map(paused::point));
    if signs.missing > 0 {
        points.push(Point::lasting(
            Section::Missing,
            format!("{} cannot be accounted for, and the number does not change", deliveries(signs.missing)),
            "save the log and the output of /metrics, restart this worker (RabbitMQ then delivers the events again), and \
             report this as a bug",
        ));
        points.extend(signs.point_of_unknown());
        let title = format!("This worker cannot account for {}", deliveries(signs.missing));
        return Headline { level: Level::Bad, title, points };
    }
    points.extend(signs.dying.iter().map(Dying::point));
    points.extend(signs.failing.iter().map(Failing::point));
    points.extend(points_of_signs(signs));
    points.extend(signs.fleet.iter().cloned());
    if let Some(point) = signs.point_of_unknown() {
        if points.is_empty() {
            return unknown_dead_letters(signs.per_second, point);
        }
        points.push(point);
    }
    let dead = signs.dead_letters.unwrap_or(0);
    let title = match (held.len(), points.is_empty()) {
        (0, true) if signs.per_second > 0.0 => "All is well: events flow".to_owned(),
        (0, true) => title_of_quiet(&ready.sources).to_owned(),
        (0, false) if !waiting.is_empty() => {
            "A topic is flowing again, and its source resumes".to_owned()
        }
        (0, false) if signs.replay_waits => {
            "A replay is blocked: RabbitMQ accepts no messages".to_owned()
        }
        (0, false) if !signs.dying.is_empty() => signs.dying[0].title(),
        (0, false) if signs.failing.is_some() => {
            signs.failing.as_ref().map(Failing::title).unwrap_or_default()
        }
        (0, false) if !ready.paused.is_empty() => paused::title(&ready.paused),
        (0, false) if dead > 0 && without_topic.is_empty() && signs.fleet.is_empty() => {
            format!("{} to handle; no other problem", dead_letters(dead))
        }
        (0, false) if signs.throttled_per_second > 0.0 => {
            "Events flow, but SNS throttles requests".to_owned()
        }
        (0, false) => match &without_topic[..] {
            [] if dead > 0 => format!("{} to handle", dead_letters(dead)),
            [] => fleet::title(&signs.fleet, signs.per_second),
            [one] => format!("Source {} has no topic and is not consumed", one.name),
            many => format!("{} sources have no topic and are not consumed", many.len()),
        },
        (count, _) => held_topics(count, &waiting, signs.per_second),
    };
    let level = match points.len() {
        0 => Level::Good,
        _ if !held.is_empty() && waiting.len() + without_topic.len() == ready.sources.len() => {
            Level::Bad
        }
        _ if signs.is_bad() => Level::Bad,
        _ => Level::Attention,
    };
    Headline { level, title, points }
}

impl Signs {
    /// Events are lost to their subscribers, or about to be, in numbers.
    fn is_bad(&self) -> bool {
        let dying: f64 = self.dying.iter().map(|it| it.per_second).sum();
        dying >= 1.0 || self.failing.as_ref().is_some_and(Failing::is_bad)
    }

    /// That there may be dead letters, though nobody can say how many.
    fn point_of_unknown(&self) -> Option<Point> {
        let unknown = || {
            Point::lasting(
                Section::Unknown,
                "the depth of the dead-letter queue is not known",
                "wait some seconds after a start or a reconnect, and until commands that read the queue, such as a replay, have ended; if \
                 it stays unknown, run `event-pusher-sns check`, which says whether the queue exists and this user may look at it",
            )
        };
        self.dead_letters.is_none().then(unknown)
    }
}

/// Nothing is known to be wrong, and one number is missing to say that all is well.
fn unknown_dead_letters(per_second: f64, point: Point) -> Headline {
    let what = if per_second > 0.0 { "Events flow" } else { "The worker is ready" };
    let title = format!("{what}; the number of dead letters is not known");
    Headline { level: Level::Unknown, title, points: vec![point] }
}

fn title_of_quiet(sources: &[SourceStatus]) -> &'static str {
    if !sources.is_empty() && sources.iter().all(SourceStatus::is_standby) {
        "All is well: a standby, since another worker is the single active consumer"
    } else {
        "All is well: no events arrive, and the worker is ready"
    }
}

/// What is to be said though nothing is held.
fn points_of_signs(signs: &Signs) -> Vec<Point> {
    let mut points = Vec::new();
    if signs.throttled_per_second > 0.0 {
        points.push(Point::lasting(
            Section::Throttled,
            "SNS throttles requests, and the worker publishes more slowly",
            "no action is needed if the throttling ends within minutes; if it does not, request a higher SNS publish quota \
             in the Service Quotas console",
        ));
    }
    if signs.replay_waits {
        points.push(Point::lasting(
            Section::ReplayBlocked,
            "a replay is blocked: RabbitMQ has a memory or disk alarm and accepts no messages",
            "free memory or disk space on the RabbitMQ nodes, and the replay continues by itself; or stop the replay, which \
             loses no dead letter",
        ));
    }
    let dead = signs.dead_letters.unwrap_or(0);
    if dead > 0 {
        points.push(Point::lasting(
            Section::DeadLetters,
            format!("{} in the dead-letter queue", dead_letters(dead)),
            "read the reasons under Dead letters below, correct the cause, then replay them",
        ));
    }
    points
}

/// A source that waits for one held topic consumes nothing for its others either. Nor do these flow where a topic
/// in order fills the prefetch.
fn held_topics(count: usize, waiting: &[&SourceStatus], per_second: f64) -> String {
    let (held, it) = match count {
        1 => ("One topic is held".to_owned(), "it"),
        count => (format!("{count} topics are held"), "one of them"),
    };
    match waiting {
        [] if per_second > 0.0 => format!("{held}; the others are flowing"),
        [] => format!("{held}; nothing else is published now"),
        [one] => format!("{held}, and source {} waits for {it}", one.name),
        many => format!("{held}, and {} sources wait for {it}", many.len()),
    }
}

fn point_of_hold(hold: &HeldNow) -> Point {
    let what =
        hold.topic.as_ref().map_or_else(|| "the service".to_owned(), |it| format!("topic {it}"));
    Point {
        section: if hold.topic.is_some() { Section::TopicHeld } else { Section::ServiceHeld },
        what: format!("{what} is held: {}", hold.error),
        since: Some(hold.since),
        what_to_do: hold.what_to_do.to_owned(),
    }
}

fn point_of_waiting(source: &SourceStatus) -> Point {
    Point {
        section: Section::TopicHeld,
        what: format!("source {} is not consuming: its events are back in its queue", source.name),
        since: Some(source.since),
        what_to_do: "do what is said for the held topic; the source then consumes again by itself. To keep the source's other \
                     topics flowing next time, give that topic a source of its own"
            .to_owned(),
    }
}

fn point_without_topic(source: &SourceStatus) -> Point {
    Point {
        section: Section::NoTopic,
        what: format!(
            "source {} is not consumed: no topic is set for the events that it carries",
            source.name
        ),
        since: Some(source.since),
        what_to_do: "set the topic and restart the worker (`check` names the keys); if no topic is to be set, set discard = true \
                     for the source, so that its events are taken and skipped, or remove the source and delete its queue or the queue's \
                     bindings, else the queue fills"
            .to_owned(),
    }
}

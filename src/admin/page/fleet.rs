//! What the headline says of the other workers of the fleet.

use super::point::Point;
use super::section::Section;
use crate::fleet::{Picture, Worker};
use crate::text::counted;

/// Names that a point shows; the table has all.
const SHOWN: usize = 3;

/// What is to be said of them, the most urgent first. Of a fleet that this worker does not hear there is nothing to say.
pub(super) fn points_of_fleet(picture: &Picture) -> Vec<Point> {
    let mut points = Vec::new();
    let silent: Vec<_> = picture.silent().collect();
    if !silent.is_empty() {
        points.push(Point::lasting(
            Section::FleetSilent,
            format!("{} silent: {}", are(silent.len()), names(&silent)),
            "no event is lost: RabbitMQ delivers to the others what a worker had that has died. See whether it was restarted or moved; one that is \
             gone leaves the table half a minute after its last report",
        ));
    }
    let differing: Vec<_> = picture.differing().collect();
    if !differing.is_empty() {
        points.push(Point::lasting(
            Section::FleetDiffers,
            format!("{} from most of the fleet: {}", differ(differing.len()), differences(&differing)),
            "no action is needed during a rolling update; afterwards give all workers the same version and configuration, and restart those \
             that differ",
        ));
    }
    let clocks: Vec<_> =
        picture.workers.iter().filter(|it| it.clock_ahead_seconds.is_some()).collect();
    if !clocks.is_empty() {
        points.push(Point::lasting(
            Section::FleetDiffers,
            format!("clocks differ from this worker's: {}", off(&clocks)),
            "synchronise the clocks of these machines, or of this one: SNS refuses the requests of a worker whose clock is off by fifteen minutes",
        ));
    }
    points
}

/// The headline, if there is nothing else to say.
pub(super) fn title(points: &[Point], per_second: f64) -> String {
    let what = if per_second > 0.0 { "Events flow" } else { "The worker is ready" };
    let but = match points.first().map(|it| it.section) {
        Some(Section::FleetSilent) => "a worker of the fleet is silent",
        _ => "workers of the fleet differ",
    };
    format!("{what}, but {but}")
}

fn are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} of the fleet {verb}", counted(count, "worker", "workers"))
}

fn differ(count: usize) -> String {
    format!(
        "{} {}",
        counted(count, "worker", "workers"),
        if count == 1 { "differs" } else { "differ" }
    )
}

fn names(workers: &[&Worker]) -> String {
    listed(workers, |it| it.name.clone())
}

fn off(workers: &[&Worker]) -> String {
    listed(workers, |it| {
        let ahead = it.clock_ahead_seconds.unwrap_or(0);
        let way = if ahead > 0 { "ahead" } else { "behind" };
        format!("{} ({} s {way})", it.name, ahead.unsigned_abs())
    })
}

fn differences(workers: &[&Worker]) -> String {
    listed(workers, |it| {
        let version = it.other_version.then(|| format!("version {}", it.report.version));
        let keys = it.differs_in.iter().take(SHOWN).cloned();
        let more = it.differs_in.len().saturating_sub(SHOWN);
        let more = (more > 0).then(|| format!("{more} more"));
        let all: Vec<_> = version.into_iter().chain(keys).chain(more).collect();
        format!("{} ({})", it.name, all.join(", "))
    })
}

fn listed(workers: &[&Worker], word: impl Fn(&Worker) -> String) -> String {
    let mut words: Vec<_> = workers.iter().take(SHOWN).map(|it| word(it)).collect();
    if workers.len() > SHOWN {
        words.push(format!("{} more", workers.len() - SHOWN));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jiff::Timestamp;

    use super::*;
    use crate::fleet::{Link, Members, Report};

    fn report(number: u64, version: &str) -> Report {
        let (id, host) = (format!("{number:016x}"), format!("pod-{number}"));
        let (version, at) = (version.to_owned(), Timestamp::now());
        Report { id, host, version, at, sequence: 1, every_ms: 1000, ..Report::default() }
    }

    #[test]
    fn silent_workers_and_those_that_differ_are_points_and_a_fleet_that_is_well_is_none() {
        let now = Instant::now();
        let mut members = Members::new("chat");
        members.set_own(report(0, "1"));
        members.set_link(Link::Joined, now);
        for number in 1..=2 {
            members.hear(Ok((report(number, "1"), false)), now, Timestamp::now()).unwrap();
        }
        assert_eq!(points_of_fleet(&members.picture(now)), []);
        members.hear(Ok((report(3, "2"), false)), now, Timestamp::now()).unwrap();
        let differ = points_of_fleet(&members.picture(now));
        assert_eq!(differ.len(), 1, "{differ:?}");
        assert_eq!(differ[0].what, "1 worker differs from most of the fleet: pod-3 (version 2)");
        assert_eq!(title(&differ, 1.0), "Events flow, but workers of the fleet differ");
        let silent = points_of_fleet(&members.picture(now + Duration::from_secs(6)));
        assert_eq!(silent[0].section, Section::FleetSilent);
        assert_eq!(silent[0].what, "3 workers of the fleet are silent: pod-1, pod-2, pod-3");
        assert_eq!(title(&silent, 0.0), "The worker is ready, but a worker of the fleet is silent");
    }
}

//! The picture of a fleet as lines of text.

use std::collections::BTreeMap;

use crate::fleet::{Picture, SourcePartitions, Worker};
use crate::text::counted;

/// The title of a column that is there only if a source has partitions.
const PARTITIONS: &str = "partitions";

/// Titles of the columns; those of numbers begin with a blank.
const TITLES: [&str; 10] = [
    "worker",
    "version",
    "state",
    " in/s",
    " out/s",
    " in flight",
    " backlog",
    " oldest",
    PARTITIONS,
    "differs in",
];

/// Characters of a name that a column shows.
const WIDEST: usize = 40;

/// The workers, a line for each, with what is held, what is `paused`, and the sums.
pub(super) fn of(picture: &Picture, paused: &[String]) -> String {
    let mut lines = rows(&picture.workers);
    for worker in &picture.workers {
        for hold in &worker.report.holds {
            let topic = hold.topic.as_deref().unwrap_or("the service");
            lines.push(format!(
                "{} holds {topic} since {:.0}, {} waiting: {}",
                worker.name,
                hold.since,
                counted(hold.waiting, "event", "events"),
                hold.error
            ));
        }
    }
    lines.extend_from_slice(paused);
    lines.extend(replays(picture));
    lines.extend(picture.partitions.iter().map(SourcePartitions::words));
    let (sums, books) = (&picture.sums, &picture.sums.books);
    let silent =
        if sums.silent > 0 { format!(", {} of them silent", sums.silent) } else { String::new() };
    lines.push(format!(
        "{} of the fleet `{}`{silent}; in {:.1}/s, out {:.1}/s, dead-lettered {:.1}/s; backlog {:.0}",
        counted(sums.workers, "worker", "workers"),
        picture.name,
        sums.rates.received,
        sums.rates.published,
        sums.rates.dead_lettered,
        sums.backlog
    ));
    lines.push(format!(
        "received {} = published {} + skipped {} + dead-lettered {} + handed back {} + in flight {}{}",
        books.received,
        books.published,
        books.skipped,
        books.dead_lettered,
        books.handed_back,
        books.in_flight,
        match sums.unaccounted {
            0 => String::new(),
            moved => format!(" ({} moved while the numbers were read)", moved.unsigned_abs()),
        }
    ));
    if !picture.ignored.is_empty() {
        lines.push(format!("reports that were not believed: {}", counts(&picture.ignored)));
    }
    lines.join("\n")
}

/// A line for each replay that is running.
pub(super) fn replays(picture: &Picture) -> impl Iterator<Item = String> {
    picture.replays.iter().map(|it| {
        let silent = if it.is_silent {
            format!(" (not heard for {:.0} s)", it.heard_seconds)
        } else {
            String::new()
        };
        format!("{}{silent}", it.words())
    })
}

/// `signature 3, user 1`.
pub(super) fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    let each: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    each.join(", ")
}

fn rows(workers: &[Worker]) -> Vec<String> {
    let mut rows = vec![TITLES.map(|it| it.trim().to_owned())];
    rows.extend(workers.iter().map(row));
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..TITLES.len()).map(width).collect();
    let has_partitions = workers.iter().any(|it| !partitions(it).is_empty());
    let line = |row: &[String; 10]| {
        let columns = row.iter().zip(&widths).zip(TITLES);
        let shown = columns.filter(|(_, title)| has_partitions || *title != PARTITIONS);
        let cells = shown.map(|((cell, width), title)| {
            if title.starts_with(' ') {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(worker: &Worker) -> [String; 10] {
    let report = &worker.report;
    let state = if worker.is_silent {
        format!("silent for {:.0} s", worker.heard_seconds)
    } else {
        report.state.clone()
    };
    let backlog: f64 = report.sources.iter().map(|it| it.backlog).sum();
    [
        short(&worker.name),
        short(&report.version),
        state,
        format!("{:.1}", report.rates.received),
        format!("{:.1}", report.rates.published),
        report.books.in_flight.to_string(),
        format!("{backlog:.0}"),
        worker.oldest_seconds.map_or_else(|| "-".to_owned(), |it| format!("{it:.0} s")),
        partitions(worker),
        differences(worker),
    ]
}

/// `4 of 40`, or, of several sources that have some, `chats 4 of 40, rooms 2 of 8`.
fn partitions(worker: &Worker) -> String {
    let sources = &worker.report.sources;
    let shares: Vec<_> =
        sources.iter().filter_map(|it| Some((&it.name, it.partitions?.words()))).collect();
    match &shares[..] {
        [(_, share)] => share.clone(),
        many => {
            let named: Vec<_> = many.iter().map(|(name, it)| format!("{name} {it}")).collect();
            named.join(", ")
        }
    }
}

fn differences(worker: &Worker) -> String {
    let version = worker.other_version.then(|| "version".to_owned());
    let clock = worker.clock_ahead_seconds.map(|ahead| {
        let way = if ahead > 0 { "ahead" } else { "behind" };
        format!("clock {} s {way}", ahead.unsigned_abs())
    });
    let all: Vec<_> =
        version.into_iter().chain(worker.differs_in.iter().cloned()).chain(clock).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use jiff::Timestamp;

    use super::*;
    use crate::fleet::{Link, Members, PartitionsReport, Report, SourceReport};

    /// As it is printed.
    fn printed(partitions: [Option<PartitionsReport>; 2], paused: &[String]) -> String {
        let now = Instant::now();
        let mut members = Members::new("chat");
        members.set_link(Link::Joined, now);
        for (partitions, number) in partitions.into_iter().zip(0..) {
            let name = "events".to_owned();
            let source = SourceReport { name, partitions, ..SourceReport::default() };
            let report = Report {
                id: format!("{number:016x}"),
                sequence: 1,
                host: format!("pod-{number}"),
                version: "1.0.0".to_owned(),
                state: "ready".to_owned(),
                sources: vec![source],
                ..Report::default()
            };
            members.hear(Ok((report, false)), now, Timestamp::UNIX_EPOCH).unwrap();
        }
        of(&members.picture(now), paused)
    }

    #[test]
    fn partitions_have_a_column_and_a_line_of_their_own_and_pauses_are_told() {
        let share = |active| PartitionsReport {
            active,
            of: 40,
            bound: Some(20),
            prefetch: 37,
            sorts: active == 18,
        };
        let paused = ["paused: everything".to_owned()];
        let printed = printed([Some(share(18)), Some(share(22))], &paused);
        let wanted = "\
worker  version  state  in/s  out/s  in flight  backlog  oldest  partitions           differs in
pod-0   1.0.0    ready   0.0    0.0          0        0       -  18 of 40, sorts      -
pod-1   1.0.0    ready   0.0    0.0          0        0       -  22 of 40 (share 20)  -
paused: everything
source events: events come from 40 of 40 partitions; more than its share has pod-1
2 workers of the fleet `chat`; in 0.0/s, out 0.0/s, dead-lettered 0.0/s; backlog 0
received 0 = published 0 + skipped 0 + dead-lettered 0 + handed back 0 + in flight 0";
        assert_eq!(printed, wanted, "\n{printed}");
    }

    #[test]
    fn without_partitions_there_is_no_column_for_them() {
        let printed = printed([None, None], &[]);
        let titles = "worker  version  state  in/s  out/s  in flight  backlog  oldest  differs in";
        assert_eq!(printed.lines().next(), Some(titles), "{printed}");
        assert_eq!(printed.lines().count(), 5, "{printed}");
    }
}

//! The picture of a fleet as lines of text.

use std::collections::BTreeMap;

use crate::fleet::{Picture, Worker};
use crate::text::counted;

/// Titles of the columns; those of numbers begin with a blank.
const TITLES: [&str; 9] = [
    "worker",
    "version",
    "state",
    " in/s",
    " out/s",
    " in flight",
    " backlog",
    " oldest",
    "differs in",
];

/// Characters of a name that a column shows.
const WIDEST: usize = 40;

/// The workers, a line for each, with what is held, and the sums.
pub(super) fn of(picture: &Picture) -> String {
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
    lines.extend(replays(picture));
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
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths).zip(TITLES).map(|((cell, width), title)| {
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

fn row(worker: &Worker) -> [String; 9] {
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
        differences(worker),
    ]
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

//! The tables and the JSON.

use std::fmt::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::idle::Idle;
use crate::medians::Medians;
use crate::rounds::{Contestant, Run};
use crate::targets::{Target, targets};
use crate::watched::Watched;
use crate::{Arguments, Result};

/// Everything that was measured.
pub(crate) struct Report {
    events: u64,
    rounds: usize,
    settings: Vec<String>,
    rows: Vec<Row>,
    idle: Idle,
    watched: Option<Watched>,
    targets: Vec<Target>,
}

struct Row {
    contestant: Contestant,
    medians: Option<Medians>,
    runs: Vec<Run>,
}

impl Report {
    pub(crate) fn new(
        arguments: &Arguments,
        contestants: &[Contestant],
        runs: Vec<Vec<Run>>,
        idle: Idle,
        watched: Option<Watched>,
    ) -> Self {
        let events = arguments.events;
        let rows: Vec<_> = contestants
            .iter()
            .zip(runs)
            .map(|(&contestant, runs)| Row {
                contestant,
                medians: Medians::of(events, &runs),
                runs,
            })
            .collect();
        let medians = |name: &str| rows.iter().find(|row| row.contestant.name() == name)?.medians;
        let targets = targets(medians, &idle, watched);
        let settings = arguments.set.clone();
        Self { events, rounds: arguments.rounds, settings, rows, idle, watched, targets }
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, format!("{:#}\n", self.json()))?;
        println!("\nwritten to {}", file.display());
        Ok(())
    }

    fn json(&self) -> Value {
        let contestants = self.rows.iter().map(|row| {
            let medians = row.medians.map(|it| {
                json!({
                    "events_per_s": it.events_per_s, "cpu_ms_per_1000_events": it.cpu_ms,
                    "requests_per_event": it.requests, "peak_mib": it.peak_mib,
                })
            });
            json!({
                "name": row.contestant.name(), "title": row.contestant.title,
                "latency_ms": row.contestant.latency_ms, "medians": medians,
                "runs": row.runs.iter().map(run_json).collect::<Vec<_>>(),
            })
        });
        let targets = self.targets.iter().map(|it| {
            json!({
                "name": it.name, "value": it.value, "target": it.bound.to_string(),
                "met": it.is_met(),
            })
        });
        json!({
            "events": self.events, "rounds": self.rounds, "settings": self.settings,
            "machine": machine(),
            "contestants": contestants.collect::<Vec<_>>(),
            "idle": {
                "events": self.idle.events, "requests": self.idle.requests,
                "milliseconds": self.idle.milliseconds,
                "cpu_ms_per_second": self.idle.cpu_ms_per_second,
            },
            "watched": self.watched.map(|it| {
                json!({ "pairs": it.pairs, "speed": it.speed, "cpu_per_event": it.cpu })
            }),
            "targets": targets.collect::<Vec<_>>(),
        })
    }
}

fn run_json(run: &Run) -> Value {
    match run {
        Ok(it) => json!({
            "seconds": it.seconds, "cpu_ms": it.cpu.as_secs_f64() * 1000.0,
            "peak_bytes": it.peak_bytes, "requests": it.requests, "messages": it.messages,
            "connections": it.connections, "most_in_flight": it.most_in_flight,
            "fake_cpu_ms": it.fake_cpu.as_secs_f64() * 1000.0,
            "came_back": it.came_back, "dead_letters": it.dead_letters, "report": it.report,
        }),
        Err(error) => json!({ "failed": error }),
    }
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": model.map(|(_, model)| model),
        "kernel": kernel.trim(),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, rounds, idle, .. } = self;
        writeln!(
            f,
            "\n{events} events a run, medians of {rounds}; CPU and memory of the process itself\n"
        )?;
        writeln!(
            f,
            "   {:<42} {:>8} {:>9} {:>14} {:>15} {:>8}",
            "", "latency", "events/s", "CPU ms/1,000", "requests/event", "peak MiB"
        )?;
        for row in &self.rows {
            write_row(f, row)?;
        }
        writeln!(
            f,
            "\n   idle: {} events one at a time, {} requests, {:.1} ms from producer to SNS; \
             with nothing to do {:.2} CPU ms/s",
            idle.events, idle.requests, idle.milliseconds, idle.cpu_ms_per_second
        )?;
        if let Some(Watched { pairs, speed, cpu }) = self.watched {
            writeln!(
                f,
                "   f, c with its page open and a scrape a second, beside c: {speed:.3} of its speed, \
                 {cpu:.3} of its CPU time; medians of {pairs} pairs of stretches"
            )?;
        }
        let fake = self.rows.iter().filter_map(|row| Some(row.medians?.fake_per_s));
        if let Some(most) = fake.reduce(f64::max).filter(|&it| it > 0.0) {
            writeln!(f, "   the fake SNS: good for {most:.0} messages/s on one core")?;
        }
        writeln!(f, "\n   {:<42} {:>8} {:>9}", "ratio", "is", "target")?;
        for it in &self.targets {
            let value = it.value.map_or("–".to_owned(), |value| format!("{value:.3}"));
            let mark = it.is_met().map_or(' ', |met| if met { '✓' } else { '✗' });
            writeln!(f, "{mark}  {:<42} {value:>8} {:>9}", it.name, it.bound.to_string())?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let Contestant { letter, title, latency_ms, .. } = row.contestant;
    write!(f, "{letter}  {title:<42} {:>8}", format!("{latency_ms} ms"))?;
    match row.medians {
        Some(Medians { events_per_s, cpu_ms, requests, peak_mib, .. }) => writeln!(
            f,
            " {events_per_s:>9.0} {cpu_ms:>14.1} {requests:>15.3} {peak_mib:>8.1}{}",
            remarks(&row.runs)
        ),
        None => writeln!(f, "  {}", remarks(&row.runs)),
    }
}

/// What a reader must know about the runs behind a row.
fn remarks(runs: &[Run]) -> String {
    let samples = || runs.iter().filter_map(|run| run.as_ref().ok());
    let came_back: u32 = samples().map(|it| it.came_back).sum();
    let dead: u32 = samples().map(|it| it.dead_letters).sum();
    let failed = runs.iter().filter(|run| run.is_err()).count();
    let why = runs.iter().find_map(|run| run.as_ref().err());
    let mut remarks = String::new();
    for (count, what) in [(came_back, "came back"), (dead, "dead letters")] {
        if count > 0 {
            let _ = write!(remarks, "  {count} {what}");
        }
    }
    if let Some(why) = why {
        let _ = write!(remarks, "  {failed} of {} runs failed: {why}", runs.len());
    }
    remarks
}

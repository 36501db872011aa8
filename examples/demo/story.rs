//! What the reader sees: 80 columns, in colour on a terminal.

use std::collections::BTreeMap;
use std::io::Write;

use anstyle::{AnsiColor, Style};

use crate::broker::DeadLetter;
use crate::inbox::{self, Arrived};
use crate::samples::{Said, Sample};
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::verdict::Facts;

const WIDTH: usize = 80;
/// Behind the id of an event, where everything about it stands.
const INDENT: usize = 11;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const SKIPPED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// A line. A reader that went away, as `| head` does, must not keep us from cleaning up.
macro_rules! say {
    ($($text:tt)*) => { _ = writeln!(anstream::stdout(), $($text)*) };
}

pub(crate) fn opening(settings: &Settings) {
    let broker = &settings.amqp.uris[0];
    say!();
    say!(
        "{BOLD}event-pusher-sns{BOLD:#}   chat server → RabbitMQ → {BOLD}worker{BOLD:#} → SNS → SQS"
    );
    say!("{DIM}RabbitMQ {broker} · SNS {}{DIM:#}", settings.emulator());
}

pub(crate) fn published(samples: &[Sample], exchange: &str) {
    heading(1, "Published to RabbitMQ", samples.len(), &format!("events, exchange {exchange}"));
    for Sample { id, kind, people, said, .. } in samples {
        let colour = colour(kind);
        let said = match said {
            Said::Text(text) => format!("“{text}”"),
            Said::Note(note) => format!("{DIM}{note}{DIM:#}"),
            Said::Fault(fault) => format!("{BAD}{fault}{BAD:#}"),
        };
        say!("  {DIM}{id}{DIM:#}  {colour}{kind:<9}{colour:#}  {people:<36}  {said}");
    }
}

pub(crate) fn arrived(arrived: &[Arrived]) {
    heading(
        2,
        "Arrived through SNS",
        inbox::total(arrived),
        "notifications, by topic and SQS queue",
    );
    let mut first = true;
    for Arrived { queue, notifications } in arrived {
        if !std::mem::take(&mut first) {
            say!();
        }
        let colour = colour(queue);
        say!("  {colour}{queue}{colour:#} {DIM}{}{DIM:#}", notifications.len());
        for notification in notifications {
            let id = notification.id.as_deref().unwrap_or("?");
            let body = wrapped(&notification.body, ",\"", INDENT);
            say!("  {DIM}{id:<7}{DIM:#}  {body}");
            for (name, value) in &notification.attributes {
                say!("{:INDENT$}{DIM}attribute{DIM:#} {name} = {value}", "");
            }
        }
    }
}

pub(crate) fn skipped(skipped: &BTreeMap<String, String>) {
    heading(3, "Skipped", skipped.len(), "events, by policy: acknowledged, not published");
    for (id, reason) in skipped {
        let why = explanation(reason);
        say!("  {DIM}{id}{DIM:#}  {SKIPPED}{reason:<18}{SKIPPED:#}  {why}");
    }
}

pub(crate) fn dead_lettered(letters: &[DeadLetter], queue: &str) {
    heading(4, "Dead-lettered", letters.len(), &format!("events, queue {queue}"));
    for DeadLetter { id, reason, error, payload } in letters {
        let error = wrapped(error, " ", INDENT);
        say!("  {DIM}{id}{DIM:#}  {BAD}{reason}{BAD:#}");
        say!("{:INDENT$}{error}", "");
        say!("{:INDENT$}{DIM}{}{DIM:#}", "", shortened(payload, WIDTH - INDENT));
    }
}

pub(crate) fn report(report: &str) {
    say!();
    say!("{BOLD}5  The worker's own report{BOLD:#}  {DIM}told to stop by SIGTERM{DIM:#}");
    say!("  {}", wrapped(report, ", ", 2));
}

pub(crate) fn verdict(facts: &Facts, wrong: &[String], token: &str) {
    let Facts { published, arrived, skipped, dead_lettered, .. } = facts;
    say!();
    if !wrong.is_empty() {
        for wrong in wrong {
            say!("{BAD}✗{BAD:#} {wrong}");
        }
        return;
    }
    say!(
        "{GOOD}✓{GOOD:#} {BOLD}{published} events = {arrived} arrived + {skipped} skipped + \
         {dead_lettered} dead-lettered{BOLD:#}: none lost, none twice"
    );
    say!();
    say!("{BOLD}What to try next{BOLD:#}");
    let page =
        format!("docker compose up, http://127.0.0.1:9464, with the token\n{:22}{token}", "");
    for (what, how) in [
        ("Open the page", &*page),
        ("Change something", "config/demo.toml, then `make demo` again"),
        ("Set up your own", "config/default.toml has every key, its default and why"),
        ("Check what you set", "cargo run -- check --offline --config config/demo.toml"),
        ("Try your events", "cargo run -- try FILE --config config/demo.toml"),
        ("Read how it works", "README.md"),
    ] {
        say!("  {DIM}{what:<18}{DIM:#}  {how}");
    }
}

pub(crate) fn interrupted() {
    say!();
    say!("{DIM}Interrupted: the worker is stopped and the demo's events are removed.{DIM:#}");
}

pub(crate) fn trouble(trouble: &Trouble) {
    let mut stderr = anstream::stderr();
    _ = writeln!(stderr, "\n{BAD}✗{BAD:#} {}", trouble.what);
    if let Some(remedy) = &trouble.remedy {
        _ = writeln!(stderr, "  {DIM}→{DIM:#} {remedy}");
    }
}

fn heading(number: u8, what: &str, count: usize, of: &str) {
    say!();
    say!("{BOLD}{number}  {what}{BOLD:#}  {DIM}{count} {of}{DIM:#}");
}

/// An event's type and its topic have one colour.
fn colour(name: &str) -> Style {
    match name {
        "presence" | "presence_updates" => AnsiColor::Cyan.on_default(),
        "chat" | "pm_messages" => AnsiColor::Blue.on_default(),
        "groupchat" | "muc_messages" => AnsiColor::Magenta.on_default(),
        _ => Style::new(),
    }
}

/// What the label means, for those that the samples lead to.
fn explanation(reason: &str) -> &'static str {
    match reason {
        "topic_unset" => "no topic is set for it, see config/demo.toml",
        "muc_host_unmatched" => "the room's host is none of the configured ones",
        "no_text" => "has no text, not even an empty one",
        "unsupported_type" => "is no presence, chat or groupchat",
        _ => "",
    }
}

/// Breaks lines behind the first character of `gap`. Only spaces around a break are lost, and
/// what has no gap stays in one line.
fn wrapped(text: &str, gap: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text;
    while rest.chars().count() > WIDTH - indent {
        let limit = rest.char_indices().nth(WIDTH - indent).map_or(rest.len(), |(at, _)| at);
        let Some(at) = rest[..limit].rfind(gap).filter(|at| *at > 0) else { break };
        let (line, next) = rest.split_at(at + 1);
        lines.push(line.trim_end().to_owned());
        rest = next.trim_start();
    }
    lines.push(rest.to_owned());
    lines.join(&format!("\n{:indent$}", ""))
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

//! Sets up logging: the format and the filter.

#[cfg(test)]
mod capture;
mod escaped;
mod fields;
mod recent;

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, Draft, Key, LogFormat};
use crate::limits::MOST_LOG_LINES;
use crate::nearest::nearest_word;
use crate::observe::recent_log::RecentLog;
use crate::panics;

/// A panic's message may quote the data it met; its place may not.
pub(super) fn report_panics_without_their_message() {
    std::panic::set_hook(Box::new(|panic| {
        if !panics::seen() {
            return;
        }
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            event = "panicked",
            place,
            "thread panicked: a bug in event-pusher-sns or in a plugin"
        );
    }));
}

/// The filter of `log.filter`, which only its own library can read. What is wrong with it is a problem of the draft.
pub(super) fn filter(draft: &mut Draft) -> EnvFilter {
    let key = Key::from("log.filter");
    let text = draft.config().log.filter.clone();
    let (sound, misspelt) = sound_parts(&text);
    for (wrong, remedy) in misspelt {
        draft.problem(&key, wrong, &remedy);
    }
    // The library's own words name its parts, and not what is to be written.
    let filter = EnvFilter::try_new(with_current_names(&sound)).unwrap_or_else(|_| {
        let wrong = "has a part that is neither a level nor a target and its level".to_owned();
        let remedy =
            "give a level (info), or target=level pairs with commas between (info,hyper=warn)";
        draft.problem(&key, wrong, remedy);
        EnvFilter::default()
    });
    // lapin logs what the broker returns with its body, and says again what we say ourselves. So does the SDK of credentials, with
    // what a credential process wrote.
    let mut quiet = vec!["lapin=off", "aws_config=off", "aws_config::profile::credentials=off"];
    if filter.max_level_hint() == Some(LevelFilter::TRACE) {
        // Here the SDK logs whole requests, and what they are signed with.
        quiet.extend(["aws_sdk_sns=debug", "aws_sigv4=debug"]);
        quiet.extend(["aws_smithy_runtime=debug", "hyper=debug", "h2=debug"]);
    }
    let quiet = quiet.into_iter().filter_map(|directive| directive.parse().ok());
    quiet.fold(filter, EnvFilter::add_directive)
}

/// The levels, from the one with the most lines to the one without any.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// What other programs call levels.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("warning", "warn"),
    ("err", "error"),
    ("critical", "error"),
    ("fatal", "error"),
    ("notice", "info"),
    ("verbose", "debug"),
];

/// The filter without the parts whose levels are none, and what is wrong with each of those, and what to do. A misspelt level
/// would be taken for the name of a target: all of its lines would be logged, and of the others none but errors.
fn sound_parts(filter: &str) -> (String, Vec<(String, String)>) {
    let (mut sound, mut misspelt) = (Vec::new(), Vec::new());
    for part in filter.split(',') {
        match check_level(part.trim()) {
            Ok(()) => sound.push(part),
            Err(wrong) => misspelt.push(wrong),
        }
    }
    (sound.join(","), misspelt)
}

fn check_level(part: &str) -> Result<(), (String, String)> {
    if part.contains(['[', ']', '{', '}']) {
        return Ok(());
    }
    let (word, is_alone) = match part.rsplit_once('=') {
        Some((_, level)) => (level.trim(), false),
        None => (part, true),
    };
    let lower = word.to_lowercase();
    // Levels may also be numbers.
    if LEVELS.contains(&&*lower) || word.is_empty() || word.parse::<u8>().is_ok() {
        return Ok(());
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == lower).map(|(_, level)| *level);
    let meant = other.or_else(|| nearest_word(word, &LEVELS));
    if is_alone && meant.is_none() {
        return Ok(());
    }
    let wrong = format!("has {word:?}, which is no level; the levels are {}", LEVELS.join(", "));
    let remedy = meant.map_or("give one of these".to_owned(), |it| format!("did you mean {it:?}?"));
    Err((wrong, remedy))
}

/// The modules that log and have moved, and where their messages come from now. The longer name comes first.
const MOVED: [(&str, &str); 14] = [
    ("admin::page::clerk", "admin::page::dead_letter_jobs"),
    ("descriptors", "app::descriptors"),
    ("hold", "publish::hold"),
    ("pipeline::worker::say", "pipeline::worker::log"),
    ("publisher::gate", "publish::breaker"),
    ("publisher::sns", "sns"),
    ("publisher", "publish"),
    ("rabbitmq::publish::dead_letter_exchange", "rabbitmq::publish::dead_letter_publisher"),
    ("relay", "pipeline::relay"),
    ("sns::verdicts", "sns::entry_results"),
    ("source::look", "rabbitmq::browse"),
    ("source", "rabbitmq"),
    ("trace", "observe::trace"),
    ("worker", "pipeline::worker"),
];

/// The filter with today's names for modules that a configuration calls by those that they had before.
fn with_current_names(filter: &str) -> String {
    const CRATE: &str = "event_pusher_sns::";
    let renamed = |directive: &str| {
        let (before, path) = directive.split_once(CRATE)?;
        let (name, level) = path.split_at(path.find(['=', '[', ' ']).unwrap_or(path.len()));
        let is_in = |old: &str| {
            name.strip_prefix(old).is_some_and(|it| it.is_empty() || it.starts_with("::"))
        };
        let (_, new) = MOVED.iter().find(|(old, _)| is_in(old))?;
        Some(format!("{before}{CRATE}{new}{level}"))
    };
    let renamed = |directive: &str| renamed(directive).unwrap_or_else(|| directive.to_owned());
    filter.split(',').map(renamed).collect::<Vec<_>>().join(",")
}

/// Writes what waits to be written when it is dropped.
static LINES: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Logs go to standard error, by a thread of their own: a reader that stands still keeps nobody waiting. What it leaves
/// beyond [`MOST_LOG_LINES`], and what can't be written at all, is lost. Returns the log's last warnings and errors.
pub(super) fn start(config: &Config, filter: EnvFilter) -> RecentLog {
    let writer = NonBlockingBuilder::default().buffered_lines_limit(MOST_LOG_LINES);
    let (lines, guard) = writer.thread_name("log").finish(stderr());
    *LINES.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    let recent = RecentLog::default();
    let keep = recent::KeepRecent(recent.clone());
    // To say that a line can't be written would need a line, too.
    let logs = tracing_subscriber::fmt().log_internal_errors(false);
    let logs = logs.with_env_filter(filter).with_writer(lines);
    match config.log.format {
        LogFormat::Text => {
            let logs = logs.with_ansi(stderr().is_terminal()).with_target(false);
            logs.fmt_fields(fields::Quoted).finish().with(keep).init();
        }
        LogFormat::Json => {
            let logs = logs.json().flatten_event(true).map_event_format(escaped::Escaped);
            logs.finish().with(keep).init();
        }
    }
    recent
}

/// Gives what waits to be written a second at most. To be called before the process ends.
pub(super) fn finish() {
    drop(LINES.lock().unwrap_or_else(PoisonError::into_inner).take());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_no_target() {
        for (filter, meant) in [
            ("inof", "info"),
            ("Debgu", "debug"),
            ("warning", "warn"),
            ("info,hyper=wran", "warn"),
            ("erorr,hyper=warn", "error"),
            ("hyper=fatal", "error"),
        ] {
            let (_, misspelt) = sound_parts(filter);
            let remedies: Vec<_> = misspelt.into_iter().map(|(_, remedy)| remedy).collect();
            assert_eq!(remedies, [format!("did you mean {meant:?}?")], "{filter}");
        }
        let (sound, misspelt) = sound_parts("inof,hyper=loud,h2=debug,tower=wran");
        assert_eq!((&*sound, misspelt.len()), ("h2=debug", 3), "each is told");
        for fine in [
            "info",
            "WARN",
            "off",
            "",
            "3",
            "hyper",
            "event_pusher_sns=debug, hyper=warn",
            "event_pusher_sns[worker{source=a}]=debug",
            "tokio::net,info",
        ] {
            assert_eq!(sound_parts(fine), (fine.to_owned(), Vec::new()), "{fine}");
        }
    }

    #[test]
    fn a_filter_by_the_former_name_of_a_module_is_one_by_its_name_today() {
        let today = with_current_names(
            "info,event_pusher_sns::worker=debug, event_pusher_sns::source::look=trace",
        );
        let expected = "info,event_pusher_sns::pipeline::worker=debug, event_pusher_sns::rabbitmq::browse=trace";
        assert_eq!(today, expected);
        for same in
            ["info", "event_pusher_sns=debug", "event_pusher_sns::workers=debug", "hyper=warn"]
        {
            assert_eq!(with_current_names(same), same);
        }
    }
}

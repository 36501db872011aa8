//! What is logged, and how.

mod fields;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Config, Key, LogFormat, Problems};
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

/// The filter of `log.filter`, which only its own library can read.
pub(super) fn filter(config: &Config) -> Result<EnvFilter, Problems> {
    let filter = EnvFilter::try_new(with_current_names(&config.log.filter));
    let filter = filter.map_err(|error| {
        let remedy =
            "give a level (info), or target=level pairs with commas between (info,hyper=warn)";
        let problem = config.problem(&Key::from("log.filter"), error.to_string(), remedy);
        Problems::from(problem)
    })?;
    // lapin logs what the broker returns with its body, and says again what we say ourselves.
    let mut quiet = vec!["lapin=off"];
    if filter.max_level_hint() == Some(LevelFilter::TRACE) {
        // Here the SDK logs whole requests, and what they are signed with.
        quiet.extend(["aws_config=debug", "aws_sdk_sns=debug", "aws_sigv4=debug"]);
        quiet.extend(["aws_smithy_runtime=debug", "hyper=debug", "h2=debug"]);
    }
    let quiet = quiet.into_iter().filter_map(|directive| directive.parse().ok());
    Ok(quiet.fold(filter, EnvFilter::add_directive))
}

/// The modules that log and have moved, and where their messages come from now. The longer name comes first.
const MOVED: [(&str, &str); 12] = [
    ("admin::page::clerk", "admin::page::dead_letter_jobs"),
    ("descriptors", "app::descriptors"),
    ("hold", "publish::hold"),
    ("publisher::gate", "publish::breaker"),
    ("publisher::sns", "sns"),
    ("publisher", "publish"),
    ("rabbitmq::publish::dead_letter_exchange", "rabbitmq::publish::dead_letter_publisher"),
    ("relay", "pipeline::relay"),
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

/// Logs go to standard error.
pub(super) fn start(config: &Config, filter: EnvFilter) {
    // A line that can't be written is lost: to say so would need a line, too, and would end the worker.
    let logs = tracing_subscriber::fmt().log_internal_errors(false);
    let logs = logs.with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            let logs = logs.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            logs.fmt_fields(fields::Quoted).init();
        }
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! What is logged, and how.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Config, Key, LogFormat};
use crate::panics;

/// A panic's message may quote the data it met; its place may not.
pub(super) fn report_panics_without_their_message() {
    std::panic::set_hook(Box::new(|panic| {
        if !panics::seen() {
            return;
        }
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked; this is a bug in event-pusher-sns or in a plugin");
    }));
}

/// The filter of `log.filter`, which only its own library can read.
pub(super) fn filter(config: &Config) -> Result<EnvFilter, String> {
    let filter = EnvFilter::try_new(&config.log.filter).map_err(|error| {
        let key = Key::from("log.filter");
        let origin = config.summary().iter().find(|effective| effective.key == key);
        let origin = origin.map(|it| it.origin.to_string()).unwrap_or_default();
        format!(
            "1 problem in the configuration:\n\n  {origin}: {key} = {:?}\n      {error}\n      \
             remedy: give a level (info), or target=level pairs with commas between (info,hyper=warn)",
            config.log.filter
        )
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

/// Logs go to standard error.
pub(super) fn start(config: &Config, filter: EnvFilter) {
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
        }
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

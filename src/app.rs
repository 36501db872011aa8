//! The program: reads arguments, environment and signals, which no other module does, and
//! determines the exit status.
//!
//! A binary of your own, with plugins of your own, is [`main`] and a registry:
//!
//! ```no_run
//! use event_pusher_sns::{app, plugin::Plugins};
//!
//! fn main() -> std::process::ExitCode {
//!     app::main(&Plugins::default())
//! }
//! ```

pub(crate) mod descriptors;
mod logging;
mod run;
mod scripts;
mod signals;
mod signing;
#[cfg(test)]
mod tests;
mod wiring;

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use self::run::run;
use self::signals::{end_on_signals, stop_on_signals};
use crate::cli::arguments::{self, Arguments, Command};
use crate::cli::output::{everything_is_printed, print_error};
use crate::cli::{
    FAILED, INVALID_CONFIGURATION, WRONG_ARGUMENTS, check, dead_letters, feed, import, try_events,
};
use crate::config::{Config, Inputs, Problems};
use crate::observe::recent_log::RecentLog;
use crate::panics;
use crate::plugin::Plugins;
use crate::text::printable;

/// Runs the command that the arguments ask for.
#[must_use]
pub fn main(plugins: &Plugins) -> ExitCode {
    let status = match Arguments::try_parse() {
        Ok(arguments) => run_command(arguments, plugins),
        Err(told) => match told.print() {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                print_error(&format!("cannot write to standard output: {error}"));
                ExitCode::from(FAILED)
            }
            _ => ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(WRONG_ARGUMENTS)),
        },
    };
    logging::finish();
    // What nobody could read is not done.
    if everything_is_printed() || status != ExitCode::SUCCESS {
        status
    } else {
        ExitCode::from(FAILED)
    }
}

fn run_command(arguments: Arguments, plugins: &Plugins) -> ExitCode {
    if matches!(arguments.command, Command::Import(_) | Command::Try(_))
        && let Err(error) = end_on_signals()
    {
        print_error(&format!("cannot start: {error}"));
        return ExitCode::from(FAILED);
    }
    if let Command::Import(command) = &arguments.command {
        // It makes a configuration, so there need not be one.
        return import::run(command, plugins);
    }
    let loaded = load(&arguments, plugins).and_then(|config| {
        let plugins = plugins_of(&arguments.command, plugins, &config)?;
        let filter = logging::filter(&config)?;
        if matches!(arguments.command, Command::Run | Command::Check { .. }) {
            config.require_topics()?;
        }
        Ok((config, plugins, filter))
    });
    let (config, plugins, filter) = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            print_error(&printable(&problems.to_string(), true));
            return ExitCode::from(INVALID_CONFIGURATION);
        }
    };
    let plugins = &plugins;
    // One thread: relaying is waiting, and a second one costs more than it carries.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    // Handling an event catches its panics; one from elsewhere must not choose the status.
    let command = AssertUnwindSafe(|| match arguments.command {
        Command::Run => runtime.block_on(run(config, filter, plugins)),
        Command::Check { offline } => runtime.block_on(check(&config, plugins, offline)),
        Command::Try(arguments) => {
            start_logging(&config, filter);
            try_events::run(&arguments, &config, plugins).into()
        }
        Command::Feed(arguments) => runtime.block_on(feed(&arguments, &config, filter)),
        // Done above.
        Command::Import(_) => ExitCode::from(FAILED),
        Command::DeadLetters(command) => {
            runtime.block_on(dead_letters(*command, config, filter, plugins))
        }
    });
    let status = std::panic::catch_unwind(command).unwrap_or(ExitCode::from(FAILED));
    // What panics while it goes counts as well.
    drop(runtime);
    // A thread that panicked has taken something with it, whatever the others came to.
    if panics::conclude() && status == ExitCode::SUCCESS { ExitCode::from(FAILED) } else { status }
}

fn load(arguments: &Arguments, plugins: &Plugins) -> Result<Config, Problems> {
    let local = Path::new("config/local.toml");
    let inputs = Inputs::read(&arguments.config, local, std::env::vars_os())?;
    signing::with_key(Config::load(&inputs, &plugins.names().collect::<Vec<_>>())?)
}

/// The plugins with the configuration's scripts. Who only looks at dead letters needs none of them.
fn plugins_of(command: &Command, plugins: &Plugins, config: &Config) -> Result<Plugins, Problems> {
    match command {
        Command::DeadLetters(command)
            if !matches!(**command, arguments::DeadLetters::Show { .. }) =>
        {
            Ok(plugins.clone())
        }
        _ => scripts::with_scripts(plugins, config),
    }
}

async fn check(config: &Config, plugins: &Plugins, offline: bool) -> ExitCode {
    let all_well = check::run(config, plugins, offline, descriptors::shortage(config)).await;
    if all_well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

async fn dead_letters(
    command: arguments::DeadLetters,
    config: Config,
    filter: EnvFilter,
    plugins: &Plugins,
) -> ExitCode {
    start_logging(&config, filter);
    match stop_on_signals() {
        Ok(stop) => dead_letters::run(command, &config, plugins, worker_name(), &stop).await.into(),
        Err(error) => cannot_start(&error, FAILED),
    }
}

async fn feed(
    arguments: &arguments::FeedArguments,
    config: &Config,
    filter: EnvFilter,
) -> ExitCode {
    start_logging(config, filter);
    match stop_on_signals() {
        Ok(stop) => feed::run(arguments, config, worker_name(), &stop).await.into(),
        Err(error) => cannot_start(&error, FAILED),
    }
}

/// Returns the last warnings and errors, as they come.
fn start_logging(config: &Config, filter: EnvFilter) -> RecentLog {
    let recent = logging::start(config, filter);
    logging::report_panics_without_their_message();
    recent
}

fn cannot_start(error: &str, status: u8) -> ExitCode {
    tracing::error!(event = "cannot_start", error, "cannot start");
    ExitCode::from(status)
}

/// How this worker shows in RabbitMQ and in the dead letters it makes.
fn worker_name() -> String {
    let host = gethostname::gethostname();
    format!("event-pusher-sns/{} {}", env!("CARGO_PKG_VERSION"), host.to_string_lossy())
}

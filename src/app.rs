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
mod fleet;
mod load;
mod logging;
mod operators;
mod run;
mod scripts;
mod signals;
mod signing;
#[cfg(test)]
mod tests;
mod wiring;

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use self::load::{Loaded, load};
use self::run::run;
use self::signals::{end_on_signals, stop_on_signals};
use crate::cli::arguments::{self, Arguments, Command};
use crate::cli::output::{everything_is_printed, print_error, print_refusal};
use crate::cli::{
    FAILED, INVALID_CONFIGURATION, WRONG_ARGUMENTS, check, dead_letters, feed,
    fleet as fleet_command, import, partitions, try_events,
};
use crate::config::{Config, Draft, Problems};
use crate::observe::recent_log::RecentLog;
use crate::panics;
use crate::plugin::Plugins;
use crate::text::printable;

/// Runs the command that the arguments ask for.
#[must_use]
pub fn main(plugins: &Plugins) -> ExitCode {
    let status = match Arguments::try_parse() {
        Ok(arguments) => run_command(arguments, plugins),
        Err(told) => print_told(&told),
    };
    logging::finish();
    // What nobody could read is not done.
    if everything_is_printed() || status != ExitCode::SUCCESS {
        status
    } else {
        ExitCode::from(FAILED)
    }
}

/// Prints what the parser of the arguments says: the help, or what is wrong.
fn print_told(told: &clap::Error) -> ExitCode {
    let status = ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(WRONG_ARGUMENTS));
    if told.use_stderr() {
        print_refusal(told.render().ansi().to_string().trim_end());
        return status;
    }
    match told.print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_error(&format!("cannot write to standard output: {error}"));
            ExitCode::from(FAILED)
        }
        _ => status,
    }
}

fn run_command(arguments: Arguments, plugins: &Plugins) -> ExitCode {
    let has_nothing_to_finish = match &arguments.command {
        Command::Import(_) | Command::Try(_) => true,
        Command::Fleet(command) => matches!(**command, arguments::Fleet::Pausing(_)),
        _ => false,
    };
    if has_nothing_to_finish && let Err(error) = end_on_signals() {
        return cannot_begin(&error);
    }
    if let Command::Import(command) = &arguments.command {
        // It makes a configuration, so there need not be one.
        return import::run(command, plugins);
    }
    let Loaded { draft, plugins, filter } = match load(&arguments, std::env::vars_os(), plugins) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems, ""),
    };
    let (plugins, command) = (&plugins, arguments.command);
    match draft.problems() {
        Some(problems) if !matches!(command, Command::Check { .. }) => {
            let others = if matches!(command, Command::Run) {
                check::other_problems(&draft, plugins, descriptors::shortage(draft.config()))
            } else {
                String::new()
            };
            return refuse(&problems, &others);
        }
        _ => {}
    }
    // One thread: relaying is waiting, and a second one costs more than it carries.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_begin(&error.to_string()),
    };
    let config = draft.config().clone();
    // Handling an event catches its panics; one from elsewhere must not choose the status.
    let command = AssertUnwindSafe(|| match command {
        Command::Run => runtime.block_on(run(config, filter, plugins)),
        Command::Check { offline } => runtime.block_on(check(&draft, plugins, offline)),
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
        Command::Fleet(command) => runtime.block_on(command_fleet(*command, &config, filter)),
        Command::Partitions(command) => {
            runtime.block_on(command_partitions(command, &config, filter))
        }
    });
    let status = std::panic::catch_unwind(command).unwrap_or(ExitCode::from(FAILED));
    // What panics while it goes counts as well.
    drop(runtime);
    // A thread that panicked has taken something with it, whatever the others came to.
    if panics::conclude() && status == ExitCode::SUCCESS { ExitCode::from(FAILED) } else { status }
}

/// Says why the configuration is refused, and what else is amiss.
fn refuse(problems: &Problems, others: &str) -> ExitCode {
    let others = if others.is_empty() { "" } else { &format!("\n\nbesides:{others}") };
    print_refusal(&format!("{}{others}", printable(&problems.to_string(), true)));
    ExitCode::from(INVALID_CONFIGURATION)
}

fn cannot_begin(error: &str) -> ExitCode {
    print_refusal(&format!("cannot start: {error}"));
    ExitCode::from(FAILED)
}

async fn check(draft: &Draft, plugins: &Plugins, offline: bool) -> ExitCode {
    let shortage = descriptors::shortage(draft.config());
    let all_well = check::run(draft, plugins, offline, shortage).await;
    match (draft.is_valid(), all_well) {
        (false, _) => ExitCode::from(INVALID_CONFIGURATION),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(FAILED),
    }
}

async fn dead_letters(
    command: arguments::DeadLetters,
    config: Config,
    filter: EnvFilter,
    plugins: &Plugins,
) -> ExitCode {
    start_logging(&config, filter);
    match stop_on_signals() {
        Ok(stop) => {
            let who = dead_letters::Who { name: worker_name(), user: user_and_host() };
            dead_letters::run(command, &config, plugins, who, &stop).await.into()
        }
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

async fn command_fleet(command: arguments::Fleet, config: &Config, filter: EnvFilter) -> ExitCode {
    start_logging(config, filter);
    match command {
        arguments::Fleet::Status(arguments) => match stop_on_signals() {
            Ok(stop) => fleet_command::status(arguments, config, worker_name(), &stop).await.into(),
            Err(error) => cannot_start(&error, FAILED),
        },
        arguments::Fleet::Pausing(command) => {
            fleet_command::pausing(command, config, worker_name(), user_and_host()).await.into()
        }
    }
}

async fn command_partitions(
    command: arguments::Partitions,
    config: &Config,
    filter: EnvFilter,
) -> ExitCode {
    start_logging(config, filter);
    match stop_on_signals() {
        Ok(stop) => partitions::run(command, config, worker_name(), &stop).await.into(),
        Err(error) => cannot_start(&error, FAILED),
    }
}

/// Who uses the command line, as the environment says: anybody can set that.
fn user_and_host() -> String {
    let of = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(of);
    let host = gethostname::gethostname();
    format!("{}@{}", user.as_deref().unwrap_or("unknown"), host.to_string_lossy())
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

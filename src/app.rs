//! The program: arguments, environment and signals come in here and nowhere else, and
//! here it is decided with which status it exits.
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

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use futures_util::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::check;
use crate::cli::{Arguments, Command};
use crate::config::{Config, Inputs, LogFormat, Problems};
use crate::plugin::Plugins;
use crate::publisher::{self, Sns};
use crate::relay::Relay;
use crate::route::Router;
use crate::source::{Broker, DeadLetterExchange, RabbitQueue};
use crate::tally::Tally;
use crate::worker::{Stop, Worker};

const FAILED: u8 = 1;

/// `EX_CONFIG` of sysexits.h.
const INVALID_CONFIGURATION: u8 = 78;

/// Runs the command that the arguments ask for.
#[must_use]
pub fn main(plugins: &Plugins) -> ExitCode {
    let arguments = Arguments::parse();
    let config = match load(&arguments, plugins) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(INVALID_CONFIGURATION);
        }
    };
    // One thread: relaying is waiting, and a second one costs more than it carries.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    match arguments.command {
        Command::Run => runtime.block_on(run(config, plugins)),
        Command::Check { offline } => runtime.block_on(check(&config, plugins, offline)),
    }
}

fn load(arguments: &Arguments, plugins: &Plugins) -> Result<Config, Problems> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = Inputs::read(&arguments.config, Path::new("config/local.toml"), environment)?;
    Config::load(&inputs, &plugins.names().collect::<Vec<_>>())
}

async fn check(config: &Config, plugins: &Plugins, offline: bool) -> ExitCode {
    let all_well = check::run(config, plugins, offline).await;
    if all_well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

async fn run(config: Config, plugins: &Plugins) -> ExitCode {
    if let Err(error) = start_logging(&config) {
        eprintln!(
            "log.filter: {error}; use a level (info) or target=level pairs (info,lapin=warn)"
        );
        return ExitCode::from(INVALID_CONFIGURATION);
    }
    log_panics_without_their_message();
    let stop = match stop_on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::from(FAILED);
        }
    };
    let router = match Router::of(&config, plugins) {
        Ok(router) => Rc::new(router),
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::from(INVALID_CONFIGURATION);
        }
    };
    work(config, router, stop).await;
    ExitCode::SUCCESS
}

/// Puts the pieces together and works until `stop`.
async fn work(config: Config, router: Rc<Router>, stop: Stop) {
    let name = worker_name();
    tracing::info!(worker = name, sources = config.amqp.sources.len(), "starting");
    if config.topics().next().is_none() {
        tracing::warn!("no topic is set in [sns]: every event will be skipped as topic_unset");
    }
    let sns = Sns::new(&config.sns, config.topics().map(|(_, topic)| topic.clone())).await;
    let publisher = Rc::new(publisher::stack(&config.sns, &config.outage, sns));
    let sources = config.amqp.sources.clone();
    let broker = Rc::new(Broker::new(config.amqp, name));
    let dead_letters = Rc::new(DeadLetterExchange::new(Rc::clone(&broker)));
    let tally = Rc::new(Tally::default());
    let workers: Vec<_> = sources
        .into_iter()
        .map(|source| Worker {
            name: source.name.clone(),
            relay: Relay::new(source.format, Rc::clone(&router), Rc::clone(&publisher)),
            source: RabbitQueue::new(Rc::clone(&broker), source, Rc::clone(&dead_letters)),
            tally: Rc::clone(&tally),
            grace: config.shutdown.grace,
        })
        .collect();
    join_all(workers.iter().map(|worker| worker.run(stop.clone()))).await;
    tracing::info!("stopped. {}", tally.counts());
}

/// How this worker shows in RabbitMQ and in the dead letters it makes.
fn worker_name() -> String {
    let host = gethostname::gethostname();
    format!("event-pusher-sns/{} {}", env!("CARGO_PKG_VERSION"), host.to_string_lossy())
}

/// The first SIGTERM or Ctrl-C asks for a drain, the second ends the process at once.
fn stop_on_signals() -> std::io::Result<Stop> {
    let (ask, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if ask.send_replace(true) {
                tracing::warn!(
                    "told to stop twice: leaving at once; what was in flight comes again"
                );
                std::process::exit(FAILED.into());
            }
        }
    });
    Ok(stop)
}

/// A panic's message may quote the data it met; its place may not.
fn log_panics_without_their_message() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked; this is a bug in event-pusher-sns or in a plugin");
    }));
}

fn start_logging(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(&config.log.filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
        }
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}

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

mod logging;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_util::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::admin::{self, Pulse, Status, View};
use crate::check;
use crate::cli::{self, Arguments, Command};
use crate::config::{Config, Inputs, Problems};
use crate::hold::Room;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::operator::{self, End};
use crate::plugin::Plugins;
use crate::publisher::{self, Measures, Sns};
use crate::relay::Relay;
use crate::route::Router;
use crate::source::{Broker, DeadLetterExchange, RabbitQueue};
use crate::tally::Tally;
use crate::worker::{Stop, Worker};

const FAILED: u8 = 1;

/// As clap's own.
const WRONG_ARGUMENTS: u8 = 2;

const REPORT_EVERY: Duration = Duration::from_mins(1);

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
    let filter = match logging::filter(&config) {
        Ok(filter) => filter,
        Err(problem) => {
            eprintln!("{problem}");
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
    // Handling an event catches its panics; one from elsewhere must not choose the status.
    let command = AssertUnwindSafe(|| match arguments.command {
        Command::Run => runtime.block_on(run(config, filter, plugins)),
        Command::Check { offline } => runtime.block_on(check(&config, plugins, offline)),
        Command::DeadLetters(command) => {
            runtime.block_on(dead_letters(*command, config, filter, plugins))
        }
    });
    std::panic::catch_unwind(command).unwrap_or(ExitCode::from(FAILED))
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

async fn dead_letters(
    command: cli::DeadLetters,
    config: Config,
    filter: EnvFilter,
    plugins: &Plugins,
) -> ExitCode {
    logging::start(&config, filter);
    logging::report_panics_without_their_message();
    let stop = match stop_on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::from(FAILED);
        }
    };
    match operator::run(command, &config, plugins, worker_name(), &stop).await {
        End::Done => ExitCode::SUCCESS,
        End::Failed => ExitCode::from(FAILED),
        End::WrongArguments => ExitCode::from(WRONG_ARGUMENTS),
    }
}

async fn run(config: Config, filter: EnvFilter, plugins: &Plugins) -> ExitCode {
    logging::start(&config, filter);
    logging::report_panics_without_their_message();
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
    let metrics = Arc::new(Metrics::new());
    let status = match open_admin(&config, &metrics) {
        Ok(status) => status,
        Err(error) => {
            tracing::error!(error, "cannot start");
            return ExitCode::from(FAILED);
        }
    };
    // The requests to SNS and the acknowledgements run beside the workers, on the same thread.
    let beside = tokio::task::LocalSet::new();
    beside.run_until(Box::pin(work(config, router, stop, metrics, status))).await;
    ExitCode::SUCCESS
}

/// Serves the operator's side, unless it is switched off, and returns where to say how things are.
fn open_admin(config: &Config, metrics: &Arc<Metrics>) -> Result<watch::Sender<Status>, String> {
    let (say, status) = watch::channel(Status::starting());
    if let Some(address) = &config.admin.listen {
        let listener = admin::listen(address)?;
        let view = View { status, metrics: Arc::clone(metrics) };
        admin::serve(listener, view)
            .map_err(|error| format!("cannot serve admin.listen: {error}"))?;
    }
    Ok(say)
}

/// Puts the pieces together and works until `stop`.
async fn work(
    config: Config,
    router: Rc<Router>,
    stop: Stop,
    metrics: Arc<Metrics>,
    status: watch::Sender<Status>,
) {
    let name = worker_name();
    tracing::info!(worker = name, sources = config.amqp.sources.len(), "starting");
    if config.topics().next().is_none() {
        tracing::warn!("no topic is set in [sns]: every event will be skipped as topic_unset");
    }
    let sns = Sns::new(&config.sns, config.topics().map(|(_, topic)| topic.clone())).await;
    let topics: Vec<_> = config.topics().map(|(_, topic)| topic.clone()).collect();
    let measures = Measures::new(Arc::clone(&metrics), &topics);
    let publisher = Rc::new(publisher::measured_stack(&config.sns, &config.outage, sns, measures));
    let (sources, prefetch) = (config.amqp.sources.clone(), config.amqp.prefetch);
    let broker = Rc::new(Broker::new(config.amqp, name));
    let dead_letters = Rc::new(DeadLetterExchange::new(Rc::clone(&broker)));
    let tally = Rc::new(Tally::default());
    let workers: Vec<_> = sources
        .into_iter()
        .map(|source| (Rc::new(Monitor::new(&source.name, Arc::clone(&metrics))), source))
        .map(|(monitor, source)| Worker {
            name: source.name.clone(),
            relay: Relay::new(source.format, Rc::clone(&router), Rc::clone(&publisher)),
            room: Room::new(&source, prefetch, config.outage.hand_back_after),
            source: RabbitQueue::new(Rc::clone(&broker), source, Rc::clone(&dead_letters))
                .monitored(Rc::clone(&monitor)),
            tally: Rc::clone(&tally),
            monitor,
            grace: config.shutdown.grace,
        })
        .collect();
    let pulse = Pulse {
        monitors: workers.iter().map(|worker| Rc::clone(&worker.monitor)).collect(),
        publisher,
        topics,
        metrics,
        stop: stop.clone(),
        status,
    };
    let working = join_all(workers.iter().map(|worker| worker.run(stop.clone())));
    tokio::select! {
        _ = working => {}
        () = report_progress(&tally) => {}
        () = pulse.beat() => {}
    }
    dead_letters.close().await;
    tracing::info!("stopped. {}", tally.counts());
}

/// Says each minute what has come since, so that the log tells more than how it began.
async fn report_progress(tally: &Tally) {
    let mut before = tally.counts();
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        let now = tally.counts();
        if now != before {
            tracing::info!("so far: {now}");
        }
        before = now;
    }
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

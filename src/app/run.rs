//! `run`: connects the parts of the program and runs the workers until a stop.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use super::fleet::FleetThread;
use super::signals::stop_on_signals;
use super::wiring::Wiring;
use super::{FAILED, INVALID_CONFIGURATION, cannot_start, start_logging, worker_name};
use crate::admin::{self, Setup, Status};
use crate::app::descriptors;
use crate::cli::check;
use crate::config::{Config, Source};
use crate::fleet::SharedMembers;
use crate::observe::metrics::{Metrics, sum};
use crate::observe::monitor::Monitor;
use crate::observe::recent_log::RecentLog;
use crate::observe::trace::Exporter;
use crate::pipeline::worker::Stop;
use crate::plugin::{Plugins, running};
use crate::publish::{PauseGate, Publish};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::consume::{Holds, RabbitQueue};
use crate::rabbitmq::fleet::control::ControlFollower;
use crate::rabbitmq::publish::dead_letter_publisher::DeadLetterPublisher;
use crate::route::Router;
use crate::sns::Sns;

/// For the collector to take the last spans, when all else is done.
const SPANS_WITHIN: Duration = Duration::from_secs(2);

/// For what the page does with dead letters to end, when all else is done. It was told to stop when the workers were; to close a
/// connection on which many letters are coming takes seconds.
const JOBS_WITHIN: Duration = Duration::from_secs(6);

/// For the connection on which operators' commands come to close.
const CONTROL_WITHIN: Duration = Duration::from_secs(1);

/// What there is before the first connection is made.
struct Prepared {
    router: Rc<Router>,
    stop: Stop,
    metrics: Arc<Metrics>,
    /// Where to say how things are.
    status: watch::Sender<Status>,
    /// Whether the page does something with dead letters.
    jobs: watch::Receiver<bool>,
    /// The workers of its fleet, unless `fleet.view` is off.
    members: Option<SharedMembers>,
    exporter: Option<Exporter>,
}

pub(super) async fn run(mut config: Config, filter: EnvFilter, plugins: &Plugins) -> ExitCode {
    let log = start_logging(&config, filter);
    let prepared = match prepare(&mut config, plugins, log) {
        Ok(prepared) => prepared,
        Err((error, status)) => return cannot_start(&error, status),
    };
    // The requests to SNS and the acknowledgements run beside the workers, on the same thread.
    LocalSet::new().run_until(Box::pin(run_workers(config, prepared))).await;
    ExitCode::SUCCESS
}

/// What is wrong goes with the status that says so. Signals are heard first, so that a stop while it starts
/// is one in order, too.
fn prepare(
    config: &mut Config,
    plugins: &Plugins,
    log: RecentLog,
) -> Result<Prepared, (String, u8)> {
    let failed = |error| (error, FAILED);
    let stop = stop_on_signals().map_err(failed)?;
    let share = descriptors::reserve(config).map_err(failed)?;
    config.sns.pool_size = share.requests;
    let config = &*config;
    let router =
        config.router(plugins).map_err(|error| (error.to_string(), INVALID_CONFIGURATION))?;
    for remark in check::remarks(config, plugins).filter(|it| it.is_fault) {
        tracing::warn!(event = "plugin_sample_failed", %remark, "plugin fails on a sample event; `check` shows all findings");
    }
    let metrics = Arc::new(Metrics::new());
    let members = config.fleet.view.then(|| SharedMembers::new(&config.fleet.name));
    let shown = Shown { metrics: &metrics, log, members: members.clone() };
    let (status, jobs) =
        start_admin(config, plugins, shown, &stop, share.admin_connections).map_err(failed)?;
    let exporter = open_exporter(config, &metrics).map_err(failed)?;
    Ok(Prepared { router: Rc::new(router), stop, metrics, status, jobs, members, exporter })
}

/// What the page shows besides the status.
struct Shown<'a> {
    metrics: &'a Arc<Metrics>,
    log: RecentLog,
    members: Option<SharedMembers>,
}

/// Serves the operator's side, unless it is switched off. Returns where to say how things are, and whether the page is at work.
fn start_admin(
    config: &Config,
    plugins: &Plugins,
    Shown { metrics, log, members }: Shown<'_>,
    stop: &Stop,
    connections: usize,
) -> Result<(watch::Sender<Status>, watch::Receiver<bool>), String> {
    let (status_sender, status) = watch::channel(Status::starting());
    let (busy, jobs) = watch::channel(false);
    if config.admin.token_is_short() {
        tracing::warn!(event = "token_too_short", "{}", check::SHORT_TOKEN);
    }
    for operator in config.admin.short_tokens() {
        tracing::warn!(event = "token_too_short", operator, "{}", check::SHORT_TOKEN);
    }
    // Two addresses share the open files there are for connections to them.
    let connections =
        if config.admin.health_listen.is_some() { connections / 2 } else { connections };
    if let Some(address) = &config.admin.health_listen {
        let listener = admin::listen_for_probes(address)?;
        admin::serve_probes(listener, status.clone(), Arc::clone(metrics), connections)
            .map_err(|error| format!("cannot serve admin.health_listen: {error}"))?;
    }
    if let Some(address) = &config.admin.listen {
        let listener = admin::listen(address, &config.admin)?;
        let setup = Setup {
            status,
            metrics: Arc::clone(metrics),
            log,
            config: config.clone(),
            router: config.router(plugins).map_err(|error| error.to_string())?,
            name: worker_name(),
            fleet: members,
            stop: stop.clone(),
            busy,
            connections,
        };
        admin::serve(listener, setup)
            .map_err(|error| format!("cannot serve admin.listen: {error}"))?;
    }
    Ok((status_sender, jobs))
}

/// Exports spans, if that is configured.
fn open_exporter(config: &Config, metrics: &Arc<Metrics>) -> Result<Option<Exporter>, String> {
    let Some(endpoint) = &config.trace.endpoint else { return Ok(None) };
    let host = gethostname::gethostname();
    Exporter::start(endpoint, &host.to_string_lossy(), Arc::clone(metrics)).map(Some)
}

/// Says which topics are unset though they may have been meant to be set.
fn warn_of_topics(config: &Config) {
    if config.topics().next().is_none() {
        tracing::warn!(
            event = "no_topics",
            "no topic is set, and every source has discard = true: every event will be skipped as topic_unset"
        );
    }
    for emptied in &config.emptied_topics {
        tracing::warn!(event = "topic_emptied", key = %emptied.key, "{emptied}");
    }
}

/// Follows what operators pause, if that is configured, on a task of its own. Returns how to end it, too.
fn follow_commands<P: Publish + 'static>(
    config: &Config,
    broker: &Rc<Broker>,
    pauses: Rc<PauseGate>,
    wiring: &Wiring<P>,
) -> (Option<JoinHandle<()>>, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    if !config.fleet.pause {
        return (None, stop);
    }
    pauses.expect();
    let (broker, incidents) = (Rc::clone(broker), Rc::clone(&wiring.incidents));
    let (fleet, metrics) = (config.fleet.clone(), Arc::clone(&wiring.metrics));
    let follower = ControlFollower { broker, fleet, pauses, incidents, metrics };
    let following = tokio::task::spawn_local(async move { follower.run(stopped).await });
    (Some(following), stop)
}

async fn run_workers(config: Config, prepared: Prepared) {
    let Prepared { router, stop, metrics, status, mut jobs, members, exporter } = prepared;
    running::watch_this_thread();
    let name = worker_name();
    let sources = config.amqp.sources.len();
    tracing::info!(event = "starting", worker = name, sources, "worker starting");
    warn_of_topics(&config);
    let broker = Rc::new(Broker::new(config.amqp.clone(), name));
    let sns = Sns::new(&config.sns, config.topics().map(|(_, topic)| topic.clone())).await;
    let spans = exporter.as_ref().map(Exporter::spans);
    let pauses = Rc::<PauseGate>::default();
    let gate = Rc::clone(&pauses);
    let wiring = Wiring::new(&config, router, Arc::clone(&metrics), spans, sns, pauses);
    let (control, stop_control) = follow_commands(&config, &broker, gate, &wiring);
    let dead_letters = DeadLetterPublisher::new(Rc::clone(&broker));
    let dead_letters = Rc::new(dead_letters.announcing(Rc::clone(&wiring.incidents)));
    let is_first = Cell::new(true);
    let publisher = Rc::clone(&wiring.publisher);
    let holds = Holds::new(move || !publisher.open_circuits().is_empty());
    let queue = |source: &Source, monitor: &Rc<Monitor>| {
        let letters = Rc::clone(&dead_letters);
        let queue = RabbitQueue::new(Rc::clone(&broker), source.clone(), letters);
        let queue = if is_first.replace(false) { queue.judging_dead_letters() } else { queue };
        queue.monitored(Rc::clone(monitor)).into_lanes(holds.clone())
    };
    let fleet = FleetThread::start(&config, members, status.subscribe(), Arc::clone(&metrics));
    wiring.run(&config, queue, stop, status).await;
    if let Some(fleet) = fleet {
        fleet.leave().await;
    }
    stop_control.send_replace(true);
    dead_letters.close().await;
    if let Some(control) = control {
        let _ = timeout(CONTROL_WITHIN, control).await;
    }
    // Without a page there is nobody who could be busy.
    let _ = timeout(JOBS_WITHIN, jobs.wait_for(|busy| !busy)).await;
    if let Some(exporter) = exporter {
        exporter.close(SPANS_WITHIN).await;
    }
    let totals = metrics.reading().totals();
    tracing::info!(
        event = "stopped",
        received = totals.received,
        published = totals.published,
        skipped = sum(&totals.skipped),
        dead_lettered = sum(&totals.dead_lettered),
        handed_back = totals.handed_back,
        reasons = totals.reasons(),
        "worker stopped. {totals}"
    );
}

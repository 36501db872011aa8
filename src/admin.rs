//! Serves health, readiness, metrics and the operator's page over HTTP.
//!
//! The server runs on a thread of its own, so that it can detect that the workers' thread is blocked. The workers' thread only
//! publishes its status every [`status_publisher::STATUS_EVERY`].

mod client;
mod connection_slots;
mod health;
mod own_report;
mod page;
mod paused;
mod server;
mod status_publisher;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;

pub(crate) use self::health::Status;
pub(crate) use self::own_report::OwnReports;
use self::page::Page;
pub(crate) use self::status_publisher::StatusPublisher;
use crate::config::{Admin, Config};
use crate::dead_letters::Stop;
use crate::fleet::SharedMembers;
use crate::observe::metrics::Metrics;
use crate::observe::recent_log::RecentLog;
use crate::route::Router as Routes;

/// What the endpoints look at.
#[derive(Debug, Clone)]
struct View {
    status: watch::Receiver<Status>,
    metrics: Arc<Metrics>,
}

/// All that is served from.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) metrics: Arc<Metrics>,
    /// The last warnings and errors of the log.
    pub(crate) log: RecentLog,
    pub(crate) config: Config,
    /// Tells what a dead letter would become.
    pub(crate) router: Routes,
    /// How this worker shows in RabbitMQ.
    pub(crate) name: String,
    /// The workers of its fleet; `None` with `fleet.view = false`.
    pub(crate) fleet: Option<SharedMembers>,
    /// The worker's.
    pub(crate) stop: Stop,
    /// Whether the page reads or replays dead letters, which ends in order after a stop.
    pub(crate) busy: watch::Sender<bool>,
    /// Connections at once.
    pub(crate) connections: usize,
}

/// Takes the address for probes alone, and says so.
///
/// # Errors
///
/// In words for the operator.
pub(crate) fn listen_for_probes(address: &str) -> Result<TcpListener, String> {
    let (at, listener) = bind("admin.health_listen", address)?;
    tracing::info!(event = "health_listening", %at, paths = "/livez /readyz /metrics", "probes are served at an address of their own");
    Ok(listener)
}

fn bind(key: &str, address: &str) -> Result<(SocketAddr, TcpListener), String> {
    let taken = TcpListener::bind(address).and_then(|it| Ok((it.local_addr()?, it)));
    taken.map_err(|error| refusal(key, address, &error))
}

/// Takes the address and says so.
///
/// # Errors
///
/// In words for the operator.
pub(crate) fn listen(address: &str, admin: &Admin) -> Result<TcpListener, String> {
    let (at, listener) = bind("admin.listen", address)?;
    let paths = "/ /livez /readyz /metrics";
    if at.ip().is_loopback() {
        tracing::info!(event = "admin_listening", %at, paths, "page, health and metrics are served");
    } else {
        let (token, page) = match admin.usable_tokens().next() {
            Some(_) => ("set", "the page shows and replays dead letters only with admin.token"),
            None if admin.token_is_short() => (
                "too_short",
                "the page shows no dead letters and can't replay them, since admin.token is too short",
            ),
            None => (
                "unset",
                "the page shows no dead letters and can't replay them, since admin.token is not set",
            ),
        };
        tracing::warn!(
            event = "open_to_network",
            %at,
            paths,
            token,
            "health and metrics are open to the network: everyone who can connect to this address can read them without a password; \
             {page}; keep the address inside, or set admin.listen to \"127.0.0.1:{}\"",
            at.port()
        );
    }
    Ok(listener)
}

fn refusal(key: &str, address: &str, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, perhaps another worker, listens there: give each an address of its own, or set an empty address to disable this one"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own addresses"
        }
        io::ErrorKind::PermissionDenied => "choose a port of 1024 or more",
        _ => "give a host and port of this machine, such as \"127.0.0.1:9464\"",
    };
    format!("{key} = \"{address}\": cannot listen there: {error}; {remedy}")
}

/// Serves from now on until the process ends.
///
/// # Errors
///
/// If the machine has no thread left.
pub(crate) fn serve(listener: TcpListener, setup: Setup) -> io::Result<SocketAddr> {
    let at = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serving = move || {
        // What looks after the dead letters stays on this thread.
        let beside = tokio::task::LocalSet::new();
        beside.block_on(&runtime, async {
            let view = View { status: setup.status.clone(), metrics: Arc::clone(&setup.metrics) };
            let connections = setup.connections;
            let status = setup.status.clone();
            let (page, working) = Page::new(setup);
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let is_logged_in = page::is_logged_in(&page);
                    let router = router(view, page);
                    tokio::join!(
                        server::serve(&listener, &router, &is_logged_in, connections),
                        working,
                        watch_for_standstill(status)
                    );
                }
                Err(error) => tracing::error!(event = "admin_failed", %error, "cannot serve health and metrics"),
            }
        });
    };
    std::thread::Builder::new().name("admin".to_owned()).spawn(serving)?;
    Ok(at)
}

/// Says in the log, once for each time, that the workers' thread got stuck: that thread can't.
async fn watch_for_standstill(status: watch::Receiver<Status>) {
    let mut was_stuck = false;
    loop {
        let stuck = status.borrow().stuck();
        if let Some(problem) = stuck.as_ref().filter(|_| !was_stuck) {
            let error = problem.error.as_deref().unwrap_or("the event loop does not run any more");
            tracing::error!(event = "loop_stuck", since = %problem.since, error, what_to_do = %problem.what_to_do, "event loop stuck");
        }
        was_stuck = stuck.is_some();
        tokio::time::sleep(status_publisher::STATUS_EVERY).await;
    }
}

/// Serves probes alone, from a thread of its own: nothing that the page does keeps one waiting.
///
/// # Errors
///
/// If the machine has no thread left.
pub(crate) fn serve_probes(
    listener: TcpListener,
    status: watch::Receiver<Status>,
    metrics: Arc<Metrics>,
    connections: usize,
) -> io::Result<SocketAddr> {
    let at = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serving = move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let router = health(View { status, metrics }).fallback(async || {
                        let there = "not found; the paths are /livez, /readyz and /metrics\n";
                        (StatusCode::NOT_FOUND, there)
                    });
                    let nobody: server::IsLoggedIn = Arc::new(|_, _| false);
                    server::serve(&listener, &server::guarded(router), &nobody, connections).await;
                }
                Err(error) => {
                    tracing::error!(event = "health_failed", %error, "cannot serve probes");
                }
            }
        });
    };
    std::thread::Builder::new().name("probes".to_owned()).spawn(serving)?;
    Ok(at)
}

fn health(view: View) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(view)
}

fn router(view: View, page: Arc<Page>) -> Router {
    let router = health(view).merge(page::router(page)).fallback(async || {
        let there = "not found; the paths are /, /livez, /readyz and /metrics\n";
        (StatusCode::NOT_FOUND, there)
    });
    server::guarded(router)
}

async fn live(State(view): State<View>) -> Response {
    let live = view.status.borrow().live();
    json(live.live, &live)
}

async fn ready(State(view): State<View>) -> Response {
    let ready = view.status.borrow().ready();
    json(ready.ready, &ready)
}

async fn metrics(State(view): State<View>) -> Response {
    match view.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn json(good: bool, body: &impl Serialize) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string_pretty(body) {
        Ok(text) => {
            (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

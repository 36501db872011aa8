//! The operator's page: the current state, and the dead letters.
//!
//! The page reads counters that any thread may read, and a copy of the workers' state. Its jobs on dead letters use
//! a connection of their own, on this thread. The workers' thread is not involved.

mod access;
mod api;
mod assets;
mod attempts;
mod dead_letter_jobs;
mod figures;
mod fleet;
mod headline;
mod incident;
mod letters;
mod parse;
mod parsed_request;
mod pausing;
mod point;
mod runbook;
mod section;
mod session;
mod snapshot;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use self::access::{AccessControl, Principal};
use self::dead_letter_jobs::{DeadLetterJobs, OperatorContext};
use self::figures::History;
use self::parsed_request::{ParsedRequest, body, refused};
use self::snapshot::{About, Snapshots};
use super::{Setup, Status, server};
use crate::fleet::SharedMembers;
use crate::limits;
use crate::observe::metrics::Metrics;
use crate::observe::recent_log::RecentLog;

/// What a look at very many dead letters may take.
const LONG_ANSWER: Duration = Duration::from_mins(2);

/// Everything that the page's answers are made from.
#[derive(Debug)]
pub(super) struct Page {
    access: AccessControl,
    about: About,
    status: watch::Receiver<Status>,
    metrics: Arc<Metrics>,
    log: RecentLog,
    history: Mutex<History>,
    /// The workers of its fleet, where they are looked at.
    fleet: Option<SharedMembers>,
    jobs: DeadLetterJobs,
    commands: pausing::Commands,
    /// The last update, ready to be sent.
    snapshots: watch::Sender<Snapshots>,
    /// Open streams.
    watchers: watch::Sender<Watchers>,
}

/// Open streams, of those who have not logged in and of those who have.
#[derive(Debug, Clone, Copy, Default)]
struct Watchers {
    anonymous: usize,
    trusted: usize,
}

impl Watchers {
    const fn are_any(self) -> bool {
        self.anonymous + self.trusted > 0
    }
}

impl Page {
    /// Who changes something, and what the request's body says.
    async fn writer<T: DeserializeOwned>(
        &self,
        request: &ParsedRequest,
        sent: &[u8],
    ) -> Result<(Principal, T), Box<Response>> {
        let refuse = |refusal| Box::new(refused(&refusal));
        let who = self.access.writer(&request.headers, request.peer()).await.map_err(refuse)?;
        Ok((who, body(&request.headers, sent)?))
    }

    /// The page, and who works for it: to be polled beside the server.
    pub(super) fn new(setup: Setup) -> (Arc<Self>, impl Future<Output = ()>) {
        let watchers = watch::Sender::new(Watchers::default());
        let about = About::new(&setup.config, &setup.name);
        let access = AccessControl::new(&setup.config.admin);
        let commands = pausing::Commands::new(&setup.config, &setup.name);
        let fleet = setup.fleet.clone();
        let context = OperatorContext::new(setup.config, setup.router, setup.name, fleet);
        let watching = watchers.subscribe();
        let (jobs, running_jobs) = DeadLetterJobs::new(context, watching, setup.stop, setup.busy);
        let page = Arc::new(Self {
            access,
            about,
            status: setup.status,
            metrics: setup.metrics,
            log: setup.log,
            history: Mutex::default(),
            fleet: setup.fleet,
            jobs,
            commands,
            snapshots: watch::Sender::default(),
            watchers,
        });
        let reading = Arc::clone(&page).read_on();
        let working = async { tokio::join!(running_jobs, reading) };
        (page, async {
            let ((), ()) = working.await;
        })
    }

    /// Reads the counters, and makes updates while somebody watches.
    async fn read_on(self: Arc<Self>) {
        let mut ticks = interval(figures::EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.history().add(self.metrics.reading()),
                // What it has done shows at once.
                () = self.jobs.end_of_a_job() => {}
            }
            if self.watchers.borrow().are_any() {
                self.snapshots.send_replace(self.snapshots());
            }
        }
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who has logged in, by the head of a request.
pub(super) fn is_logged_in(page: &Arc<Page>) -> server::IsLoggedIn {
    let page = Arc::clone(page);
    Arc::new(move |headers, peer| page.access.is_logged_in(headers, peer))
}

pub(super) fn router(page: Arc<Page>) -> axum::Router {
    let guard = from_fn_with_state(Arc::clone(&page), guard);
    axum::Router::new()
        .route("/", get(assets::index))
        .route("/page.css", get(assets::style))
        .route("/page.js", get(assets::script))
        .route("/letters.js", get(assets::letters))
        .route("/letter.js", get(assets::letter))
        .route("/orders.js", get(assets::orders))
        .route("/pauses.js", get(assets::pauses))
        .route("/filter.js", get(assets::filter))
        .route("/log.js", get(assets::log))
        .route("/fleet.js", get(assets::fleet))
        .route("/chart.js", get(assets::chart))
        .route("/dom.js", get(assets::dom))
        .route("/icon.svg", get(assets::icon))
        .route("/runbook", get(runbook::page))
        .route("/api/about", get(api::about))
        .route("/api/status", get(api::status))
        .route("/api/log", get(api::log))
        .route("/api/pause", post(pausing::pause))
        .route("/api/resume", post(pausing::resume))
        .route("/api/stream", get(stream::stream))
        .route("/api/login", post(api::log_in))
        .route("/api/logout", post(api::log_out))
        .route("/api/dead-letters", get(letters::groups))
        .route("/api/dead-letters/each", get(letters::list))
        .route("/api/dead-letters/plan", get(letters::plan))
        .route("/api/dead-letters/letter/{id}", get(letters::one))
        .route("/api/dead-letters/export", get(letters::export))
        .route("/api/dead-letters/discard", post(letters::discard))
        .route("/api/dead-letters/replay", post(letters::replay))
        .route("/api/dead-letters/replay/stop", post(letters::stop))
        .layer(guard)
        .with_state(page)
}

/// What a browser may make of the page: nothing but what comes from here, and in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let checked =
        page.access.check_host(uri, headers).and_then(|()| AccessControl::check_site(uri, headers));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => parsed_request::refused(&refusal),
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

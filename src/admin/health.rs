//! Liveness and readiness, with the advice for each problem.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::paused::PausedNow;
use crate::observe::monitor::{Sorting, SourceObservation, State};
use crate::observe::recent::RecentError;
use crate::outcome::Circuit;
use crate::plugin::running;
use crate::publish::hold::OpenCircuit;

/// The workers' thread turns many times a second; when it has not for so long, it is stuck, and only a
/// restart helps.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The state of a source that waits with no consumer, and the reason of one that waits for the service.
const WAITING: &str = "waiting";

/// What the workers' thread was seen to do last.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(super) at: Instant,
    pub(super) clock: Timestamp,
    pub(super) stopping_since: Option<Timestamp>,
    pub(super) sources: Vec<SourceObservation>,
    pub(super) holds: Vec<OpenCircuit>,
    pub(super) paused: Vec<PausedNow>,
    pub(super) errors: Vec<RecentError>,
}

/// The answer of `/livez`.
#[derive(Debug, Serialize)]
pub(super) struct Liveness {
    pub(super) live: bool,
    problems: Vec<Problem>,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    pub(super) problems: Vec<Problem>,
    pub(super) sources: Vec<SourceStatus>,
    pub(super) held: Vec<HeldNow>,
    /// By operators: with these the worker stays ready.
    pub(super) paused: Vec<PausedNow>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Problem {
    pub(super) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    pub(super) since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) what_to_do: String,
}

/// A source's state, as `/readyz` gives it.
#[derive(Debug, Serialize)]
pub(super) struct SourceStatus {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broker: Option<String>,
    /// Which promise is weaker on that broker.
    #[serde(skip)]
    pub(super) caveats: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct HeldNow {
    pub(super) scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<String>,
    pub(super) since: Timestamp,
    pub(super) waiting: usize,
    pub(super) next_probe_seconds: f64,
    pub(super) error: String,
    pub(super) what_to_do: &'static str,
}

impl Status {
    /// Before anything is seen.
    pub(crate) fn starting() -> Self {
        Self {
            at: Instant::now(),
            clock: Timestamp::now(),
            stopping_since: None,
            sources: Vec::new(),
            holds: Vec::new(),
            paused: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(super) fn live(&self) -> Liveness {
        let problems: Vec<_> = self.stuck().into_iter().collect();
        Liveness { live: problems.is_empty(), problems }
    }

    /// Ready is who is connected, consumes, and is not held as a whole. A held topic is named: other topics flow,
    /// unless their source waits for it.
    pub(super) fn ready(&self) -> Readiness {
        let stopping = self.stopping_since.map(|since| Problem {
            reason: "stopping",
            source: None,
            since,
            error: None,
            what_to_do: "no action is needed: the worker was told to stop, and finishes the events in flight".to_owned(),
        });
        let starting = self.sources.is_empty().then(|| Problem {
            reason: "starting",
            source: None,
            since: self.clock,
            error: None,
            what_to_do: "wait a few seconds: the worker is starting".to_owned(),
        });
        let held =
            self.holds.iter().filter(|hold| hold.circuit == Circuit::Service).map(|hold| Problem {
                reason: "service_held",
                source: None,
                since: hold.since,
                error: Some(hold.fault.to_string()),
                what_to_do: hold.advice.to_owned(),
            });
        let problems: Vec<_> = self
            .stuck()
            .into_iter()
            .chain(stopping)
            .chain(starting)
            .chain(held)
            .chain(self.sources.iter().filter_map(idle))
            .chain(self.sources.iter().filter_map(cannot_sort))
            .collect();
        Readiness {
            ready: problems.is_empty(),
            problems,
            sources: self.sources.iter().map(SourceStatus::from).collect(),
            held: self.holds.iter().map(HeldNow::from).collect(),
            paused: self.paused.clone(),
        }
    }

    /// That the workers' thread does not turn any more; a plugin that it is in is named.
    pub(super) fn stuck(&self) -> Option<Problem> {
        if self.at.elapsed() < STUCK_AFTER {
            return None;
        }
        let plugin = running::name();
        let what_to_do = match &plugin {
            Some(name) => format!(
                "restart the worker, which loses no event; then correct the plugin `{name}`: it does not return from a call, \
                 and the worker waits for it. A plugin must neither block nor compute for long"
            ),
            None => {
                "restart the worker, which loses no event: its event loop does not run any more"
                    .to_owned()
            }
        };
        let error = plugin.map(|name| format!("the plugin `{name}` does not return"));
        Some(Problem { reason: "stuck", source: None, since: self.clock, error, what_to_do })
    }
}

/// Why a source that ought to consume does not.
fn idle(seen: &SourceObservation) -> Option<Problem> {
    let (reason, error, what_to_do) = match &seen.state {
        State::Consuming
        | State::Standby
        | State::Paused
        | State::NoTopic
        | State::Waiting(Circuit::Topic(_)) => return None,
        State::Connecting => {
            ("connecting", None, "wait a few seconds: the worker is connecting to RabbitMQ")
        }
        State::Disconnected(error) => (
            "disconnected",
            Some(error.to_string()),
            "correct what the error says; the worker keeps trying to connect by itself",
        ),
        State::Waiting(Circuit::Service) => (
            WAITING,
            None,
            "do what is said for the held service; the source's events are back in its queue, and it consumes them by \
             itself when SNS accepts events again",
        ),
    };
    Some(Problem {
        reason,
        source: Some(seen.source.clone()),
        since: seen.since,
        error,
        what_to_do: what_to_do.to_owned(),
    })
}

/// Why events of a source that this worker sorts do not come to their partitions.
fn cannot_sort(seen: &SourceObservation) -> Option<Problem> {
    let Some(Sorting::Fails(error, since)) = &seen.sorting else { return None };
    Some(Problem {
        reason: "cannot_sort",
        source: Some(seen.source.clone()),
        since: *since,
        error: Some(error.to_string()),
        what_to_do: "correct what the error says; the events wait in the source's queue, in their order, and the worker tries again each \
                     second"
            .to_owned(),
    })
}

impl SourceStatus {
    /// Whether it handed its deliveries back and consumes nothing.
    pub(super) fn is_waiting(&self) -> bool {
        self.state == WAITING
    }

    /// Whether it has a consumer, active or not.
    pub(super) fn is_connected(&self) -> bool {
        self.state == State::Consuming.label() || self.is_standby()
    }

    /// Whether another worker is the single active consumer of its queue.
    pub(super) fn is_standby(&self) -> bool {
        self.state == State::Standby.label()
    }

    /// Whether it is not consumed, since no topic is set for what it carries.
    pub(super) fn has_no_topic(&self) -> bool {
        self.state == State::NoTopic.label()
    }
}

impl From<&SourceObservation> for SourceStatus {
    fn from(seen: &SourceObservation) -> Self {
        let broker = seen.broker.as_deref();
        Self {
            name: seen.source.clone(),
            state: seen.state.label(),
            since: seen.since,
            broker: broker.map(|it| it.name.clone()),
            caveats: broker.map(|it| it.caveats.clone()).unwrap_or_default(),
        }
    }
}

impl From<&OpenCircuit> for HeldNow {
    fn from(hold: &OpenCircuit) -> Self {
        let topic = match &hold.circuit {
            Circuit::Service => None,
            Circuit::Topic(topic) => Some(topic.to_string()),
        };
        Self {
            scope: hold.circuit.scope().label(),
            topic,
            since: hold.since,
            waiting: hold.waiting,
            next_probe_seconds: hold.next_probe.as_secs_f64(),
            error: hold.fault.to_string(),
            what_to_do: hold.advice,
        }
    }
}

//! The API for pausing and resuming from the page, for clients with a session or a token.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::Page;
use super::access::Principal;
use super::parsed_request::{ParsedRequest, answer, body, failed, refused};
use crate::config::{Config, Fleet};
use crate::dead_letters::argument_parsers::duration;
use crate::fleet::pauses::{Command, Operator, Order, Target, Via};
use crate::limits::{LONGEST_OPERATOR, LONGEST_PAUSE_OF_A_FLEET, LONGEST_REASON, MOST_PAUSES};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::control;
use crate::untrusted::one_line;

/// To connect, and for RabbitMQ to confirm.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// Sends commands to all workers, on a connection of its own for each.
#[derive(Debug)]
pub(super) struct Commands {
    broker: Broker,
    fleet: Fleet,
    targets: Vec<Target>,
}

impl Commands {
    pub(super) fn new(config: &Config, name: &str) -> Self {
        let topics = config.topics().map(|(_, it)| Target::Topic(it.to_string()));
        let sources = config.amqp.sources.iter().map(|it| Target::Source(it.name.clone()));
        Self {
            broker: Broker::new(config.amqp.clone(), name.to_owned()),
            fleet: config.fleet.clone(),
            targets: [Target::Everything].into_iter().chain(sources).chain(topics).collect(),
        }
    }

    async fn send(&self, who: &Principal, order: Order) -> Result<(), Response> {
        if !self.fleet.pause {
            let why = "fleet.pause = false in the configuration, so the workers can't be paused";
            return Err(failed(StatusCode::CONFLICT, why));
        }
        let name = one_line(who.operator(), LONGEST_OPERATOR);
        let by = Operator { name, via: Via::Page };
        let command = Command::new(&self.fleet.name, by, order, Timestamp::now());
        let sent = control::send(&self.broker, &self.fleet, &command).await;
        sent.map_err(|error| failed(StatusCode::BAD_GATEWAY, &error.to_string()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    scope: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "for")]
    length: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeBody {
    scope: String,
    #[serde(default)]
    name: String,
}

impl PauseBody {
    /// With its end.
    fn order(&self, target: Target) -> Result<Order, String> {
        let length = SignedDuration::try_from(duration(&self.length)?).unwrap_or_default();
        if length < SignedDuration::from_secs(1) || length > LONGEST_PAUSE_OF_A_FLEET {
            return Err("a pause lasts from one second to seven days".to_owned());
        }
        let reason = one_line(&self.reason, LONGEST_REASON);
        if reason.is_empty() {
            return Err("give a reason, for the other operators".to_owned());
        }
        Ok(Order::Pause { target, until: Timestamp::now() + length, reason })
    }
}

pub(super) async fn pause(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    let who = match page.access.writer(&request.headers, request.peer()).await {
        Ok(who) => who,
        Err(refusal) => return refused(&refusal),
    };
    let wanted: PauseBody = match body(&request.headers, &sent) {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let target = match page.target(&wanted.scope, &wanted.name, false) {
        Ok(target) => target,
        Err(response) => return *response,
    };
    let order = match wanted.order(target.clone()) {
        Ok(it) => it,
        Err(wrong) => return failed(StatusCode::BAD_REQUEST, &wrong),
    };
    request.client.may_stay(LONG_ANSWER);
    if let Err(response) = page.commands.send(&who, order).await {
        return response;
    }
    let (peer, length) = (request.peer(), &wanted.length);
    tracing::warn!(event = "page_paused", %peer, by = %who, what = %target, length, "paused from the page");
    answer(&json!({}))
}

pub(super) async fn resume(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    let who = match page.access.writer(&request.headers, request.peer()).await {
        Ok(who) => who,
        Err(refusal) => return refused(&refusal),
    };
    let wanted: ResumeBody = match body(&request.headers, &sent) {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let target = match page.target(&wanted.scope, &wanted.name, true) {
        Ok(target) => target,
        Err(response) => return *response,
    };
    request.client.may_stay(LONG_ANSWER);
    if let Err(response) = page.commands.send(&who, Order::Resume(target.clone())).await {
        return response;
    }
    let peer = request.peer();
    tracing::warn!(event = "page_resumed", %peer, by = %who, what = %target, "resumed from the page");
    answer(&json!({}))
}

impl Page {
    /// A topic or source of the configuration, or, to be resumed, one that is paused.
    fn target(&self, scope: &str, name: &str, is_paused: bool) -> Result<Target, Box<Response>> {
        let refused = |status, why| Box::new(failed(status, why));
        let there = "there is no such topic or source";
        let target =
            Target::of(scope, name).ok_or_else(|| refused(StatusCode::BAD_REQUEST, there))?;
        let status = self.status.borrow();
        let mut paused = status.paused.iter().map(|it| Target::of(it.scope, &it.name));
        let runs = paused.any(|it| it.as_ref() == Some(&target));
        let may_be = self.commands.targets.contains(&target) || (is_paused && runs);
        if !may_be {
            return Err(refused(StatusCode::NOT_FOUND, there));
        }
        if !is_paused && !runs && status.paused.len() >= MOST_PAUSES {
            let why = "as many pauses run as can: resume one, or pause a source or everything";
            return Err(refused(StatusCode::CONFLICT, why));
        }
        Ok(target)
    }
}

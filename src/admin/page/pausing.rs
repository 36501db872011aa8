//! The API for pausing and resuming from the page, for clients with a session or a token.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Page;
use super::access::Principal;
use super::parsed_request::{ParsedRequest, answer, failed};
use crate::config::{Config, Fleet};
use crate::dead_letters::argument_parsers::duration;
use crate::fleet::pauses::{Command, Operator, Order, Target, Via, length_of_pause};
use crate::limits::{LONGEST_REASON, MOST_PAUSES};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::control;
use crate::untrusted::one_line;

/// To connect, and for RabbitMQ to confirm.
const UNTIL_CONFIRMED: Duration = Duration::from_mins(1);

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
        let by = Operator::new(who.operator(), Via::Page);
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
        let length = length_of_pause(duration(&self.length)?)?;
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
    page.pause(&request, &sent).await.unwrap_or_else(|refusal| *refusal)
}

pub(super) async fn resume(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    page.resume(&request, &sent).await.unwrap_or_else(|refusal| *refusal)
}

impl Page {
    async fn pause(
        &self,
        request: &ParsedRequest,
        sent: &Bytes,
    ) -> Result<Response, Box<Response>> {
        let (who, wanted): (_, PauseBody) = self.writer(request, sent).await?;
        let target = self.target(&wanted.scope, &wanted.name, false)?;
        let wrong = |wrong: String| Box::new(failed(StatusCode::BAD_REQUEST, &wrong));
        let order = wanted.order(target.clone()).map_err(wrong)?;
        self.send_command(request, &who, order).await?;
        let (peer, length) = (request.peer(), &wanted.length);
        tracing::warn!(event = "page_paused", %peer, by = %who, what = %target, length, "paused from the page");
        Ok(answer(&json!({})))
    }

    async fn resume(
        &self,
        request: &ParsedRequest,
        sent: &Bytes,
    ) -> Result<Response, Box<Response>> {
        let (who, wanted): (_, ResumeBody) = self.writer(request, sent).await?;
        let target = self.target(&wanted.scope, &wanted.name, true)?;
        self.send_command(request, &who, Order::Resume(target.clone())).await?;
        let peer = request.peer();
        tracing::warn!(event = "page_resumed", %peer, by = %who, what = %target, "resumed from the page");
        Ok(answer(&json!({})))
    }

    async fn send_command(
        &self,
        request: &ParsedRequest,
        who: &Principal,
        order: Order,
    ) -> Result<(), Box<Response>> {
        request.client.may_stay(UNTIL_CONFIRMED);
        self.commands.send(who, order).await.map_err(Box::new)
    }

    /// A topic or source of the configuration, or, to be resumed, one that is paused.
    fn target(&self, scope: &str, name: &str, is_paused: bool) -> Result<Target, Box<Response>> {
        let refused = |status, why| Box::new(failed(status, why));
        let there = "there is no such topic or source";
        let target =
            Target::of(scope, name).ok_or_else(|| refused(StatusCode::BAD_REQUEST, there))?;
        let status = self.status.borrow();
        let runs = status.paused.iter().any(|it| it.pause.target == target);
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

//! The API for dead letters, for clients with a session or the token.

mod discard;
mod export;
mod filter;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use serde_json::{Value as Json, json};

pub(super) use self::discard::discard;
pub(super) use self::export::export;
use self::filter::{FilterBody, filter};
use super::access::Principal;
use super::dead_letter_jobs::{JobError, OperatorContext, ReplayRequest};
use super::parsed_request::{ParsedRequest, answer, failed, refused};
use super::{LONG_ANSWER, Page};
use crate::dead_letters::argument_parsers::replay_rate;
use crate::dead_letters::{
    Filter, FoundAsJson, Letter, Rate, Replay, Summary, Watching, dry_run, report_as_json,
};

/// Rows at once.
const MOST_ROWS: u64 = 200;

/// Letters by reason and error.
pub(super) async fn groups(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let (_, filter) = match reader(&page, &request).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let counts = page.jobs.ask(async move |context, stop| {
        let mut summary = Summary::default();
        let counts =
            context.dead_letters.list(&filter, &stop, |letter| summary.add(letter)).await?;
        context.now_has(counts.letters);
        Ok(json!({
            "letters": counts.letters,
            "matching": counts.matching,
            "groups": summary.into_groups(),
        }))
    });
    json_response(counts.await)
}

/// Letters one by one, the first few.
pub(super) async fn list(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let (_, mut filter) = match reader(&page, &request).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    filter.limit = Some(filter.limit.unwrap_or(MOST_ROWS).min(MOST_ROWS));
    let counts = page.jobs.ask(async move |context, stop| {
        let mut rows = Vec::new();
        let show = |letter: &Letter| rows.push(as_json(letter));
        let counts = context.dead_letters.list(&filter, &stop, show).await?;
        context.now_has(counts.letters);
        Ok(json!({"letters": counts.letters, "rows": rows}))
    });
    json_response(counts.await)
}

/// One letter, and what it would become now.
pub(super) async fn one(
    State(page): State<Arc<Page>>,
    Path(id): Path<String>,
    request: ParsedRequest,
) -> Response {
    let mut query = request.query.iter().flatten();
    let wants_body = query.any(|(name, value)| name == "body" && value == "yes");
    let who = match page.access.reader(&request.headers, request.peer()).await {
        Ok(who) => who,
        Err(refusal) => return refused(&refusal),
    };
    let letter = id.clone();
    request.client.may_stay(LONG_ANSWER);
    let found = page.jobs.ask(async move |context, stop| {
        let mut found = context.dead_letters.find(&id, &stop).await?;
        // Some may be alike to the byte, and then it is all the same which is shown.
        found.sort_by_key(|found| found.letter.id);
        found.dedup_by_key(|found| found.letter.id);
        let [found] = &mut found[..] else { return Ok(None) };
        let dry_run = dry_run(found, context.dead_letters.sources(), &context.router);
        // In the order of its keys, which a body that is to be published has.
        let shown = to_raw_value(&FoundAsJson::new(found, &dry_run, wants_body));
        Ok(Some(shown.unwrap_or_default()))
    });
    match found.await {
        Ok(None) => failed(
            StatusCode::NOT_FOUND,
            "no dead letter is called so, or more than one; list them again",
        ),
        found => {
            if wants_body && found.is_ok() {
                let peer = request.peer();
                tracing::info!(event = "page_body_shown", %peer, by = %who, letter, "body of a dead letter shown on the page");
            }
            json_response(found)
        }
    }
}

/// What a replay would send where; nothing is sent.
pub(super) async fn plan(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let (_, filter) = match reader(&page, &request).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let planned = page.jobs.ask(async move |context, stop| {
        let report =
            context.dead_letters.replay(&filter, &dry_run_replay(&context), &stop, |_| {}).await?;
        Ok(report_as_json(&report))
    });
    json_response(planned.await)
}

fn dry_run_replay(context: &OperatorContext) -> Replay {
    let at_once = std::time::Duration::ZERO;
    let watching = Watching { canary: at_once, end: at_once };
    Replay { watching, dry_run: true, ..context.replay() }
}

/// The body of a request to replay letters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    #[serde(default)]
    filter: FilterBody,
    canary: Option<u64>,
    rate: Option<RateBody>,
    max_failures: Option<u64>,
}

/// A number of letters a second, or `auto`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RateBody {
    Number(f64),
    Text(String),
}

impl ReplayBody {
    fn rate(&self) -> Result<Rate, String> {
        match &self.rate {
            None => Ok(Rate::Unlimited),
            Some(RateBody::Number(number)) => replay_rate(&number.to_string()),
            Some(RateBody::Text(text)) => replay_rate(text),
        }
    }

    fn replay_request(
        &self,
        who: &Principal,
        request: &ParsedRequest,
    ) -> Result<ReplayRequest, String> {
        let zero = |it: Option<u64>| it == Some(0);
        if zero(self.canary) || zero(self.max_failures) {
            return Err("canary and max_failures must be 1 or more, or be left out".to_owned());
        }
        Ok(ReplayRequest {
            filter: self.filter.parse()?,
            canary: self.canary,
            rate: self.rate()?,
            max_failures: self.max_failures,
            by: who.to_string(),
            peer: request.peer(),
        })
    }
}

pub(super) async fn replay(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    let (who, wanted): (_, ReplayBody) = match page.writer(&request, &sent).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let replay_request = match wanted.replay_request(&who, &request) {
        Ok(it) => it,
        Err(wrong) => return failed(StatusCode::BAD_REQUEST, &wrong),
    };
    let rate = replay_request.rate.to_string();
    if let Err(not_done) = page.jobs.replay(replay_request) {
        return json_response::<()>(Err(not_done));
    }
    let ReplayBody { filter, canary, max_failures, .. } = wanted;
    let peer = request.peer();
    tracing::warn!(event = "page_replay_started", %peer, by = %who, filter = filter.as_options(), canary, rate, max_failures, "replay of dead letters started from the page");
    StatusCode::ACCEPTED.into_response()
}

pub(super) async fn stop(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let who = match page.access.writer(&request.headers, request.peer()).await {
        Ok(who) => who,
        Err(refusal) => return refused(&refusal),
    };
    if !page.jobs.stop() {
        return failed(StatusCode::CONFLICT, "no replay is running");
    }
    tracing::warn!(event = "page_replay_stopped", peer = %request.peer(), by = %who, "replay stopped from the page");
    StatusCode::ACCEPTED.into_response()
}

/// Who looks, and at which letters.
async fn reader(
    page: &Page,
    request: &ParsedRequest,
) -> Result<(Principal, Filter), Box<Response>> {
    let refuse = |refusal| Box::new(refused(&refusal));
    let who = page.access.reader(&request.headers, request.peer()).await.map_err(refuse)?;
    let query = request.query.as_ref().ok_or_else(|| "too many filters".to_owned());
    let filter = query
        .and_then(|query| filter(query))
        .map_err(|wrong| Box::new(failed(StatusCode::BAD_REQUEST, &wrong)))?;
    request.client.may_stay(LONG_ANSWER);
    Ok((who, filter))
}

fn json_response<T: Serialize>(done: Result<T, JobError>) -> Response {
    match done {
        Ok(done) => answer(&done),
        Err(JobError::Busy(why)) => failed(StatusCode::CONFLICT, why),
        Err(JobError::Replaying(why)) => failed(StatusCode::CONFLICT, &why),
        Err(JobError::Failed(why)) => failed(StatusCode::BAD_GATEWAY, &why),
    }
}

fn as_json(it: &impl Serialize) -> Json {
    serde_json::to_value(it).unwrap_or_default()
}

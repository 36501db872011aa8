//! The page's API: the worker's status, login and logout.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::access::Principal;
use super::parsed_request::{ParsedRequest, answer, body, refused};
use super::{Page, session};

/// What does not change, and what this client may do.
pub(super) async fn about(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    match page.access.authenticate(&request.headers, request.peer()).await {
        Err(refusal) => refused(&refusal),
        Ok(who) => answer(&json!({
            "worker": page.about,
            "has_token": page.access.has_token(),
            "login_refusal": page.access.login_refusal(),
            "trusted": who != Principal::Anyone,
        })),
    }
}

/// One update with the whole chart, for those who get no stream.
pub(super) async fn status(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let trusted = page.access.is_logged_in(&request.headers, request.peer());
    let snapshots = page.snapshots();
    let text = format!(r#"{{"points":{},"frame":{}}}"#, page.points(), snapshots.of(trusted));
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The last warnings and errors of the log. They name no user: what people do on the page is not among them.
pub(super) async fn log(State(page): State<Arc<Page>>) -> Response {
    answer(&json!({"lines": page.log.all()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    token: String,
}

pub(super) async fn log_in(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    let LogIn { token } = match body(&request.headers, &sent) {
        Ok(it) => it,
        Err(response) => return *response,
    };
    match page.access.log_in(&token, request.peer()).await {
        Err(refusal) => refused(&refusal),
        Ok(id) => {
            let (peer, who) = (request.peer(), session::shown(&id));
            tracing::info!(event = "page_login", %peer, session = who, "login to the operator's page");
            with_cookie(Some(&id), &request)
        }
    }
}

pub(super) async fn log_out(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    if let Some(session) = page.access.log_out(&request.headers) {
        tracing::info!(event = "page_logout", peer = %request.peer(), session, "logout from the operator's page");
    }
    with_cookie(None, &request)
}

fn with_cookie(id: Option<&str>, request: &ParsedRequest) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&session::cookie(id, request.is_https())) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

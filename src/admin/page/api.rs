//! What the page reads about the worker, and who logs in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::access::Who;
use super::asked::{Asked, answer, body, refused};
use super::{Page, session};

/// What does not change, and what this visitor may do.
pub(super) async fn about(State(page): State<Arc<Page>>, asked: Asked) -> Response {
    match page.access.who(&asked.headers, asked.peer()).await {
        Err(refusal) => refused(&refusal),
        Ok(who) => answer(&json!({
            "worker": page.about,
            "has_token": page.access.has_token(),
            "why_no_login": page.access.why_no_login(),
            "trusted": who != Who::Anyone,
        })),
    }
}

/// One update with the whole chart, for those who get no stream.
pub(super) async fn status(State(page): State<Arc<Page>>, asked: Asked) -> Response {
    let trusted = page.access.knows(&asked.headers, asked.peer());
    let frames = page.frames();
    let text = format!(r#"{{"points":{},"frame":{}}}"#, page.points(), frames.of(trusted));
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    token: String,
}

pub(super) async fn log_in(State(page): State<Arc<Page>>, asked: Asked, sent: Bytes) -> Response {
    let LogIn { token } = match body(&asked.headers, &sent) {
        Ok(it) => it,
        Err(response) => return *response,
    };
    match page.access.log_in(&token, asked.peer()).await {
        Err(refusal) => refused(&refusal),
        Ok(id) => {
            let (peer, who) = (asked.peer(), session::shown(&id));
            tracing::info!(event = "page_login", %peer, session = who, "login to the operator's page");
            with_cookie(Some(&id), &asked)
        }
    }
}

pub(super) async fn log_out(State(page): State<Arc<Page>>, asked: Asked) -> Response {
    if let Some(session) = page.access.log_out(&asked.headers) {
        tracing::info!(event = "page_logout", peer = %asked.peer(), session, "logout from the operator's page");
    }
    with_cookie(None, &asked)
}

fn with_cookie(id: Option<&str>, asked: &Asked) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&session::cookie(id, asked.is_https())) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

//! The parsed request that handlers take, and the answers that the page reads.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::access::Refusal;
use super::parse;
use crate::admin::client::Client;

/// All of a request but its body.
#[derive(Debug)]
pub(super) struct ParsedRequest {
    pub(super) headers: HeaderMap,
    pub(super) client: Client,
    /// The query's pairs; `None`: there are too many.
    pub(super) query: Option<Vec<(String, String)>>,
}

impl<S: Sync> FromRequestParts<S> for ParsedRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let nobody = || Client::new(SocketAddr::from(([0, 0, 0, 0], 0)), std::time::Duration::ZERO);
        Ok(Self {
            headers: parts.headers.clone(),
            client: parts.extensions.get().cloned().unwrap_or_else(nobody),
            query: parse::pairs(parts.uri.query().unwrap_or_default()),
        })
    }
}

impl ParsedRequest {
    pub(super) fn peer(&self) -> SocketAddr {
        self.client.peer
    }

    /// Whether a proxy says that its client came by TLS.
    pub(super) fn is_https(&self) -> bool {
        self.headers.get("x-forwarded-proto").is_some_and(|it| it == "https")
    }
}

/// The body as JSON, which no form of a foreign site can send.
pub(super) fn body<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Box<Response>> {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
    {
        let wrong = "send JSON with `Content-Type: application/json`";
        return Err(Box::new(failed(StatusCode::UNSUPPORTED_MEDIA_TYPE, wrong)));
    }
    serde_json::from_slice(body).map_err(|error| {
        // Its words may quote the body, and with it the token.
        let wrong =
            format!("the JSON does not have the expected form, at column {}", error.column());
        Box::new(failed(StatusCode::BAD_REQUEST, &wrong))
    })
}

pub(super) fn answer(body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) fn failed(status: StatusCode, error: &str) -> Response {
    let text = json!({"error": error}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

pub(super) fn refused(refusal: &Refusal) -> Response {
    let mut response = failed(refusal.0, refusal.1);
    let hint = match refusal.0 {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::TOO_MANY_REQUESTS => Some((header::RETRY_AFTER, "10")),
        _ => None,
    };
    if let Some((name, value)) = hint {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

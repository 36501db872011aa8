//! Accepts connections, with limits, so that no client can delay the workers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::connection_slots::{Class, ConnectionSlots};
use crate::limits::ARRIVING_CONNECTIONS;

/// For a request's head to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(3);

/// For the rest of a request, which is small and comes with its head.
const BODY_WITHIN: Duration = Duration::from_secs(3);

/// For a whole connection, which has one request, unless its answer is one that takes longer.
const DONE_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of a request's head, which no monitor comes near.
const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of a request's body. The largest one is a filter of dead letters.
const BODY_BYTES: usize = 64 * 1024;

/// Connections that are taken before those that were are heard; a part of the slots that there are.
const AT_A_TIME: usize = ARRIVING_CONNECTIONS / 4;

/// After a failure to accept, which is mostly that the process has no descriptor left.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Paths that probes and scrapers ask for.
pub(super) const HEALTH: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Whether somebody has logged in, by what a request's head says.
pub(super) type IsLoggedIn = Arc<dyn Fn(&HeaderMap, SocketAddr) -> bool + Send + Sync>;

/// `most` connections at once, each kind a share of them.
pub(super) async fn serve(
    listener: &TcpListener,
    router: &Router,
    is_logged_in: &IsLoggedIn,
    most: usize,
) {
    let slots = ConnectionSlots::within(most);
    for number in 0_usize.. {
        // Those who have come say what they want before many others may need their slots.
        if number.is_multiple_of(AT_A_TIME) {
            yield_now().await;
        }
        let (stream, client) = match listener.accept().await {
            Ok((stream, peer)) => {
                let slot = slots.take(peer.ip());
                (stream, Client::new(peer, DONE_WITHIN).in_slot(slot))
            }
            Err(error) => {
                tracing::debug!(event = "accept_failed", %error, "cannot accept a connection to an admin address");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let answering = TowerToHyperService::new(router.clone());
        let (theirs, is_logged_in) = (client.clone(), Arc::clone(is_logged_in));
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let path = request.uri().path();
            if let Some(slot) = theirs.slot() {
                slot.becomes(match () {
                    () if HEALTH.contains(&path) => Class::Probe,
                    () if is_logged_in(request.headers(), theirs.peer) => Class::Trusted,
                    () => Class::Anonymous,
                });
            }
            request.extensions_mut().insert(theirs.clone());
            answering.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client who is too slow, or talks something else, has been told or is gone.
            tokio::select! {
                _ = connection => {}
                () = client.overstays() => {}
            }
        });
    }
}

/// Refuses large bodies and tells browsers to make nothing of the answers but what they are.
pub(super) fn guarded(router: Router) -> Router {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    // RFC 9112, section 3.2: a proxy in front may have judged by the other one.
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        let several = (StatusCode::BAD_REQUEST, "there is more than one Host header\n");
        return marked(several.into_response());
    }
    let fits = request.body().size_hint().upper().is_some_and(|bytes| bytes <= BODY_BYTES as u64);
    let response = if fits {
        match whole(request).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        }
    } else {
        (StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large\n").into_response()
    };
    marked(response)
}

fn marked(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The request with all of its body, which is there soon or not wanted any more.
async fn whole(request: Request) -> Result<Request, (StatusCode, &'static str)> {
    let (parts, body) = request.into_parts();
    let Ok(read) = timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES)).await else {
        return Err((
            StatusCode::REQUEST_TIMEOUT,
            "the rest of the request did not arrive in time\n",
        ));
    };
    let Ok(body) = read else {
        return Err((StatusCode::BAD_REQUEST, "the rest of the request is malformed\n"));
    };
    if let Some(client) = parts.extensions.get::<Client>() {
        client.has_asked();
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

//! Connections, so bounded that no visitor gets in the workers' way.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::visitor::Visitor;

/// For a request's head to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(3);

/// For a whole connection, which has one request, unless its answer is one that takes longer.
const DONE_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of a request's head, which no monitor comes near.
const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of a request's body. The largest one is a filter of dead letters.
const BODY_BYTES: u64 = 64 * 1024;

/// After a failure to accept, which is mostly that the process has no descriptor left.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// `places` connections at once; further ones wait in the system's own queue.
pub(super) async fn serve(listener: &TcpListener, router: &Router, places: usize) {
    let places = Arc::new(Semaphore::new(places));
    // Nobody closes it.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, visitor) = match listener.accept().await {
            Ok((stream, peer)) => (stream, Visitor::new(peer, DONE_WITHIN)),
            Err(error) => {
                tracing::debug!(%error, "cannot take a connection to admin.listen");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let answering = TowerToHyperService::new(router.clone());
        let theirs = visitor.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
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
            // A visitor who is too slow, or talks something else, has been told or is gone.
            tokio::select! {
                _ = connection => {}
                () = visitor.overstays() => {}
            }
            drop(place);
        });
    }
}

/// Refuses large bodies and tells browsers to make nothing of the answers but what they are.
pub(super) fn guarded(router: Router) -> Router {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let fits = request.body().size_hint().upper().is_some_and(|bytes| bytes <= BODY_BYTES);
    let mut response = if fits {
        next.run(request).await
    } else {
        (StatusCode::PAYLOAD_TOO_LARGE, "no request here needs such a body\n").into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

//! The page's updates as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::parsed_request::{ParsedRequest, failed};
use super::snapshot::Snapshots;
use super::{Page, Watchers};
use crate::limits::{ANONYMOUS_STREAMS, TRUSTED_STREAMS};

/// A stream ends then, and its page opens the next: so nothing that has hung stays for ever.
const LASTS: Duration = Duration::from_mins(15);

pub(super) async fn stream(State(page): State<Arc<Page>>, request: ParsedRequest) -> Response {
    let trusted = page.access.is_logged_in(&request.headers, request.peer());
    let Some(slot) = StreamSlot::take(&page.watchers, trusted) else {
        let wrong = "the limit of open streams is reached; poll /api/status instead";
        let mut response = failed(StatusCode::SERVICE_UNAVAILABLE, wrong);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        return response;
    };
    request.client.may_stay(LASTS + Duration::from_secs(5));
    let first = format!(
        "retry: 1000\nevent: points\ndata: {}\n\nevent: frame\ndata: {}\n\n",
        page.points(),
        page.snapshots().of(trusted)
    );
    let updates = Updates {
        snapshots: page.snapshots.subscribe(),
        until: Instant::now() + LASTS,
        first: Some(first),
        slot,
    };
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(stream::unfold(updates, Updates::next))).into_response()
}

impl Watchers {
    /// Those of a kind, and how many there may be.
    const fn of(&mut self, trusted: bool) -> (&mut usize, usize) {
        if trusted {
            (&mut self.trusted, TRUSTED_STREAMS)
        } else {
            (&mut self.anonymous, ANONYMOUS_STREAMS)
        }
    }
}

/// A slot for a stream; clients that have logged in have others than clients that have not. A page that gets none asks now and then
/// instead.
struct StreamSlot {
    watchers: watch::Sender<Watchers>,
    trusted: bool,
}

impl StreamSlot {
    fn take(watchers: &watch::Sender<Watchers>, trusted: bool) -> Option<Self> {
        let taken = watchers.send_if_modified(|watchers| {
            let (count, most) = watchers.of(trusted);
            let is_free = *count < most;
            *count += usize::from(is_free);
            is_free
        });
        taken.then(|| Self { watchers: watchers.clone(), trusted })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.watchers.send_modify(|watchers| *watchers.of(self.trusted).0 -= 1);
    }
}

struct Updates {
    snapshots: watch::Receiver<Snapshots>,
    until: Instant,
    first: Option<String>,
    slot: StreamSlot,
}

impl Updates {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first.into()), self));
        }
        timeout_at(self.until, self.snapshots.changed()).await.ok()?.ok()?;
        let snapshots = self.snapshots.borrow_and_update().clone();
        let frame = snapshots.of(self.slot.trusted);
        Some((Ok(format!("event: frame\ndata: {frame}\n\n").into()), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_more_than_there_are_places_gets_no_stream_until_another_goes() {
        let watchers = watch::Sender::new(Watchers::default());
        for (trusted, most) in [(false, ANONYMOUS_STREAMS), (true, TRUSTED_STREAMS)] {
            let mut slots: Vec<_> =
                (0..most).map_while(|_| StreamSlot::take(&watchers, trusted)).collect();
            assert_eq!(slots.len(), most);
            assert!(StreamSlot::take(&watchers, trusted).is_none());
            slots.pop();
            assert!(StreamSlot::take(&watchers, trusted).is_some());
        }
    }
}

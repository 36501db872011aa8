//! Exports dead letters as an archive, the same as the command line's.
//!
//! The archive goes out while the queue is read. What a slow client has not taken waits in the broker: in memory there are
//! [`PARTS`] parts and what a browse keeps at most. A client that takes nothing for a while ends the export, and an archive
//! that is cut off has no last line, which `import` and the page notice. So does a worker that stops.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::Page;
use super::super::dead_letter_jobs::{JobError, OperatorContext};
use super::super::parsed_request::{ParsedRequest, failed};
use super::filter::as_options;
use super::{json_response, reader};
use crate::dead_letters::{BrowseCounts, DeadLettersError, Filter, Stop, stopped};

/// Parts of an archive that wait for the client.
const PARTS: usize = 4;

/// For the client to take a part.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// For a whole export: the letters are held meanwhile, and RabbitMQ wants them acknowledged or returned within half an hour.
const DONE_WITHIN: Duration = Duration::from_mins(10);

pub(in super::super) async fn export(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
) -> Response {
    let (who, filter) = match reader(&page, &request).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let guard = match page.jobs.begin_export() {
        Ok(guard) => guard,
        Err(busy) => return json_response::<()>(Err(busy)),
    };
    request.client.may_stay(DONE_WITHIN);
    let (parts, mut sent) = mpsc::channel::<Bytes>(PARTS);
    let (peer, by) = (request.peer(), who.to_string());
    let asked = as_options(&request.query.unwrap_or_default());
    let working = tokio::spawn(async move {
        let job = page.jobs.run(async move |context, stop| {
            let (exported, bytes) = send_archive(&context, &filter, parts, stop).await;
            match &exported {
                Ok(counts) => {
                    context.now_has(counts.letters);
                    tracing::warn!(event = "page_exported", %peer, by, filter = asked, letters = counts.matching, bytes, "dead letters exported from the page, with their bodies");
                }
                Err(trouble) => {
                    tracing::warn!(event = "page_export_failed", %peer, by, filter = asked, bytes, error = %trouble, "dead letters could not be exported from the page");
                }
            }
            drop(guard);
            exported
        });
        job.await
    });
    match sent.recv().await {
        Some(first) => archive(first, sent, working),
        // It ended before there was a part.
        None => match ended(working).await {
            Ok(_) => failed(StatusCode::BAD_GATEWAY, "the export has no content; try again"),
            Err(not_done) => json_response::<()>(Err(not_done)),
        },
    }
}

/// Sends the archive in parts, as long as the client takes them and the worker does not stop. Returns also how many bytes it has.
async fn send_archive(
    context: &OperatorContext,
    filter: &Filter,
    parts: mpsc::Sender<Bytes>,
    worker: Stop,
) -> (Result<BrowseCounts, DeadLettersError>, usize) {
    let (tell, stop) = watch::channel(false);
    let (bytes, mut stops) = (Cell::new(0), worker.clone());
    let exporting = context.dead_letters.export_in_parts(filter, &stop, async |part| {
        bytes.set(bytes.get() + part.len());
        tokio::select! {
            taken = timeout(TAKEN_WITHIN, parts.send(part.into())) => {
                taken.is_ok_and(|it| it.is_ok()).then_some(()).ok_or_else(gone)
            }
            () = stopped(&mut stops) => Err(stopping()),
        }
    });
    let (mut exporting, mut worker) = (pin!(exporting), worker);
    let ends = async {
        tokio::select! {
            () = parts.closed() => {}
            () = stopped(&mut worker) => {}
        }
    };
    let exported = tokio::select! {
        exported = &mut exporting => exported,
        () = ends => {
            tell.send_replace(true);
            exporting.await
        }
    };
    (exported, bytes.get())
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client took no further part of it in time")
}

fn stopping() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the worker stops")
}

type Working = JoinHandle<Result<BrowseCounts, JobError>>;

async fn ended(working: Working) -> Result<BrowseCounts, JobError> {
    working.await.unwrap_or_else(|_| Err(JobError::Failed("the export was cancelled".to_owned())))
}

/// The response with all parts. An export that fails breaks the connection off, so that nobody takes its part for the whole.
fn archive(first: Bytes, rest: mpsc::Receiver<Bytes>, working: Working) -> Response {
    let parts = stream::unfold((Some(first), rest, Some(working)), async |state| {
        let (first, mut rest, mut working) = state;
        let part = match first {
            Some(first) => Some(first),
            None => rest.recv().await,
        };
        if let Some(part) = part {
            return Some((Ok(part), (None, rest, working)));
        }
        match ended(working.take()?).await {
            Ok(_) => None,
            Err(_) => Some((Err(io::Error::other("the export has failed")), (None, rest, None))),
        }
    });
    let name = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let name = format!("attachment; filename=\"dead-letters-{name}.jsonl\"");
    let head = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (head, Body::from_stream(parts)).into_response()
}

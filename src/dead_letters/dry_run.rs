//! Dry run of a dead letter: the outcome that a worker would have now. Nothing is sent.

use super::Found;
use super::content::{Sources, with_envelope};
use super::replay::revived_headers;
use crate::dry_run::{self, DryRun};
use crate::limits::{MOST_HEADERS_ADDED, MOST_HEADERS_OF_EVENTS};
use crate::rabbitmq::headers::originals::too_many as too_many_headers;
use crate::rabbitmq::message::{Headers, Value};
use crate::route::Router;

/// Decodes, routes and renders, as a worker would after a replay.
#[must_use]
pub fn dry_run(found: &mut Found, sources: &Sources, router: &Router) -> DryRun {
    let format = sources.format(found.letter.origin.queue.as_deref());
    // A look reads letters with more headers than a worker reads events with. A replay's own are among them.
    let entries = in_table(&revived_headers(found, sources.key()));
    let is_too_many = entries > MOST_HEADERS_OF_EVENTS + MOST_HEADERS_ADDED;
    let unreadable = is_too_many.then(too_many_headers);
    with_envelope(&mut found.message, &found.letter.origin, unreadable, |envelope| {
        dry_run::dry_run(envelope, format, router)
    })
}

/// Entries of headers as workers count them: those of tables and lists within them, too. Nothing is nested deeper than
/// the reader before lapin lets it be.
fn in_table(headers: &Headers) -> usize {
    headers.len() + headers.values().map(within).sum::<usize>()
}

fn within(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len() + list.iter().map(within).sum::<usize>(),
        Value::Table(table) => in_table(table),
        _ => 0,
    }
}

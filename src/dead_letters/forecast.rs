//! What would become of a dead letter if it were taken now. Nothing is sent.

use super::Found;
use super::content::{Sources, with_envelope};
use crate::forecast::{self, Forecast};
use crate::route::Router;

/// Decodes, routes and renders, as a worker would after a replay.
#[must_use]
pub fn forecast(found: &mut Found, sources: &Sources, router: &Router) -> Forecast {
    let format = sources.format(found.letter.origin.queue.as_deref());
    with_envelope(&mut found.message, &found.letter.origin, |envelope| {
        forecast::forecast(envelope, format, router)
    })
}

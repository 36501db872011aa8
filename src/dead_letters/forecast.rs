//! What would become of a dead letter if it were taken now. Nothing is sent.

use std::panic::AssertUnwindSafe;

use super::Found;
use super::content::{Sources, with_envelope};
use crate::event::{self, Decoded, Envelope, Format};
use crate::outcome::DeadLetter;
use crate::outcome::{Reason, SkipReason};
use crate::route::{Notification, Routed, Router};

/// What a worker of the current configuration would make of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// It would try to publish this.
    Publish(Box<Notification>),
    /// It would skip it.
    Skip(SkipReason),
    /// It would dead-letter it again, for this reason and with this error.
    DeadLetter(Reason, String),
}

/// Decodes, routes and renders, as a worker would after a replay.
#[must_use]
pub fn forecast(found: &mut Found, sources: &Sources, router: &Router) -> Forecast {
    let format = sources.format(found.letter.origin.queue.as_deref());
    with_envelope(&mut found.message, &found.letter.origin, |envelope| {
        let decide = AssertUnwindSafe(|| decide(envelope, format, router));
        std::panic::catch_unwind(decide).unwrap_or_else(|_| {
            let error = "handling it panics, here in event-pusher-sns or in its plugin".to_owned();
            Forecast::DeadLetter(Reason::Panicked, error)
        })
    })
}

fn decide(envelope: &Envelope, format: Format, router: &Router) -> Forecast {
    let dead = |letter: DeadLetter| Forecast::DeadLetter(letter.reason, letter.error);
    let event = match event::decode(envelope, format) {
        Ok(Decoded::Event(event)) => event,
        Ok(Decoded::Skip(reason)) => return Forecast::Skip(reason),
        Err(error) => return dead(error.into()),
    };
    match router.route(&event, envelope) {
        Ok(Routed::Notification(notification)) => Forecast::Publish(Box::new(notification)),
        Ok(Routed::Skip(reason)) => Forecast::Skip(reason),
        Err(letter) => dead(letter),
    }
}

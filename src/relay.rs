//! The way of one event, from the envelope to its outcome.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use crate::event::{self, Decoded, Envelope, Format};
use crate::outcome::{DeadLetter, Outcome, Reason, Scope};
use crate::publisher::{Failure, Publish, Publisher};
use crate::route::{Routed, Router};

/// Handles the events of one source.
#[derive(Debug)]
pub struct Relay<P> {
    format: Format,
    router: Rc<Router>,
    publisher: Rc<Publisher<P>>,
}

impl<P: Publish> Relay<P> {
    /// Reads payloads as `format`; sources share the router and the publisher.
    pub fn new(format: Format, router: Rc<Router>, publisher: Rc<Publisher<P>>) -> Self {
        Self { format, router, publisher }
    }

    /// Decodes, routes, publishes, decides. Whatever happens, there is an outcome, even
    /// if a plugin or our own code panics; it takes as long as a hold lasts.
    pub async fn handle(&self, envelope: &Envelope) -> Outcome {
        match AssertUnwindSafe(self.relay(envelope)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::DeadLettered(DeadLetter {
                reason: Reason::Panicked,
                error: "handling it panicked; the worker's log of that time says where".to_owned(),
                attempts: 0,
                topic: None,
            }),
        }
    }

    async fn relay(&self, envelope: &Envelope) -> Outcome {
        let event = match event::decode(envelope, self.format) {
            Ok(Decoded::Event(event)) => event,
            Ok(Decoded::Skip(reason)) => return Outcome::Skipped(reason),
            Err(error) => return Outcome::DeadLettered(error.into()),
        };
        let notification = match self.router.route(&event) {
            Ok(Routed::Notification(notification)) => notification,
            Ok(Routed::Skip(reason)) => return Outcome::Skipped(reason),
            Err(letter) => return Outcome::DeadLettered(letter),
        };
        match self.publisher.publish(&notification).await {
            Ok(accepted) => Outcome::Published(accepted.id),
            Err(failure) => Outcome::DeadLettered(DeadLetter {
                topic: Some(notification.topic),
                ..letter_of(failure)
            }),
        }
    }
}

fn letter_of(Failure { fault, attempts }: Failure) -> DeadLetter {
    let (reason, error) = match fault.scope {
        Scope::Message => (Reason::Rejected, format!("SNS refused it: {fault}")),
        // The gate keeps the wider scopes to itself; were one to come, it would be as
        // true of it that trying did not help.
        Scope::Transient | Scope::Route | Scope::Service => {
            (Reason::RetriesExhausted, format!("gave up after {attempts} attempts: {fault}"))
        }
    };
    DeadLetter { reason, error, attempts, topic: None }
}

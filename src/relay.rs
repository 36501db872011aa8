//! The way of one event, from the envelope to its outcome.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use crate::event::{self, Decoded, Envelope, Format};
use crate::outcome::{DeadLetter, Fault, Outcome, Reason, Scope};
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
            Err(_) => dead(
                Reason::Panicked,
                "handling this event panicked; the worker's log of that time says where",
            ),
        }
    }

    async fn relay(&self, envelope: &Envelope) -> Outcome {
        let event = match event::decode(envelope, self.format) {
            Ok(Decoded::Event(event)) => event,
            Ok(Decoded::Skip(reason)) => return Outcome::Skipped(reason),
            Err(error) => return dead(Reason::Undecodable, error),
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

fn dead(reason: Reason, error: impl ToString) -> Outcome {
    Outcome::DeadLettered(DeadLetter { reason, error: error.to_string(), attempts: 0, topic: None })
}

fn letter_of(Failure { fault, attempts }: Failure) -> DeadLetter {
    let reason = match fault.scope {
        Scope::Message => Reason::Rejected,
        // The gate keeps the wider scopes to itself; were one to come, it would be as
        // true of it that trying did not help.
        Scope::Transient | Scope::Route | Scope::Service => Reason::RetriesExhausted,
    };
    DeadLetter { reason, error: explain(&fault), attempts, topic: None }
}

fn explain(fault: &Fault) -> String {
    format!("SNS refused it: {fault}")
}

//! The way of one event, from the envelope to its outcome.

mod advice;

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use self::advice::Advice;
use crate::event::{self, Decoded, Envelope, EventKind, Format};
use crate::hold::{Held, NotNow, Stay};
use crate::outcome::{DeadLetter, Outcome, Reason, Scope};
use crate::publisher::{Failure, Lanes, Publish, Publisher, Turn, Unpublished};
use crate::route::{Notification, Routed, Router};

/// Handles the events of one source.
#[derive(Debug)]
pub struct Relay<P> {
    format: Format,
    router: Rc<Router>,
    publisher: Rc<Publisher<P>>,
    lanes: Lanes,
    advice: Advice,
}

/// An event on its way.
#[derive(Debug)]
pub struct Started {
    /// What kind of event it is, where it is one.
    pub kind: Option<EventKind>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    /// There is nothing to publish.
    Decided(Outcome),
    /// To be published, in its turn where order is kept.
    Routed(Rc<Notification>, Option<Turn>),
}

impl Started {
    fn decided(outcome: Outcome) -> Self {
        Self { kind: None, next: Next::Decided(outcome) }
    }
}

impl<P: Publish + 'static> Relay<P> {
    /// Reads payloads as `format`; sources share the router and the publisher.
    pub fn new(format: Format, router: Rc<Router>, publisher: Rc<Publisher<P>>) -> Self {
        Self { format, router, publisher, lanes: Lanes::default(), advice: Advice::default() }
    }

    /// Decodes and routes, and takes a place in the lane where order is kept: so this is to
    /// be called in the order of delivery.
    #[must_use]
    pub fn start(&self, envelope: &Envelope) -> Started {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.decide(envelope)))
            .unwrap_or_else(|_| Started::decided(panicked()))
    }

    /// Publishes what is to be published. Whatever happens, there is an outcome, unless a hold
    /// lasts for longer than the `stay`.
    ///
    /// # Errors
    ///
    /// What is to become of the event for now; it may be started again.
    pub async fn finish(&self, started: Started, stay: &Stay<'_>) -> Result<Outcome, NotNow> {
        match started.next {
            Next::Decided(outcome) => Ok(outcome),
            Next::Routed(notification, turn) => {
                let published = self.publish(&notification, turn, stay);
                AssertUnwindSafe(published).catch_unwind().await.unwrap_or_else(|_| Ok(panicked()))
            }
        }
    }

    /// Waits until what was held is so no more, with no event to try it with.
    pub async fn reopened(&self, held: &Held) {
        self.publisher.reopened(held).await;
    }

    fn decide(&self, envelope: &Envelope) -> Started {
        let event = match event::decode(envelope, self.format) {
            Ok(Decoded::Event(event)) => event,
            Ok(Decoded::Skip(reason)) => return Started::decided(Outcome::Skipped(reason)),
            Err(error) => return Started::decided(Outcome::DeadLettered(error.into())),
        };
        let next = match self.router.route(&event, envelope) {
            Ok(Routed::Notification(notification)) => {
                self.advice.on(&notification);
                let turn = notification.order.as_ref().map(|key| self.lanes.queue_up(key));
                Next::Routed(Rc::new(notification), turn)
            }
            Ok(Routed::Skip(reason)) => Next::Decided(Outcome::Skipped(reason)),
            Err(letter) => Next::Decided(Outcome::DeadLettered(letter)),
        };
        Started { kind: Some(event.kind()), next }
    }

    async fn publish(
        &self,
        notification: &Rc<Notification>,
        mut turn: Option<Turn>,
        stay: &Stay<'_>,
    ) -> Result<Outcome, NotNow> {
        if let Some(turn) = &mut turn {
            turn.come().await;
        }
        match self.publisher.publish(notification, stay).await {
            Ok(accepted) => Ok(Outcome::Published(accepted.id)),
            Err(Unpublished::NotNow(not_now)) => Err(not_now),
            Err(Unpublished::Failed(failure)) => Ok(Outcome::DeadLettered(DeadLetter {
                topic: Some(notification.topic.clone()),
                ..letter_of(failure)
            })),
        }
    }
}

fn panicked() -> Outcome {
    Outcome::DeadLettered(DeadLetter {
        reason: Reason::Panicked,
        error: "handling it panicked; the worker's log of that time says where".to_owned(),
        attempts: 0,
        topic: None,
    })
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

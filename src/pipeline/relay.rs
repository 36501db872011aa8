//! Relays one event, from the envelope to its outcome.

mod advice;

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use self::advice::Advice;
use crate::arn::TopicArn;
use crate::event::{Decoded, Envelope, EventKind, Format};
use crate::observe::trace::{Trace, Tracer};
use crate::outcome::{Circuit, DeadLetter, Outcome, Reason, Scope};
use crate::publish::hold::{Deadline, Overdue};
use crate::publish::{Failure, KeyQueues, PauseGate, Publish, Publisher, Turn, Unpublished};
use crate::route::{Notification, Routed, Router};
use crate::{event, panics};

/// Handles the events of one source.
#[derive(Debug)]
pub struct Relay<P> {
    format: Format,
    router: Rc<Router>,
    publisher: Rc<Publisher<P>>,
    key_queues: KeyQueues,
    advice: Rc<Advice>,
    tracer: Tracer,
}

/// For several lanes of one source: a key's events are in one line, whichever lane they come by.
impl<P> Clone for Relay<P> {
    fn clone(&self) -> Self {
        Self {
            format: self.format,
            router: Rc::clone(&self.router),
            publisher: Rc::clone(&self.publisher),
            key_queues: self.key_queues.clone(),
            advice: Rc::clone(&self.advice),
            tracer: self.tracer.clone(),
        }
    }
}

/// An event on its way.
#[derive(Debug)]
pub struct Started {
    /// What kind of event it is, where it is one.
    pub kind: Option<EventKind>,
    /// Whether parts of its payload were replaced to read it.
    pub is_mended: bool,
    /// Its part of a trace.
    pub trace: Trace,
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
    /// The topic that the event is for, if it is to be published.
    #[must_use]
    pub fn topic(&self) -> Option<TopicArn> {
        match &self.next {
            Next::Decided(_) => None,
            Next::Routed(notification, _) => Some(notification.topic.clone()),
        }
    }

    fn decided(trace: Trace, outcome: Outcome) -> Self {
        Self { kind: None, is_mended: false, trace, next: Next::Decided(outcome) }
    }
}

impl<P: Publish + 'static> Relay<P> {
    /// Reads payloads as `format`; sources share the router and the publisher.
    pub fn new(format: Format, router: Rc<Router>, publisher: Rc<Publisher<P>>) -> Self {
        let (key_queues, advice, tracer) = Default::default();
        Self { format, router, publisher, key_queues, advice, tracer }
    }

    /// Goes on with the producers' traces, too.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// Decodes and routes, and takes a place in the lane where order is kept: so this is to
    /// be called in the order of delivery.
    #[must_use]
    pub fn start(&self, envelope: &Envelope) -> Started {
        self.start_in(None, envelope)
    }

    /// The same for an event that was started before, in its trace.
    #[must_use]
    pub fn start_again(&self, trace: Trace, envelope: &Envelope) -> Started {
        self.start_in(Some(trace), envelope)
    }

    fn start_in(&self, mut trace: Option<Trace>, envelope: &Envelope) -> Started {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.decide(envelope, &mut trace)))
            .unwrap_or_else(|_| Started::decided(trace.unwrap_or_default(), panicked()))
    }

    /// Publishes what is to be published. Whatever happens, there is an outcome. One that is to be parked or
    /// requeued, since a circuit is open at its `deadline`, may be started again.
    // Borrowed, since the future would have room for it twice.
    pub async fn finish(&self, started: &mut Started, deadline: &Deadline<'_>) -> Outcome {
        match &mut started.next {
            Next::Decided(outcome) => outcome.clone(),
            Next::Routed(notification, turn) => {
                let published = self.publish(notification, turn.as_mut(), deadline, &started.trace);
                let published = AssertUnwindSafe(published).catch_unwind().await;
                // Whoever is next need not wait until this one is settled.
                *turn = None;
                published.unwrap_or_else(|_| panicked())
            }
        }
    }

    /// The open circuit that holds the events of a topic.
    #[must_use]
    pub fn held_by(&self, topic: &TopicArn) -> Option<Circuit> {
        self.publisher.open_circuit_of(topic)
    }

    /// What operators have paused.
    #[must_use]
    pub fn pauses(&self) -> &PauseGate {
        self.publisher.pauses()
    }

    /// Waits until more events can be on their way to SNS than are: those that are started before only
    /// wait in one place more.
    pub async fn ready(&self) {
        self.publisher.ready().await;
    }

    /// Waits until a circuit is open no more, with no event to try it with.
    pub async fn wait_while_open(&self, circuit: &Circuit) {
        self.publisher.wait_while_open(circuit).await;
    }

    /// `trace` is the event's own, or becomes it: before anything of others is called, which might panic.
    fn decide(&self, envelope: &Envelope, trace: &mut Option<Trace>) -> Started {
        let decoded = event::decode(envelope, self.format);
        let event = decoded.as_ref().ok().and_then(Decoded::event);
        let trace = trace.get_or_insert_with(|| self.tracer.begin(envelope, event)).clone();
        let event = match decoded {
            Ok(Decoded::Event(event)) => event,
            Ok(Decoded::Skip(reason)) => return Started::decided(trace, Outcome::Skipped(reason)),
            Err(error) => return Started::decided(trace, Outcome::DeadLettered(error.into())),
        };
        let next = match self.router.route(&event, envelope) {
            Ok(Routed::Notification(mut notification)) => {
                self.advice.on(&notification);
                trace.on(&mut notification);
                let turn = notification.order.as_ref().map(|key| self.key_queues.queue_up(key));
                Next::Routed(Rc::new(notification), turn)
            }
            Ok(Routed::Skip(reason)) => Next::Decided(Outcome::Skipped(reason)),
            Err(letter) => Next::Decided(Outcome::DeadLettered(letter)),
        };
        Started { kind: Some(event.kind()), is_mended: event.meta().is_mended, trace, next }
    }

    async fn publish(
        &self,
        notification: &Rc<Notification>,
        turn: Option<&mut Turn>,
        deadline: &Deadline<'_>,
        trace: &Trace,
    ) -> Outcome {
        if let Some(turn) = turn {
            tokio::select! {
                biased;
                () = turn.wait() => {}
                // The one at the front may be another lane's, and held there.
                () = deadline.handed_over() => return Outcome::Requeued,
            }
        }
        match self.publisher.publish(notification, deadline).await {
            Ok(accepted) => {
                trace.attempted(accepted.attempts);
                Outcome::Published(accepted.id)
            }
            Err(Unpublished::Overdue(Overdue::Park)) => Outcome::Parked,
            Err(Unpublished::Overdue(Overdue::Requeue)) => Outcome::Requeued,
            Err(Unpublished::Failed(failure)) => Outcome::DeadLettered(DeadLetter {
                topic: Some(notification.topic.clone()),
                ..letter_of(failure)
            }),
        }
    }
}

fn panicked() -> Outcome {
    panics::caught();
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
        // The fault policy keeps the wider scopes to itself; were one to come, it would be as
        // true of it that trying did not help.
        Scope::Transient | Scope::Route | Scope::Service => {
            (Reason::RetriesExhausted, format!("gave up after {attempts} attempts: {fault}"))
        }
    };
    DeadLetter { reason, error, attempts, topic: None }
}

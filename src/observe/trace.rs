//! Traces: continues a producer's trace with a span from an event's receipt to its settlement, and propagates it to
//! the subscribers.
//!
//! If tracing is off, the default, it costs a branch per event. Nothing here waits, and an invalid trace
//! does not affect its event.

mod context;
mod otlp;
mod span;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use self::context::{Context, PARENT, STATE};
pub use self::otlp::{Exporter, Spans};
use self::span::Span;
use crate::config;
use crate::event::{Envelope, Event};
use crate::outcome::Outcome;
use crate::route::Notification;

/// Traces the events of one source. The default does nothing.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Rc<TraceOptions>>);

/// What is traced of a source's events.
#[derive(Debug)]
struct TraceOptions {
    queue: Arc<str>,
    attribute: bool,
    sample_one_in: u32,
    max_message_bytes: usize,
    spans: Option<Spans>,
    /// Whether it was said that a notification has no room for the attribute.
    said: Cell<bool>,
}

impl Tracer {
    /// Does what the configuration says, with the events of this queue. Spans go to `spans`.
    #[must_use]
    pub fn new(
        trace: &config::Trace,
        max_message_bytes: usize,
        queue: &str,
        spans: Option<Spans>,
    ) -> Self {
        let config::Trace { attribute, sample_one_in, .. } = *trace;
        let options = TraceOptions {
            queue: queue.into(),
            attribute,
            sample_one_in,
            max_message_bytes,
            spans,
            said: Cell::new(false),
        };
        Self((options.attribute || options.spans.is_some()).then(|| Rc::new(options)))
    }

    /// For an event that has just come; `event` is what was read of it, if anything could be.
    pub(crate) fn begin(&self, envelope: &Envelope, event: Option<&Event<'_>>) -> Trace {
        Trace(self.0.as_ref().and_then(|options| EventTrace::begin(options, envelope, event)))
    }
}

/// One event's part of a trace. Clones are of the same.
#[derive(Debug, Clone, Default)]
pub struct Trace(Option<Rc<EventTrace>>);

/// The trace of one event.
#[derive(Debug)]
struct EventTrace {
    options: Rc<TraceOptions>,
    /// Whom subscribers are to name as their parent.
    outgoing: Context,
    /// What is recorded of it, if it is.
    span: RefCell<Option<Box<Span>>>,
}

impl EventTrace {
    fn begin(
        options: &Rc<TraceOptions>,
        envelope: &Envelope,
        event: Option<&Event<'_>>,
    ) -> Option<Rc<Self>> {
        let producer = producer(envelope, event);
        let sampled = match &producer {
            Some(producer) => producer.is_sampled(),
            None => options.sample_one_in != 0 && fastrand::u32(..options.sample_one_in) == 0,
        };
        let span = (options.spans.is_some() && sampled).then(|| {
            let mut span = Span::begin(producer.as_ref(), envelope, Arc::clone(&options.queue));
            span.kind = event.map(Event::kind);
            Box::new(span)
        });
        let outgoing = span.as_ref().map(|span| span.context.clone()).or(producer)?;
        Some(Rc::new(Self { options: Rc::clone(options), outgoing, span: RefCell::new(span) }))
    }

    fn record(&self, what: impl FnOnce(&mut Span)) {
        if let Some(span) = &mut *self.span.borrow_mut() {
            what(span);
        }
    }
}

/// The context that came with an event. The header is that of the last hop; a `CloudEvent`'s extension, which
/// comes from where the event was made, stands in where there is none.
fn producer(envelope: &Envelope, event: Option<&Event<'_>>) -> Option<Context> {
    if let Some(parent) = envelope.header(PARENT) {
        return Context::read(parent, envelope.header(STATE));
    }
    let meta = event?.meta();
    let extensions = meta.metadata.get("cloudevent");
    let state = extensions.and_then(|it| it.get(STATE)?.as_str());
    Context::read(meta.traceparent.as_deref()?, state)
}

impl Trace {
    /// The event becomes this notification, which takes the context along if it is to, and if there is room.
    pub(crate) fn on(&self, notification: &mut Notification) {
        let Some(trace) = &self.0 else { return };
        trace.record(|span| span.topic = Some(notification.topic.clone()));
        if trace.options.attribute {
            trace.options.carry(&trace.outgoing, notification);
        }
    }

    /// So many attempts were made to publish it.
    pub(crate) fn attempted(&self, attempts: u32) {
        if let Some(trace) = &self.0 {
            trace.record(|span| span.attempts = attempts);
        }
    }

    /// Sees it to its end, which is the event's.
    #[must_use]
    pub fn guard(&self) -> SpanGuard {
        SpanGuard(self.clone())
    }
}

impl TraceOptions {
    fn carry(&self, context: &Context, notification: &mut Notification) {
        // A plugin that sets it knows better.
        if notification.attributes.get(PARENT).is_some() {
            return;
        }
        if !self.add(notification, PARENT, context.to_parent()) {
            if !self.said.replace(true) {
                tracing::warn!(
                    event = "no_room_for_trace",
                    topic = %notification.topic,
                    attributes = notification.attributes.len(),
                    bytes = notification.size(),
                    "notification has no room for `traceparent` within 10 attributes and sns.max_message_bytes: \
                     subscribers get the notification without a trace; logged once"
                );
            }
            return;
        }
        if let Some(state) = &context.state {
            self.add(notification, STATE, state.clone());
        }
    }

    /// Returns whether there was room for it.
    fn add(&self, notification: &mut Notification, name: &str, value: String) -> bool {
        let size = notification.size() + name.len() + "String".len() + value.len();
        let fits = !notification.attributes.fill_raw_delivery() && size <= self.max_message_bytes;
        if fits {
            notification.attributes.set(name, value);
        }
        fits
    }
}

/// Ends the span of an event. Dropped without an outcome, it records that the event goes back to the queue.
#[derive(Debug)]
pub struct SpanGuard(Trace);

impl SpanGuard {
    /// What it follows.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.clone()
    }

    /// As it was settled.
    pub fn end(self, outcome: &Outcome) {
        if let Some(trace) = &self.0.0 {
            trace.record(|span| span.outcome = outcome.clone());
        }
    }
}

impl Drop for SpanGuard {
    fn drop(&mut self) {
        let Some(trace) = &self.0.0 else { return };
        if let (Some(mut span), Some(spans)) = (trace.span.take(), &trace.options.spans) {
            span.settled = SystemTime::now();
            spans.send(span);
        }
    }
}

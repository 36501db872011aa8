//! Converts a span to OpenTelemetry's form.
//!
//! Source: OpenTelemetry semantic conventions, "Messaging spans", "RabbitMQ" and "Service".

use std::borrow::Cow;

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::event::EventKind;
use crate::observe::trace::context::Context;
use crate::observe::trace::span::Span;
use crate::outcome::Outcome;

const SERVICE: &str = env!("CARGO_PKG_NAME");
const SERVICE_NAME: Key = Key::from_static_str("service.name");

/// Longer ones are cut: nobody looks for them by their end.
const TEXT_MAX: usize = 1024;

/// Who sends, with what `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say on top.
pub(super) fn resource(host: &str) -> Resource {
    let given = Resource::builder().build();
    let is_given = |name: &Cow<'_, str>| !name.starts_with("unknown_service");
    let name = given.get(&SERVICE_NAME).map(|it| it.as_str().into_owned().into());
    let name = name.filter(is_given).unwrap_or(Cow::Borrowed(SERVICE));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", format!("{host}/{}", std::process::id())),
            KeyValue::new("host.name", host.to_owned()),
        ])
        .with_attributes(given.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .with_service_name(name.into_owned())
        .build()
}

pub(super) fn of(span: Span) -> SpanData {
    let attributes = attributes(&span);
    SpanData {
        span_context: span_context(&span.context),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: span.parent.is_some(),
        span_kind: SpanKind::Consumer,
        name: format!("process {}", span.queue).into(),
        start_time: span.received,
        end_time: span.settled,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: status(span.outcome),
        instrumentation_scope: InstrumentationScope::builder(SERVICE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn span_context(context: &Context) -> SpanContext {
    let state = context.state.as_deref().and_then(|text| text.parse::<TraceState>().ok());
    SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        TraceFlags::new(context.flags),
        false,
        state.unwrap_or_default(),
    )
}

fn attributes(span: &Span) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "rabbitmq"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", destination(span)),
        KeyValue::new("messaging.message.body.size", i64::try_from(span.bytes).unwrap_or(i64::MAX)),
        KeyValue::new("event_pusher.kind", span.kind.map_or("unknown", EventKind::label)),
    ];
    let mut add = |key, value: String| attributes.push(KeyValue::new(key, value));
    if let Some(id) = &span.message_id {
        add("messaging.message.id", cut(id));
    }
    if let Some(topic) = &span.topic {
        add("aws.sns.topic.arn", topic.to_string());
    }
    let (outcome, attempts) = match &span.outcome {
        Outcome::Published(id) => {
            add("event_pusher.sns_message_id", id.0.clone());
            ("published", span.attempts)
        }
        Outcome::Skipped(reason) => {
            add("event_pusher.reason", reason.label().to_owned());
            ("skipped", span.attempts)
        }
        Outcome::DeadLettered(letter) => {
            add("event_pusher.reason", letter.reason.label().to_owned());
            add("error.type", letter.reason.label().to_owned());
            ("dead_lettered", letter.attempts)
        }
        Outcome::Parked | Outcome::Requeued => ("handed_back", span.attempts),
    };
    attributes.push(KeyValue::new("event_pusher.outcome", outcome));
    attributes.push(KeyValue::new("event_pusher.attempts", i64::from(attempts)));
    attributes
}

/// `{exchange}:{queue}`. The routing key, which the conventions have between them, may be a user's address.
fn destination(span: &Span) -> String {
    match &*span.exchange {
        "" => span.queue.to_string(),
        exchange => format!("{exchange}:{}", span.queue),
    }
}

fn status(outcome: Outcome) -> Status {
    match outcome {
        Outcome::DeadLettered(letter) => Status::error(cut(&letter.error)),
        _ => Status::Unset,
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

//! What goes on to subscribers, and that a collector takes nothing from the workers.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use url::Url;

use super::*;
use crate::arn::TopicArn;
use crate::event::{Decoded, Format, decode};
use crate::observe::metrics::Metrics;
use crate::plugin::Attributes;

const PARENT_TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";
const CHAT: &str = r#"{"type":"chat","from_user_id":"a@h","to_user_id":"b@h","message":"hi"}"#;

fn trace(attribute: bool) -> config::Trace {
    config::Trace { attribute, endpoint: None, sample_one_in: 1 }
}

fn tracer(max_message_bytes: usize) -> Tracer {
    Tracer::new(&trace(true), max_message_bytes, "queue", None)
}

fn envelope(headers: &[(&str, &str)], payload: &str) -> Envelope {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let headers = headers.iter().map(owned).collect();
    Envelope { headers, payload: payload.into(), ..Envelope::default() }
}

/// A notification with so many attributes of a plugin's.
fn notification(attributes: usize) -> Notification {
    Notification {
        topic: TopicArn::build("us-east-1", "123456789012", "pm").unwrap(),
        body: "{}".to_owned(),
        attributes: (0..attributes).map(|number| (format!("a{number}"), "x")).collect(),
        order: None,
        group: None,
        dedup_id: None,
    }
}

/// What the notification of an event carries.
fn carried(tracer: &Tracer, envelope: &Envelope, mut notification: Notification) -> Attributes {
    let decoded = decode(envelope, Format::Auto);
    let event = decoded.as_ref().ok().and_then(Decoded::event);
    tracer.begin(envelope, event).on(&mut notification);
    notification.attributes
}

fn text(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.get(name).map(|it| match it {
        crate::plugin::AttributeValue::String(text) => text.clone(),
        other => panic!("{name} is {other:?}"),
    })
}

#[test]
fn subscribers_get_the_producers_context_as_it_came() {
    let headers = [("traceparent", PARENT_TEXT), ("tracestate", "a=1,b=2")];
    let attributes = carried(&tracer(1000), &envelope(&headers, CHAT), notification(0));
    assert_eq!(text(&attributes, "traceparent").as_deref(), Some(PARENT_TEXT));
    assert_eq!(text(&attributes, "tracestate").as_deref(), Some("a=1,b=2"));
    let off = Tracer::new(&trace(false), 1000, "queue", None);
    assert!(carried(&off, &envelope(&headers, CHAT), notification(0)).is_empty());
}

#[test]
fn a_cloudevents_extension_stands_in_for_the_header_in_both_modes() {
    let structured = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"chat","traceparent":"{PARENT_TEXT}",
            "tracestate":"a=1","data":{CHAT}}}"#
    );
    let binary = [
        ("cloudEvents_specversion", "1.0"),
        ("cloudEvents_id", "1"),
        ("cloudEvents_source", "s"),
        ("cloudEvents_type", "chat"),
        ("cloudEvents_traceparent", PARENT_TEXT),
        ("cloudEvents_tracestate", "a=1"),
    ];
    for (envelope, mode) in
        [(envelope(&[], &structured), "structured"), (envelope(&binary, CHAT), "binary")]
    {
        let attributes = carried(&tracer(1000), &envelope, notification(0));
        assert_eq!(text(&attributes, "traceparent").as_deref(), Some(PARENT_TEXT), "{mode}");
        assert_eq!(text(&attributes, "tracestate").as_deref(), Some("a=1"), "{mode}");
    }
    let last_hop = [("traceparent", OTHER)];
    let attributes = carried(&tracer(1000), &envelope(&last_hop, &structured), notification(0));
    assert_eq!(text(&attributes, "traceparent").as_deref(), Some(OTHER));
    assert_eq!(text(&attributes, "tracestate"), None, "that of another context is not mixed in");
}

#[test]
fn an_invalid_context_is_as_good_as_none() {
    for parent in ["", "nonsense", &PARENT_TEXT.to_uppercase(), &PARENT_TEXT[1..]] {
        let headers = [("traceparent", parent), ("tracestate", "a=1")];
        let attributes = carried(&tracer(1000), &envelope(&headers, CHAT), notification(0));
        assert!(attributes.is_empty(), "{parent}: {attributes:?}");
    }
    assert!(carried(&tracer(1000), &envelope(&[], CHAT), notification(0)).is_empty());
}

#[test]
fn the_context_is_left_out_where_it_would_break_raw_delivery_or_the_size() {
    let headers = [("traceparent", PARENT_TEXT), ("tracestate", "a=1")];
    let envelope = envelope(&headers, CHAT);
    let names = |tracer: &Tracer, notification: Notification| {
        let attributes = carried(tracer, &envelope, notification);
        assert!(attributes.len() <= 10, "{attributes:?}");
        ["traceparent", "tracestate"].map(|name| attributes.get(name).is_some())
    };
    let wide = tracer(1000);
    assert_eq!(names(&wide, notification(8)), [true, true]);
    assert_eq!(names(&wide, notification(9)), [true, false]);
    assert_eq!(names(&wide, notification(10)), [false, false]);
    // The body, and the attribute's name, type and value.
    let exact = 2 + 11 + 6 + PARENT_TEXT.len();
    assert_eq!(names(&tracer(exact), notification(0)), [true, false]);
    assert_eq!(names(&tracer(exact - 1), notification(0)), [false, false]);
}

#[test]
fn a_plugins_own_traceparent_stays() {
    let mut own = notification(0);
    own.attributes.set("traceparent", "mine");
    let headers = [("traceparent", PARENT_TEXT)];
    let attributes = carried(&tracer(1000), &envelope(&headers, CHAT), own);
    assert_eq!(text(&attributes, "traceparent").as_deref(), Some("mine"));
}

#[test]
fn a_collector_that_never_answers_costs_spans_and_no_time() {
    const EVENTS: u64 = 20_000;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", silent.local_addr().unwrap());
    let metrics = Arc::new(Metrics::new());
    let exporter =
        Exporter::start(&Url::parse(&url).unwrap(), "host", Arc::clone(&metrics)).unwrap();
    let tracer = Tracer::new(&trace(false), 1000, "queue", Some(exporter.spans()));
    let envelope = envelope(&[], CHAT);
    let began = Instant::now();
    for _ in 0..EVENTS {
        tracer.begin(&envelope, None).guard().end(&Outcome::Requeued);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let count = |result: &str| metrics.trace_spans.with_label_values(&[result]).get();
    assert_eq!((count("exported"), count("failed")), (0, 0));
    // What the queue has, and the two requests' worth that may have left it.
    assert!(count("dropped") >= EVENTS - 4096 - 1024, "{}", count("dropped"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(exporter.close(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(4), "nor is it waited for at the end");
}

#[test]
fn of_events_without_a_trace_one_in_so_many_is_recorded() {
    let url = Url::parse("http://127.0.0.1:9/v1/traces").unwrap();
    let exporter = Exporter::start(&url, "host", Arc::default()).unwrap();
    let recorded = |sample_one_in, headers: &[(&str, &str)]| {
        let settings = config::Trace { sample_one_in, ..trace(false) };
        let tracer = Tracer::new(&settings, 1000, "queue", Some(exporter.spans()));
        let envelope = envelope(headers, CHAT);
        let is_recorded = |_: &i32| {
            tracer.begin(&envelope, None).0.is_some_and(|trace| trace.span.borrow().is_some())
        };
        (0..1000).filter(is_recorded).count()
    };
    assert_eq!((recorded(0, &[]), recorded(1, &[])), (0, 1000));
    assert!((100..500).contains(&recorded(4, &[])));
    let unsampled = PARENT_TEXT.replace("-01", "-00");
    assert_eq!(recorded(0, &[("traceparent", PARENT_TEXT)]), 1000, "the producer has decided");
    assert_eq!(recorded(1, &[("traceparent", &unsampled)]), 0, "the producer has decided");
}

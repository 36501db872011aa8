//! A producer's trace goes on through the worker, to the collector and to subscribers, and never at an event's cost.

use std::collections::BTreeSet;

use lapin::types::{AMQPValue, FieldTable};

use crate::fake_sns::{EntryFault, FakeSns, Message, RequestFault, next};
use crate::support::{ADMIN, Admin, Collector, Event, Scrape, Stand, Worker};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn chat(text: &str) -> Event {
    Event::chat("ann@h/phone", "bob@h", text).routed("ann@h.chat")
}

fn traced(mut event: Event, parent: &str) -> Event {
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(parent.into()));
    headers.insert("tracestate".into(), AMQPValue::LongString("vendor=1".into()));
    event.properties = event.properties.with_headers(headers);
    event
}

fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.attributes.get(name).map(|it| &*it.value)
}

async fn worker_on(
    stand: &Stand,
    sns: &FakeSns,
    collector: &Collector,
    settings: &[(&str, &str)],
) -> Worker {
    let url = sns.url();
    let base = [("SNS__SNS_HOST", &*url), ("TRACE__OTLP_ENDPOINT", &*collector.url), ADMIN];
    Worker::start_with(stand, &[&base, settings].concat()).await
}

#[tokio::test]
async fn a_producers_trace_goes_on_as_a_span_and_to_the_subscribers() {
    let (stand, sns, collector) =
        (Stand::new("span").await, FakeSns::start(), Collector::start().await);
    sns.record();
    let worker = worker_on(&stand, &sns, &collector, &[("TRACE__ATTRIBUTE", "true")]).await;
    stand.publish(traced(chat("secret text"), PARENT).identified("event-1")).await;
    let spans = collector.took(1).await;
    let span = &spans[0];
    assert_eq!((&*span.trace, &*span.parent), (TRACE, "b7ad6b7169203331"), "{span:?}");
    assert_eq!((span.kind, &*span.state, span.is_error), (5, "vendor=1", false), "{span:?}");
    assert_eq!(span.name, format!("process {}", stand.queue()));
    assert!(span.nanoseconds > 0 && span.nanoseconds < 60_000_000_000, "{span:?}");
    let destination = format!("{}:{}", stand.exchange(), stand.queue());
    for (key, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", &destination),
        ("messaging.message.id", "event-1"),
        ("event_pusher.kind", "chat"),
        ("event_pusher.outcome", "published"),
        ("event_pusher.attempts", "1"),
        ("aws.sns.topic.arn", &stand.topic_arn("pm")),
    ] {
        assert_eq!(span.attributes.get(key).map(String::as_str), Some(value), "{key}: {span:?}");
    }
    assert_eq!(span.resource["service.name"], "event-pusher-sns", "{span:?}");
    let shown = format!("{span:?}");
    for private in ["ann", "bob", "secret"] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
    let message = &sns.accepted()[0];
    let own = format!("00-{TRACE}-{}-01", span.id);
    assert_eq!(attribute(message, "traceparent"), Some(&*own), "{message:?}");
    assert_eq!(attribute(message, "tracestate"), Some("vendor=1"), "{message:?}");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn every_way_to_end_is_on_its_span_and_the_last_ones_leave_before_the_worker() {
    let (stand, sns, collector) =
        (Stand::new("ends").await, FakeSns::start(), Collector::start().await);
    sns.fail_entries(|entry| {
        let bad = entry.body.contains("refuse me");
        bad.then_some(EntryFault::Failed { code: "InvalidParameter", sender_fault: true })
    });
    sns.fail_requests(next(1, RequestFault::THROTTLING));
    let worker = worker_on(&stand, &sns, &collector, &[]).await;
    stand.publish(chat("retried")).await;
    worker.settles(1).await;
    stand.publish(chat("refuse me")).await;
    stand.publish(Event::new("{")).await;
    stand.publish(Event::new(r#"{"type":"poke"}"#)).await;
    worker.settles(4).await;
    worker.stop().await;
    let spans = collector.spans();
    let ends: BTreeSet<_> = spans
        .iter()
        .map(|it| {
            let text = |key: &str| it.attributes.get(key).map_or("", String::as_str);
            (text("event_pusher.outcome"), text("event_pusher.reason"), it.is_error)
        })
        .collect();
    let expected = [
        ("dead_lettered", "rejected", true),
        ("dead_lettered", "undecodable", true),
        ("published", "", false),
        ("skipped", "unsupported_type", false),
    ];
    assert_eq!(ends, BTreeSet::from(expected), "{spans:#?}");
    assert_eq!(spans.len(), 4, "{spans:#?}");
    let told: Vec<_> = spans.iter().filter(|it| it.is_error).map(|it| &*it.status).collect();
    assert!(told.iter().any(|it| it.starts_with("SNS refused it: InvalidParameter")), "{told:?}");
    let retried = spans.iter().find(|it| it.attributes["event_pusher.outcome"] == "published");
    assert_eq!(retried.unwrap().attributes["event_pusher.attempts"], "2", "{spans:#?}");
    let traces: BTreeSet<_> = spans.iter().map(|it| &it.trace).collect();
    assert_eq!(traces.len(), 4, "each of them began a trace of its own");
    stand.take_dead_letters(2).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_the_producer_does_not_record_is_passed_on_unchanged_and_not_exported() {
    let (stand, sns, collector) =
        (Stand::new("unsampled").await, FakeSns::start(), Collector::start().await);
    sns.record();
    let settings = [("TRACE__ATTRIBUTE", "true"), ("TRACE__SAMPLE_ONE_IN", "0")];
    let worker = worker_on(&stand, &sns, &collector, &settings).await;
    stand.publish(traced(chat("1"), UNSAMPLED)).await;
    stand.publish(traced(chat("2"), "00-not-a-context-01")).await;
    stand.publish(chat("3")).await;
    worker.settles(3).await;
    let message = |text: &str| {
        let of_text = |it: &Message| it.body.contains(&format!("\"{text}\""));
        sns.accepted().into_iter().find(of_text).unwrap()
    };
    assert_eq!(attribute(&message("1"), "traceparent"), Some(UNSAMPLED));
    assert_eq!(attribute(&message("1"), "tracestate"), Some("vendor=1"));
    for text in ["2", "3"] {
        assert!(message(text).attributes.is_empty(), "{:?}", message(text));
    }
    worker.stop().await;
    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_never_an_event() {
    const EVENTS: i64 = 300;
    let (stand, sns, collector) =
        (Stand::new("away").await, FakeSns::start(), Collector::start().await);
    collector.refuse_with(Some(500));
    let worker = worker_on(&stand, &sns, &collector, &[]).await;
    let admin = Admin::of(&worker).await;
    stand.publish_all((0..EVENTS).map(|it| chat(&it.to_string()))).await;
    let failed = ["result=\"failed\""];
    let scrape =
        admin.shows("spans that failed", |it| it.sum("trace_spans_total", &failed) > 0).await;
    assert_eq!(scrape.sum("trace_spans_total", &["result=\"exported\""]), 0);
    let done = |it: &Scrape| it.sum("outcomes_total", &["outcome=\"published\""]) == EVENTS;
    admin.shows("all events", done).await;
    let line = worker.logged("spans_lost").await;
    assert_eq!(
        (&line["level"], &line["error"]),
        (&"WARN".into(), &"it answers 500 Internal Server Error".into())
    );
    assert_eq!(admin.ready().await.0, 200, "it is no reason not to be ready");
    collector.refuse_with(None);
    // Those of the pause are sent after it, and those from now on.
    stand.publish(chat("again")).await;
    worker.logged("spans_taken_again").await;
    assert_eq!(worker.count("spans_lost"), 1, "said once");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_log_for_machines_has_a_line_for_each_change_and_none_for_an_event() {
    const EVENTS: usize = 400;
    let (stand, sns) = (Stand::new("log").await, FakeSns::start());
    let url = sns.url();
    let settings =
        [("SNS__SNS_HOST", &*url), ("LOG__FILTER", "info"), ("OUTAGE__PROBE_MAX_MS", "300"), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    sns.fail_requests(next(1, RequestFault::INVALID_TOKEN));
    let events = (0..EVENTS).map(|it| chat(&it.to_string()));
    stand.publish_all(events.chain((0..EVENTS).map(|_| Event::new("{")))).await;
    let all = i64::try_from(2 * EVENTS).unwrap();
    admin.shows("all outcomes", |it| it.sum("outcomes_total", &[]) == all).await;
    stand.take_dead_letters(EVENTS).await;
    let log = worker.log();
    worker.stop().await;
    for line in &log {
        for field in ["timestamp", "level", "event", "message", "target"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
        assert_ne!(line["level"], "DEBUG", "{line}");
    }
    // A start, a hold and its end, the first of each way to end.
    assert!(log.len() <= 20, "{log:#?}");
    let held: Vec<_> = log.iter().filter(|it| it["event"] == "held").collect();
    assert_eq!(held.len(), 1, "{log:#?}");
    assert!(held[0]["error"].as_str().unwrap().contains("InvalidClientTokenId"), "{log:#?}");
    stand.leave_nothing().await;
}

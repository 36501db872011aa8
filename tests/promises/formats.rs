//! Every input format on the running binary: what a producer sends and subscribers get.

use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::support::{Event, Stand, Totals, Worker, header};

fn with_content_type(mut event: Event, content_type: &str) -> Event {
    event.properties = event.properties.with_content_type(content_type.into());
    event
}

fn with_headers(mut event: Event, headers: &[(&str, AMQPValue)]) -> Event {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert((*name).into(), value.clone());
    }
    event.properties = event.properties.with_headers(table);
    event
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn message(from: &str, to: &str, message: &str) -> Value {
    json!({"from_user_id": from, "to_user_id": to, "message": message})
}

/// The bodies behind a topic, sorted.
async fn bodies(stand: &Stand, topic: &str, count: usize) -> Vec<String> {
    let received = stand.receive(topic, count).await;
    let mut bodies: Vec<_> = received.iter().map(|it| it.json().to_string()).collect();
    bodies.sort();
    bodies
}

fn sorted(expected: &[Value]) -> Vec<String> {
    let mut expected: Vec<_> = expected.iter().map(Value::to_string).collect();
    expected.sort();
    expected
}

/// Both modes, and both spellings of the headers; values as texts and in AMQP's own types.
#[tokio::test]
async fn cloud_events_are_published_as_the_events_in_them() {
    let stand = Stand::new("cloudevents").await;
    let format = ("AMQP__SOURCES__EVENTS__FORMAT", "cloudevents");
    let worker = Worker::start_with(&stand, &[format]).await;
    let data = |text: &str| message("Alice@localhost/x", "bob@localhost", text);
    let structured = json!({
        "specversion": "1.0", "id": "1", "source": "/chat", "type": "com.example.chat",
        "time": "2026-01-31T09:30:00Z", "datacontenttype": "application/json",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": data("structured"),
    });
    let headers = |separator: &str, time: AMQPValue| {
        let name = |attribute| format!("cloudEvents{separator}{attribute}");
        [
            (name("specversion"), text("1.0")),
            (name("id"), AMQPValue::LongLongInt(2)),
            (name("source"), text("/chat")),
            (name("type"), text("com.example.chat")),
            (name("time"), time),
        ]
    };
    let binary = |text: &str, separator: &str, time: AMQPValue| {
        let headers = headers(separator, time);
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let event = with_headers(Event::json(&data(text)), &headers);
        with_content_type(event, "application/json; charset=utf-8")
    };
    let foreign = json!({
        "specversion": "1.0", "id": "3", "source": "/shop", "type": "com.example.order",
        "data": "any",
    });
    let events = [
        with_content_type(Event::json(&structured), "application/cloudevents+json; charset=UTF-8"),
        binary("underscore", "_", text("2026-01-31T09:30:00Z")),
        binary("colon", ":", AMQPValue::Timestamp(1_769_850_000)),
        with_content_type(Event::json(&foreign), "application/cloudevents+json"),
        binary("", "_", text("yesterday")).identified("bad time"),
    ];
    stand.publish_all(events).await;
    worker.settles(5).await;

    let expected = ["structured", "underscore", "colon"]
        .map(|text| message("alice@localhost", "bob@localhost", text));
    assert_eq!(bodies(&stand, "pm", 3).await, sorted(&expected));
    let letter = stand.take_dead_letters(1).await.remove(0);
    assert_eq!(
        header(&letter, "event-pusher-error").as_deref(),
        Some(
            "the header `cloudEvents_time` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine digits of a second at most"
        )
    );
    let kept = letter.properties.headers().as_ref().unwrap().inner().get("cloudEvents_id").cloned();
    assert_eq!(kept, Some(AMQPValue::LongLongInt(2)), "headers stay as they came");
    let exit = worker.stop().await;
    let totals =
        Totals { received: 5, published: 3, skipped: 1, dead_lettered: 1, ..Totals::default() };
    assert_eq!(exit.totals(), totals, "{exit:?}");
    assert_eq!(exit.reasons(), "unsupported_type 1, undecodable 1");
    stand.leave_nothing().await;
}

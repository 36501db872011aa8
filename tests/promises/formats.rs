//! Every input format on the running binary: what a producer sends and subscribers get.

use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::support::{Event, Stand, Totals, Worker, header};

const ROOM: &str = "room@conference.localhost";

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

#[tokio::test]
async fn stanzas_are_published_as_what_users_sent() {
    let stand = Stand::new("stanzas").await;
    let worker = Worker::start_with(&stand, &[("AMQP__SOURCES__EVENTS__FORMAT", "xmpp")]).await;
    let published = [
        "<presence xmlns='jabber:client' from='Alice@localhost/📱'><show>away</show></presence>",
        "<presence from='bob@localhost/x' type='unavailable'/>",
        "<message xmlns='jabber:client' type='chat' from='alice@localhost/x' to='bob@localhost'>\
         <body xml:lang='de'>Hallo</body><body>Hi &amp; <![CDATA[<hello>]]></body></message>",
        "<c:message xmlns:c='jabber:client' to=\"room@conference.localhost/Bob\" type=\"chat\" \
         from=\"alice@localhost/x\"><c:body>psst</c:body></c:message>",
        "<message type='groupchat' from='alice@localhost/x' to='Room@Conference.localhost'>\
         <body>Hi all</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-31T09:30:00Z'/></message>",
    ];
    let skipped = [
        // The room's echo and its copy of a private message, on their way to an occupant.
        "<message type='groupchat' from='room@conference.localhost/Alice' to='bob@localhost/x'>\
         <body>Hi all</body></message>",
        "<message type='chat' from='room@conference.localhost/Alice' to='bob@localhost/x'>\
         <body>psst</body></message>",
        "<message type='chat' from='bob@localhost' to='bob@localhost/y'><received \
         xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message type='chat' \
         xmlns='jabber:client' from='alice@localhost/x' to='bob@localhost'><body>Hi</body>\
         </message></forwarded></received></message>",
        "<presence from='alice@localhost/x' to='room@conference.localhost/Alice'/>",
        "<message from='alice@localhost/x' to='bob@localhost'><body>normal</body></message>",
        "<message type='chat' from='alice@localhost/x' to='bob@localhost'><composing \
         xmlns='http://jabber.org/protocol/chatstates'/></message>",
    ];
    let events = published.iter().chain(&skipped).map(|stanza| Event::new(*stanza));
    stand.publish_all(events).await;
    worker.settles(published.len() + skipped.len()).await;

    let presences = sorted(&[
        json!({"user_id": "alice@localhost", "present": true}),
        json!({"user_id": "bob@localhost", "present": false}),
    ]);
    assert_eq!(bodies(&stand, "presence", 2).await, presences);
    let chats = sorted(&[
        message("alice@localhost", "bob@localhost", "Hi & <hello>"),
        message("alice@localhost", ROOM, "psst"),
    ]);
    assert_eq!(bodies(&stand, "pm", 2).await, chats);
    let to_room = [message("alice@localhost", ROOM, "Hi all").to_string()];
    assert_eq!(bodies(&stand, "muc", 1).await, to_room);
    let exit = worker.stop().await;
    let totals = Totals { received: 11, published: 5, skipped: 6, ..Totals::default() };
    assert_eq!(exit.totals(), totals, "{exit:?}");
    assert_eq!(exit.reasons(), "unsupported_type 1, received 2, copy 1, directed 1, no_text 1");
    stand.leave_nothing().await;
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

#[tokio::test]
async fn one_queue_takes_all_formats_by_default() {
    let stand = Stand::new("formats").await;
    let worker = Worker::start(&stand).await;
    let sent = message("alice@localhost", "bob@localhost", "mongooseim");
    let stanza = |text: &str| {
        format!(
            "<message type='chat' from='alice@localhost' to='bob@localhost'><body>{text}</body>\
             </message>"
        )
    };
    let cloud_event = |text: &str| {
        json!({
            "specversion": "1.0", "id": "1", "source": "/chat", "type": "com.example.chat",
            "data": message("alice@localhost", "bob@localhost", text),
        })
    };
    let headers = ["specversion", "id", "source", "type"].map(|it| format!("cloudEvents_{it}"));
    let headers: Vec<_> = headers
        .iter()
        .zip(["1.0", "1", "/", "chat"])
        .map(|(it, value)| (&**it, text(value)))
        .collect();
    let events = [
        Event::chat("alice@localhost", "bob@localhost", "native"),
        Event::json(&sent).routed("alice@localhost.chat_msg_sent"),
        Event::new(stanza("stanza by shape")),
        with_content_type(Event::new(stanza("stanza by type")), "application/xmpp+xml"),
        Event::json(&cloud_event("cloud event by shape")),
        with_content_type(
            Event::json(&cloud_event("cloud event by type")),
            "application/cloudevents+json",
        ),
        with_headers(
            Event::json(&message("alice@localhost", "bob@localhost", "cloud event by headers")),
            &headers,
        ),
    ];
    stand.publish_all(events).await;
    let texts = [
        "native",
        "mongooseim",
        "stanza by shape",
        "stanza by type",
        "cloud event by shape",
        "cloud event by type",
        "cloud event by headers",
    ];
    let expected = texts.map(|text| message("alice@localhost", "bob@localhost", text));
    assert_eq!(bodies(&stand, "pm", expected.len()).await, sorted(&expected));
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(7), "{exit:?}");
    stand.leave_nothing().await;
}

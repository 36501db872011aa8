//! Every input format: what a producer sends and subscribers get.

use serde_json::{Value, json};

use super::service::Accepted;
use super::*;

const ROOM: &str = "room@conference.localhost";

fn payload(text: impl Into<Vec<u8>>) -> Envelope {
    Envelope { payload: text.into(), ..Envelope::default() }
}

fn with_content_type(event: Envelope, content_type: &str) -> Envelope {
    Envelope { content_type: Some(content_type.to_owned()), ..event }
}

fn said(from: &str, to: &str, text: &str) -> Value {
    json!({"from_user_id": from, "to_user_id": to, "message": text})
}

/// The bodies behind a topic, whatever their order.
fn bodies(simulation: &Simulation, topic: &str) -> Vec<Value> {
    sorted(simulation.sns.of(topic).iter().map(Accepted::json).collect())
}

fn sorted(mut bodies: Vec<Value>) -> Vec<Value> {
    bodies.sort_by_key(Value::to_string);
    bodies
}

#[test]
fn stanzas_are_published_as_what_users_sent() {
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
    let format = "[amqp.sources.events]\nformat = \"xmpp\"\n";
    let totals = simulate(format, &Plugins::default(), async |it| {
        it.publish(published.into_iter().chain(skipped).map(payload));
        it.settles(11).await;
        let presences = [("alice@localhost", true), ("bob@localhost", false)];
        let presences = presences.map(|(user, is)| json!({"user_id": user, "present": is}));
        assert_eq!(bodies(it, "presence"), sorted(presences.into()));
        let chats = [("bob@localhost", "Hi & <hello>"), (ROOM, "psst")];
        let chats = chats.map(|(to, text)| said("alice@localhost", to, text));
        assert_eq!(bodies(it, "pm"), sorted(chats.into()));
        assert_eq!(bodies(it, "muc"), [said("alice@localhost", ROOM, "Hi all")]);
    });
    let expected = "11 received: 5 published, 6 skipped (unsupported_type 1, received 2, copy 1, \
                    directed 1, no_text 1), 0 dead-lettered, 0 handed back";
    assert_eq!(totals.to_string(), expected);
}

#[test]
fn one_queue_takes_all_formats_by_default() {
    let sent = |text: &str| said("alice@localhost", "bob@localhost", text);
    let stanza = |text: &str| {
        payload(format!(
            "<message type='chat' from='alice@localhost' to='bob@localhost'><body>{text}</body>\
             </message>"
        ))
    };
    let cloud_event = |text: &str| {
        event(&json!({
            "specversion": "1.0", "id": "1", "source": "/chat", "type": "com.example.chat",
            "data": sent(text),
        }))
    };
    let headers = [("specversion", "1.0"), ("id", "1"), ("source", "/"), ("type", "chat")];
    let headers = headers.map(|(name, value)| (format!("cloudEvents_{name}"), value.to_owned()));
    let routing_key = "alice@localhost.chat_msg_sent".to_owned();
    let events = [
        message("chat", "alice@localhost", "bob@localhost", "native"),
        Envelope { routing_key, ..event(&sent("mongooseim")) },
        stanza("stanza by shape"),
        with_content_type(stanza("stanza by type"), "application/xmpp+xml"),
        cloud_event("cloud event by shape"),
        with_content_type(cloud_event("cloud event by type"), "application/cloudevents+json"),
        Envelope { headers: headers.into(), ..event(&sent("cloud event by headers")) },
    ];
    let texts = [
        "native",
        "mongooseim",
        "stanza by shape",
        "stanza by type",
        "cloud event by shape",
        "cloud event by type",
        "cloud event by headers",
    ];
    let totals = simulate("", &Plugins::default(), async |it| {
        it.publish(events);
        it.settles(7).await;
        assert_eq!(bodies(it, "pm"), sorted(texts.map(sent).into()));
    });
    assert_eq!(totals.published, 7, "{totals}");
}

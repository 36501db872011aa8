//! Encodes an event as a message, in each input format.

use quick_xml::escape::escape;
use serde_json::{Value as Json, json};

use crate::cli::arguments::Wire;
use crate::event::EventKind;
use crate::rabbitmq::message::{Headers, Message, Properties, Value};
use crate::schema::NativeEvent;

/// RabbitMQ keeps it across a restart.
const PERSISTENT: u8 = 2;

const APP: &str = "event-pusher-sns feed";

/// The message, without exchange; its routing key is the format's own.
pub(super) fn message(event: &NativeEvent, wire: Wire) -> Message {
    let native = json!(event);
    let kind = event.kind();
    let (content_type, body, headers) = match wire {
        Wire::Native => ("application/json", native.to_string(), None),
        Wire::Mongooseim => ("application/json", mongooseim(&native), None),
        Wire::Xmpp => ("application/xmpp+xml", stanza(event), None),
        Wire::CloudEvents => {
            let mut envelope = json!({"datacontenttype": "application/json", "data": &native});
            for (name, value) in attributes(&native) {
                envelope[name] = value.into();
            }
            ("application/cloudevents+json", envelope.to_string(), None)
        }
        Wire::CloudEventsBinary => {
            let headers = attributes(&native)
                .map(|(name, value)| (format!("cloudEvents_{name}"), Value::Text(value)));
            ("application/json", native.to_string(), Some(headers.collect::<Headers>()))
        }
    };
    Message {
        exchange: String::new(),
        routing_key: own_routing_key(kind, wire, bare(sender(&native))),
        properties: Properties {
            content_type: Some(content_type.to_owned()),
            headers,
            delivery_mode: Some(PERSISTENT),
            message_id: native["id"].as_str().map(str::to_owned),
            timestamp: seconds(event),
            app_id: Some(APP.to_owned()),
            ..Properties::default()
        },
        body: body.into(),
        unread: None,
    }
}

fn seconds(event: &NativeEvent) -> Option<u64> {
    let (NativeEvent::Presence { timestamp, .. }
    | NativeEvent::Chat { timestamp, .. }
    | NativeEvent::Groupchat { timestamp, .. }) = event;
    timestamp.and_then(|time| time.as_second().try_into().ok())
}

fn text<'a>(native: &'a Json, name: &str) -> &'a str {
    native[name].as_str().unwrap_or_default()
}

fn sender(native: &Json) -> &str {
    native["user_id"].as_str().unwrap_or_else(|| text(native, "from_user_id"))
}

fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or(jid)
}

/// The attributes that a `CloudEvent` must have, and its time.
fn attributes(native: &Json) -> impl Iterator<Item = (&'static str, String)> {
    let domain = bare(sender(native)).rsplit('@').next().unwrap_or_default();
    [
        ("specversion", "1.0".to_owned()),
        ("id", text(native, "id").to_owned()),
        ("source", format!("xmpp:{domain}")),
        ("type", format!("im.event.{}", text(native, "type"))),
        ("time", text(native, "timestamp").to_owned()),
    ]
    .into_iter()
}

/// MongooseIM's objects have no type, no id and no time.
fn mongooseim(native: &Json) -> String {
    let mut object = native.clone();
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| !matches!(name.as_str(), "type" | "id" | "timestamp"));
    }
    object.to_string()
}

/// The routing key that a producer of this format uses for an event of this user.
pub(super) fn own_routing_key(kind: EventKind, wire: Wire, user: &str) -> String {
    match (wire, kind) {
        (Wire::Mongooseim, EventKind::Presence) => user.to_owned(),
        (Wire::Mongooseim, EventKind::Chat) => format!("{user}.chat_msg_sent"),
        (Wire::Mongooseim, EventKind::Groupchat) => format!("{user}.groupchat_msg_sent"),
        _ => kind.label().to_owned(),
    }
}

fn stanza(event: &NativeEvent) -> String {
    match event {
        NativeEvent::Presence { user_id, present, .. } => {
            let gone = if *present { "" } else { " type='unavailable'" };
            format!("<presence xmlns='jabber:client' from='{}'{gone}/>", escape(&user_id.0))
        }
        NativeEvent::Chat { from_user_id, to_user_id, message, id, .. }
        | NativeEvent::Groupchat { from_user_id, to_user_id, message, id, .. } => {
            let (kind, id) = (event.kind(), id.as_deref().unwrap_or_default());
            let (from, to) = (escape(&from_user_id.0), escape(&to_user_id.0));
            format!(
                "<message xmlns='jabber:client' type='{kind}' id='{id}' from='{from}' to='{to}'>\
                 <body>{}</body></message>",
                escape(message)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::traffic::{People, Traffic};
    use super::*;
    use crate::cli::arguments::Mix;
    use crate::event;
    use crate::event::{Decoded, Envelope, Event, Format};

    /// What the decoder makes of the message, by `format` or by looking at it.
    fn read(message: &Message, format: Format) -> (EventKind, String, Option<String>) {
        let Properties { content_type, message_id, headers, .. } = message.properties.clone();
        let envelope = Envelope {
            exchange: "chat.events".to_owned(),
            routing_key: message.routing_key.clone(),
            content_type,
            message_id,
            headers: crate::rabbitmq::headers::amqp_message::header_texts(headers.iter().flatten()),
            payload: message.body.clone(),
            unreadable: None,
        };
        match event::decode(&envelope, format) {
            Ok(Decoded::Event(event)) => {
                let text = match &event {
                    Event::Message(message) => Some(message.body.to_string()),
                    Event::Presence(_) => None,
                };
                (event.kind(), event.sender().to_string(), text)
            }
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&message.body)),
        }
    }

    #[test]
    fn every_format_is_read_as_what_was_meant_by_its_own_decoder_and_by_auto() {
        let (domain, muc_host) = ("example.org".to_owned(), "muc.example.org".to_owned());
        let people = People { users: 100, rooms: 10, domain, muc_host };
        let mut traffic = Traffic::new(1, people, Mix([1, 1, 1]));
        let wires = [
            (Wire::Native, Format::Native),
            (Wire::Mongooseim, Format::Mongooseim),
            (Wire::Xmpp, Format::Xmpp),
            (Wire::CloudEvents, Format::CloudEvents),
            (Wire::CloudEventsBinary, Format::CloudEvents),
        ];
        for _ in 0..300 {
            let event = traffic.next();
            let native = json!(event);
            let said = native["message"].as_str().map(str::to_owned);
            let expected = (event.kind(), sender(&native).to_owned(), said);
            for (wire, format) in wires {
                let message = message(&event, wire);
                assert_eq!(read(&message, format), expected, "{wire:?}");
                assert_eq!(read(&message, Format::Auto), expected, "{wire:?} by auto");
            }
        }
    }
}

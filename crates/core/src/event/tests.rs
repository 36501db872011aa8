//! What every payload becomes. Each table line is a promise: input → outcome.

mod auto;
mod cloudevents;
mod hostile;
mod jids;
mod mended;
mod odd;
mod random;
mod xmpp;
mod xmpp_odd;

use super::*;

const CHAT: &str = r#"{"type":"chat","from_user_id":"Alice@LocalHost/phone","to_user_id":"bob@localhost","message":"hi"}"#;

fn envelope(payload: impl AsRef<[u8]>) -> Envelope {
    Envelope {
        exchange: "chat.events".to_owned(),
        routing_key: "any.key".to_owned(),
        payload: payload.as_ref().to_vec(),
        ..Envelope::default()
    }
}

/// A delivery of MongooseIM's: no content type, no message id.
fn mongoose(exchange: &str, routing_key: &str, payload: &str) -> Envelope {
    Envelope {
        exchange: exchange.to_owned(),
        routing_key: routing_key.to_owned(),
        ..envelope(payload)
    }
}

/// The outcome in a word or two, or the whole error.
fn outcome(envelope: &Envelope, format: Format) -> String {
    match decode(envelope, format) {
        Ok(Decoded::Event(event)) => event.kind_label().to_owned(),
        Ok(Decoded::Skip(reason)) => format!("skip {reason}"),
        Err(error) => error.to_string(),
    }
}

fn event(envelope: &Envelope, format: Format) -> Event<'_> {
    match decode(envelope, format) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("no event: {other:?}"),
    }
}

fn message(envelope: &Envelope) -> Message<'_> {
    match event(envelope, Format::Native) {
        Event::Message(message) => message,
        Event::Presence(presence) => panic!("no message: {presence:?}"),
    }
}

#[test]
fn a_native_message_keeps_its_parts_with_normalised_jids() {
    let envelope = envelope(CHAT);
    let event = event(&envelope, Format::Auto);
    assert_eq!((event.kind(), event.host(), event.id()), (EventKind::Chat, "localhost", None));
    let message = message(&envelope);
    assert_eq!(message.from.as_str(), "alice@localhost/phone");
    assert_eq!(message.to.as_str(), "bob@localhost");
    assert_eq!(message.body, "hi");
    assert_eq!(message.meta, Meta::default());
}

#[test]
fn a_text_without_escapes_is_borrowed_from_the_payload() {
    let envelope = envelope(CHAT);
    assert!(matches!(message(&envelope).body, Cow::Borrowed("hi")));
}

#[test]
fn a_native_presence_says_who_and_whether() {
    for present in [true, false] {
        let payload = format!(r#"{{"present":{present},"user_id":"a@b/c","type":"presence"}}"#);
        let envelope = envelope(payload);
        let Event::Presence(presence) = event(&envelope, Format::Native) else { panic!() };
        assert_eq!((presence.user.as_str(), presence.present), ("a@b/c", present));
    }
}

#[test]
fn what_the_format_gives_no_meaning_is_metadata() {
    let envelope = envelope(
        r#"{"type":"chat","id":"e-1","timestamp":"2026-01-31T09:30:00+01:00","from_user_id":"a@b",
            "to_user_id":"c@d","message":"","device":{"os":["x"]},"present":1,"user_id":null}"#,
    );
    let message = message(&envelope);
    assert_eq!(message.meta.id.as_deref(), Some("e-1"));
    assert_eq!(message.meta.timestamp, Some("2026-01-31T08:30:00Z".parse().unwrap()));
    let metadata = serde_json::json!({"device": {"os": ["x"]}, "present": 1});
    assert_eq!(serde_json::Value::Object(message.meta.metadata), metadata);
}

#[test]
fn native_types_and_texts_decide_between_event_and_skip() {
    let cases = [
        (r#"{"type":"presence","user_id":"a@b","present":true}"#, "presence"),
        (r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d","message":""}"#, "chat"),
        (
            r#"{"type":"groupchat","from_user_id":"a@b","to_user_id":"r@m","message":"x"}"#,
            "groupchat",
        ),
        (r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d"}"#, "skip no_text"),
        (
            r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d","message":null}"#,
            "skip no_text",
        ),
        (r#"{"type":"headline"}"#, "skip unsupported_type"),
        (r#"{"type":""}"#, "skip unsupported_type"),
        (r#"{"type":"Chat","from_user_id":7,"to_user_id":"@"}"#, "skip unsupported_type"),
        (
            r#"{"t\u0079pe":"ch\u0061t","from_user_id":"a@b","to_user_id":"c@d","message":"x"}"#,
            "chat",
        ),
    ];
    for (payload, expected) in cases {
        assert_eq!(outcome(&envelope(payload), Format::Native), expected, "{payload}");
        assert_eq!(outcome(&envelope(payload), Format::Auto), expected, "{payload}");
    }
}

const SENT: &str = r#"{"from_user_id":"a@localhost/r","to_user_id":"b@localhost","message":"x"}"#;
const PRESENCE: &str = r#"{"user_id":"alice@localhost/res1","present":true}"#;

#[test]
fn mongooseim_tells_the_kind_by_routing_key_exchange_or_shape() {
    let cases = [
        ("chat_msg", "a@localhost.chat_msg_sent", SENT, "chat"),
        ("groupchat_msg", "a@localhost.groupchat_msg_sent", SENT, "groupchat"),
        ("renamed", "a@localhost.chat_msg_sent", SENT, "chat"),
        ("chat_msg", "b@localhost.chat_msg_recv", SENT, "skip received"),
        ("groupchat_msg", "b@localhost.groupchat_msg_recv", SENT, "skip received"),
        ("presence", "alice@localhost", PRESENCE, "presence"),
        ("renamed", "alice@localhost", PRESENCE, "presence"),
        (
            "presence",
            "a@localhost",
            r#"{"present":true}"#,
            "line 1, column 16: `user_id` is missing",
        ),
    ];
    for (exchange, routing_key, payload, expected) in cases {
        let envelope = mongoose(exchange, routing_key, payload);
        assert_eq!(outcome(&envelope, Format::Mongooseim), expected, "{routing_key}");
        assert_eq!(outcome(&envelope, Format::Auto), expected, "{routing_key}");
    }
}

#[test]
fn the_exchange_tells_the_kind_where_mongooseim_s_topics_have_other_names() {
    let cases = [
        (Format::MongooseimChat, "a@localhost.my_sent", SENT, "chat"),
        (Format::MongooseimGroupchat, "a@localhost.my_sent", SENT, "groupchat"),
        (Format::MongooseimChat, "b@localhost.chat_msg_recv", SENT, "skip received"),
        (
            Format::MongooseimGroupchat,
            "a@localhost.my_sent",
            PRESENCE,
            "line 1, column 49: `from_user_id` is missing",
        ),
    ];
    for (format, routing_key, payload, expected) in cases {
        let envelope = mongoose("renamed", routing_key, payload);
        assert_eq!(outcome(&envelope, format), expected, "{routing_key}");
    }
}

/// MongooseIM's own example of metadata adds a number as `timestamp`.
#[test]
fn mongooseim_may_add_any_metadata() {
    let payload =
        r#"{"user_id":"a@b","present":true,"timestamp":1769850000000000,"id":7,"type":"x"}"#;
    let envelope = mongoose("presence", "a@b", payload);
    let Event::Presence(presence) = event(&envelope, Format::Mongooseim) else { panic!() };
    let expected =
        serde_json::json!({"timestamp": 1_769_850_000_000_000_u64, "id": 7, "type": "x"});
    assert_eq!(serde_json::Value::Object(presence.meta.metadata), expected);
    assert_eq!((presence.meta.id, presence.meta.timestamp), (None, None));
}

#[test]
fn a_received_message_is_skipped_unread_by_mongooseim_and_read_first_by_auto() {
    let native = mongoose("any", "b@localhost.chat_msg_recv", CHAT);
    assert_eq!(outcome(&native, Format::Mongooseim), "skip received");
    assert_eq!(outcome(&native, Format::Auto), "chat");
    let broken = mongoose("chat_msg", "b@localhost.chat_msg_recv", "{");
    assert_eq!(outcome(&broken, Format::Mongooseim), "skip received");
    assert_eq!(
        outcome(&broken, Format::Auto),
        "line 1, column 1: the payload is not JSON: EOF while parsing an object"
    );
}

#[test]
fn an_event_of_unknown_kind_explains_what_would_tell_it() {
    let explained = |shown: &str| {
        format!(
            "line 1, column 73: nothing tells the kind of this event: the routing key{shown} is \
             none of `chat_msg_sent`, `groupchat_msg_sent`, `chat_msg_recv` and \
             `groupchat_msg_recv`, the exchange is not `presence`, and the object lacks \
             `user_id` or `present`; keep MongooseIM's default names, or give the source the format \
             mongooseim-chat or mongooseim-groupchat"
        )
    };
    for (routing_key, shown) in [
        ("a@localhost.sent", "'s end `sent`"),
        ("a@localhost", ""),
        ("a.b@localhost", ""),
        ("", ""),
        ("a@localhost.", ""),
        ("a@localhost.\nx", ""),
    ] {
        let envelope = mongoose("chat_msg", routing_key, SENT);
        assert_eq!(outcome(&envelope, Format::Mongooseim), explained(shown), "{routing_key:?}");
    }
    assert_eq!(outcome(&mongoose("chat_msg", "a@b.sent", SENT), Format::Auto), TYPE_MISSING);
}

const TYPE_MISSING: &str = "line 1, column 73: `type` is missing; a native event is of type \
    \"presence\", \"chat\" or \"groupchat\", and MongooseIM's are told by exchange and routing key";

//! JSON without a value: it is replaced, and the event goes on.

use serde_json::json;

use super::*;

/// A chat with these members more.
fn chat(more: &str) -> Envelope {
    envelope(format!(
        r#"{{"type":"chat","from_user_id":"a@h","to_user_id":"b@h","message":"hi",{more}}}"#
    ))
}

#[test]
fn half_an_emoji_is_replaced_in_every_json_format_and_the_event_is_known_to_be_mended() {
    let text = r#"{"from_user_id":"a@h","to_user_id":"b@h","message":"so \ud83d"}"#;
    let native = text.replacen('{', r#"{"type":"chat","#, 1);
    let attributes = r#""specversion":"1.0","id":"1","source":"s","type":"chat""#;
    let data = base64_simd::STANDARD.encode_to_string(&native);
    let structured = |data: &str| Envelope {
        content_type: Some("application/cloudevents+json".to_owned()),
        ..envelope(format!("{{{attributes},{data}}}"))
    };
    for (envelope, format) in [
        (envelope(&native), Format::Native),
        (envelope(&native), Format::Auto),
        (mongoose("chat_msg", "a@h.chat_msg_sent", text), Format::Mongooseim),
        (mongoose("chat_msg", "", text), Format::MongooseimChat),
        (structured(&format!(r#""data":{native}"#)), Format::CloudEvents),
        (structured(&format!(r#""data_base64":"{data}""#)), Format::CloudEvents),
    ] {
        let Event::Message(message) = event(&envelope, format) else { panic!("{format:?}") };
        assert_eq!(message.body, "so \u{fffd}", "{format:?}");
        assert!(message.meta.is_mended, "{format:?}");
    }
    let whole = envelope(CHAT);
    assert!(!event(&whole, Format::Native).meta().is_mended);
}

#[test]
fn a_number_beyond_a_double_is_null_and_costs_no_event() {
    let envelope = chat(r#""unused":1e400,"other":[1,-1e999]"#);
    let message = message(&envelope);
    assert_eq!(
        serde_json::Value::from(message.meta.metadata),
        json!({"unused": null, "other": [1, null]})
    );
    assert!(message.meta.is_mended);
}

#[test]
fn a_number_beyond_a_double_is_no_text_and_no_flag_and_so_undecodable() {
    for (field, value, error) in [
        ("message", r#""hi""#, "`message` must be a string, found a number"),
        ("to_user_id", r#""bob@localhost""#, "`to_user_id` must be a string, found a number"),
    ] {
        let whole = format!(r#""{field}":{value}"#);
        let payload = CHAT.replace(&whole, &format!(r#""{field}":1e400"#));
        assert_ne!(payload, CHAT);
        assert!(outcome(&envelope(&payload), Format::Native).ends_with(error), "{payload}");
        let within = base64_simd::STANDARD.encode_to_string(&payload);
        let encoded = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"chat","data_base64":"{within}"}}"#
        );
        assert!(outcome(&envelope(encoded), Format::CloudEvents).ends_with(error), "{payload}");
    }
}

#[test]
fn what_is_no_json_at_all_is_as_undecodable_as_before() {
    for (more, error) in [
        (r#""a":"\ud83d","b":}"#, "line 1, column 88: the payload is not JSON: expected value"),
        (r#""from":1e400,"to":NaN"#, "line 1, column 89: the payload is not JSON: expected value"),
    ] {
        assert_eq!(outcome(&chat(more), Format::Native), error);
    }
    let jid = envelope(CHAT.replace("bob", r"b\ud83d"));
    assert!(outcome(&jid, Format::Native).contains("`to_user_id` is no JID"));
}

//! Which decoder reads what, where nobody said.

use super::*;

const STANZA: &str = "<message type='headline'/>";

fn typed(content_type: Option<&str>, payload: &str) -> Envelope {
    Envelope { content_type: content_type.map(str::to_owned), ..envelope(payload) }
}

#[test]
fn a_content_type_of_xml_or_cloudevents_decides_alone() {
    let no_xml =
        "line 1, column 1: the payload is not one XML stanza: a text stands outside the stanza";
    let no_event = "line 1, column 98: `specversion` is missing";
    let foreign = "a CloudEvent of this content type is not read; send application/cloudevents+json, \
                   one event a message, or the attributes as headers";
    for (content_type, expected) in [
        (Some("application/xml"), no_xml),
        (Some("Text/XML; charset=utf-8"), no_xml),
        (Some(" application/xmpp+xml ;x=y"), no_xml),
        (Some("application/cloudevents+json; charset=UTF-8"), no_event),
        (Some("Application/CloudEvents"), no_event),
        (Some("application/cloudevents-batch+json"), foreign),
        (Some("application/cloudevents+avro"), foreign),
        (Some("application/json"), "chat"),
        (Some("text/xml-ish"), "chat"),
        (Some(""), "chat"),
        (None, "chat"),
    ] {
        let envelope = typed(content_type, CHAT);
        assert_eq!(outcome(&envelope, Format::Auto), expected, "{content_type:?}");
        assert_eq!(outcome(&envelope, Format::Native), "chat", "{content_type:?}");
    }
}

#[test]
fn else_the_shape_decides() {
    for payload in [STANZA, " \r\n\t<message/>", "\u{feff}<message/>", "<?xml version='1.0'?><a/>"]
    {
        for content_type in [None, Some("application/octet-stream"), Some("application/json")] {
            let envelope = typed(content_type, payload);
            assert_eq!(outcome(&envelope, Format::Auto), "skip unsupported_type", "{payload}");
        }
    }
    let headline = r#"{"type":"headline","specversion":"1.0","id":"1","source":"/x"}"#;
    let structured = headline.replace('}', &format!(r#","data":{CHAT}}}"#));
    let native = headline.replace("headline", "presence").replace('}', r#","user_id":"@"}"#);
    for (payload, expected) in [
        (headline, "skip unsupported_type"),
        (&structured, "chat"),
        (
            &structured.replace(r#""1.0""#, r#""0.3""#),
            "line 1, column 34: `specversion` must be \"1.0\"",
        ),
        // With a field of a native event it is one.
        (
            &native,
            "line 1, column 73: `user_id` is no JID: nodepart empty despite the presence of a @",
        ),
        // Without one of the four, metadata.
        (&structured.replace("source", "sauce"), "skip unsupported_type"),
    ] {
        assert_eq!(outcome(&envelope(payload), Format::Auto), expected, "{payload}");
    }
}

#[test]
fn what_is_neither_xml_nor_json_is_said_to_be_no_json() {
    let error = "line 1, column 1: the payload is not JSON: expected value";
    assert_eq!(outcome(&envelope("message"), Format::Auto), error);
    assert_eq!(
        outcome(&envelope(b"\xff\xfe<\0a\0/\0>\0"), Format::Auto),
        "line 1, column 1: the payload is UTF-16; send UTF-8"
    );
}

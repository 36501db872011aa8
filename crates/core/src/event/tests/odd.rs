//! Broken, hostile and odd payloads: what becomes of each, to the letter.

use super::*;
use crate::outcome::{DeadLetter, Reason};

#[test]
fn a_broken_payload_is_undecodable_with_position_and_reason() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "line 1, column 1: the payload is empty; an event is one JSON object"),
        (b" \n ", "line 2, column 2: the payload is empty; an event is one JSON object"),
        (
            b"{\"type\":\"chat\",\n \"message\":\"\xff\"}",
            "line 2, column 13: the payload is not UTF-8; the first bad byte is at offset 28",
        ),
        (b"\xff\xfe{\0}\0", "line 1, column 1: the payload is UTF-16; send UTF-8"),
        (b"\xfe\xff\0{\0}", "line 1, column 1: the payload is UTF-16; send UTF-8"),
        (
            b"\x1f\x8b\x08\0",
            "line 1, column 1: the payload is compressed with gzip; send it as it is",
        ),
        (b"{\0}\0", "line 1, column 2: the payload is not JSON: key must be a string"),
        (
            b"{\"type\":\"gr\xfc\xdfe\"}",
            "line 1, column 12: the payload is not UTF-8; the first bad byte is at offset 11",
        ),
        (b"\xef\xbb\xbf", "line 1, column 4: the payload is empty; an event is one JSON object"),
        (
            b"\xef\xbb\xbf{\"type\":7}x",
            "line 1, column 14: the payload is not JSON: trailing characters",
        ),
        (
            b"\xef\xbb\xbf\n{\"type\":7}x",
            "line 2, column 11: the payload is not JSON: trailing characters",
        ),
        (
            b"\xef\xbb\xbf\xef\xbb\xbf{}",
            "line 1, column 4: the payload is not JSON: expected value",
        ),
        (b"{", "line 1, column 1: the payload is not JSON: EOF while parsing an object"),
        (
            b"{\"type\":\"cha",
            "line 1, column 12: the payload is not JSON: EOF while parsing a string",
        ),
        (b"{\"type\":\"chat\",}", "line 1, column 16: the payload is not JSON: trailing comma"),
        (b"{\"type\":\"x\"}{}", "line 1, column 13: the payload is not JSON: trailing characters"),
        (
            b"{\"type\":\"x\"",
            "line 1, column 11: the payload is not JSON: EOF while parsing an object",
        ),
        (b"{'type':'x'}", "line 1, column 2: the payload is not JSON: key must be a string"),
        (b"hello", "line 1, column 1: the payload is not JSON: expected value"),
        (b"\"planted\"", "line 1, column 1: the payload must be a JSON object, found a string"),
        (
            b" [{\"type\":\"chat\"}]",
            "line 1, column 2: the payload must be a JSON object, found an array",
        ),
        (b"42", "line 1, column 1: the payload must be a JSON object, found a number"),
        (b"true", "line 1, column 1: the payload must be a JSON object, found a boolean"),
        (b"null", "line 1, column 1: the payload must be a JSON object, found null"),
        (
            b"{\"type\":\"chat\",\"message\":\"\x01\"}",
            "line 1, column 27: the payload is not JSON: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (
            b"{\"type\":\"chat\",\"message\":\"\0\"}",
            "line 1, column 27: the payload is not JSON: control character (\\u0000-\\u001F) found while parsing a string",
        ),
    ];
    for (payload, expected) in cases {
        let shown = String::from_utf8_lossy(payload);
        assert_eq!(outcome(&envelope(payload), Format::Native), *expected, "{shown}");
        assert_eq!(outcome(&envelope(payload), Format::Auto), *expected, "{shown}");
        let told = Envelope { routing_key: "a@b.chat_msg_sent".to_owned(), ..envelope(payload) };
        assert_eq!(outcome(&told, Format::Mongooseim), *expected, "{shown}");
        assert_eq!(outcome(&envelope(payload), Format::CloudEvents), *expected, "{shown}");
        let headers = [("specversion", "1.0"), ("id", "1"), ("source", "/"), ("type", "chat")];
        let headers = headers.map(|(name, it)| (format!("cloudEvents_{name}"), it.to_owned()));
        let binary = Envelope { headers: headers.to_vec(), ..envelope(payload) };
        assert_eq!(outcome(&binary, Format::CloudEvents), *expected, "{shown}");
    }
}

#[test]
fn a_malformed_field_is_undecodable_with_its_name_and_position() {
    let cases = [
        (
            "{}",
            "line 1, column 2: `type` is missing; a native event is of type \"presence\", \"chat\" or \"groupchat\", and MongooseIM's are told by exchange and routing key",
        ),
        (
            r#"{"type":null}"#,
            "line 1, column 13: `type` is missing; a native event is of type \"presence\", \"chat\" or \"groupchat\", and MongooseIM's are told by exchange and routing key",
        ),
        (r#"{"type":7}"#, "line 1, column 9: `type` must be a string, found a number"),
        (r#"{"type":"presence","present":true}"#, "line 1, column 34: `user_id` is missing"),
        (r#"{"type":"presence","user_id":"a@b"}"#, "line 1, column 35: `present` is missing"),
        (
            r#"{"type":"presence","user_id":"a@b","present":"true"}"#,
            "line 1, column 46: `present` must be a boolean, found a string",
        ),
        (
            r#"{"type":"presence","user_id":["a@b"],"present":true}"#,
            "line 1, column 30: `user_id` must be a string, found an array",
        ),
        (
            r#"{"type":"chat","to_user_id":"a@b","message":"x"}"#,
            "line 1, column 48: `from_user_id` is missing",
        ),
        (
            r#"{"type":"chat","from_user_id":"a@b","message":"x"}"#,
            "line 1, column 50: `to_user_id` is missing",
        ),
        (r#"{"type":"chat"}"#, "line 1, column 15: `from_user_id` is missing"),
        (
            "{\"type\":\"chat\",\n\"message\" :\t{},\"from_user_id\":\"a@b\",\"to_user_id\":\"c@d\"}",
            "line 2, column 13: `message` must be a string, found an object",
        ),
        (
            r#"{"type":"chat","x\"}{[":[{"message":0}],"m\u0065ssage":1.5,"from_user_id":"a@b","to_user_id":"c@d"}"#,
            "line 1, column 56: `message` must be a string, found a number",
        ),
        (
            r#"{"type":"chat","id":1,"from_user_id":"a@b","to_user_id":"c@d"}"#,
            "line 1, column 21: `id` must be a string, found a number",
        ),
        (
            r#"{"type":"chat","timestamp":"yesterday"}"#,
            "line 1, column 28: `timestamp` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine digits of a second at most",
        ),
        ("\u{feff}{\"type\":7}", "line 1, column 12: `type` must be a string, found a number"),
        ("\u{feff}{\n\"type\":7}", "line 2, column 8: `type` must be a string, found a number"),
        (
            r#"{"type":"chat","timestamp":1769850000}"#,
            "line 1, column 28: `timestamp` must be a string, found a number",
        ),
        (
            r#"{"type":"chat","from_user_id":"a@b","to_user_id":"@b"}"#,
            "line 1, column 50: `to_user_id` is no JID: nodepart empty despite the presence of a @",
        ),
        (
            r#"{"type":"chat","message":"a","message":"b"}"#,
            "line 1, column 40: `message` stands twice; remove one",
        ),
        (
            r#"{"type":"headline","type":"chat"}"#,
            "line 1, column 27: `type` stands twice; remove one",
        ),
        (
            r#"{"type":null,"t\u0079pe":"chat"}"#,
            "line 1, column 26: `type` stands twice; remove one",
        ),
        (
            r#"{"type":"x","planted":1,"planted":2}"#,
            "line 1, column 35: a key stands twice; remove one",
        ),
        (
            r#"{"planted":1,"planted":2,"type":"x","type":"x"}"#,
            "line 1, column 24: a key stands twice; remove one",
        ),
    ];
    for (payload, expected) in cases {
        assert_eq!(outcome(&envelope(payload), Format::Native), expected, "{payload}");
        assert_eq!(outcome(&envelope(payload), Format::Auto), expected, "{payload}");
    }
}

#[test]
fn ten_thousand_levels_anywhere_are_undecodable_and_harmless() {
    let arrays = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for deep in [arrays, objects, "[".repeat(10_000)] {
        for payload in [
            deep.clone(),
            format!("{{\"type\":\"chat\",\"metadata\":{deep}}}"),
            format!("{{\"type\":\"headline\",\"message\":{deep}}}"),
            format!("{{\"type\":{deep}}}"),
            format!("{{\"user_id\":{deep},\"present\":true}}"),
        ] {
            let error = outcome(&envelope(&payload), Format::Auto);
            assert!(
                error.ends_with(": the payload is not JSON: recursion limit exceeded"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_body_of_any_characters_arrives_unchanged() {
    for (written, expected) in [
        (r"\u0000\u0001\u001f", "\u{0}\u{1}\u{1f}"),
        ("\u{7f}\u{85}\u{9f}", "\u{7f}\u{85}\u{9f}"),
        ("❤☀☆☂☻♞☯☭☢€", "❤☀☆☂☻♞☯☭☢€"),
        (r"\ud83d\ude00😀", "😀😀"),
        ("\u{ffff}\\uffff\u{fffe}", "\u{ffff}\u{ffff}\u{fffe}"),
    ] {
        let envelope = envelope(CHAT.replace("hi", written));
        assert_eq!(message(&envelope).body, expected);
    }
}

#[test]
fn a_body_of_a_mebibyte_is_decoded() {
    let text = "x".repeat(1 << 20);
    let envelope = envelope(CHAT.replace("hi", &text));
    assert_eq!(message(&envelope).body, text);
}

#[test]
fn no_error_shows_a_value_an_unknown_key_or_a_user() {
    const MARK: &str = "planted";
    let values =
        [r#""planted""#, r#"["planted"]"#, r#"{"planted":"planted"}"#, r#""planted"#, "planted"];
    let fields = [
        "type",
        "user_id",
        "present",
        "from_user_id",
        "to_user_id",
        "message",
        "id",
        "timestamp",
        MARK,
    ];
    let rest = r#""type":"chat","from_user_id":"a@b","to_user_id":"@planted","message":"planted""#;
    for value in values {
        let mut payloads = vec![value.to_owned(), format!("{value}{value}")];
        for field in fields {
            payloads.push(format!(r#"{{"{field}":{value}}}"#));
            payloads.push(format!(r#"{{"{field}":{value},{rest}}}"#));
            payloads.push(format!(r#"{{"{field}":{value},"{field}":{value}}}"#));
            payloads.push(format!(r#"{{"type":"presence","present":1,"{MARK}":{value}}}"#));
            payloads.push(format!(
                r#"{{"type":"presence","{field}":{value},"user_id":"p@planted p"}}"#
            ));
        }
        for payload in payloads {
            for (_, format) in Format::NAMED {
                let envelope = mongoose("any", "planted@planted.example.sent", &payload);
                if let Err(error) = decode(&envelope, format) {
                    let letter = DeadLetter::from(error.clone());
                    assert_eq!(letter.reason, Reason::Undecodable);
                    assert!(!letter.error.contains(MARK), "{payload}: {error}");
                    assert!(!letter.error.contains('\n') && error.position().is_some(), "{error}");
                }
            }
        }
    }
}

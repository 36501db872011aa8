//! Promises about payloads that nobody thought of.

mod round_trip;

use proptest::prelude::*;

use super::*;

fn any_format() -> impl Strategy<Value = Format> {
    prop::sample::select(Format::NAMED.map(|(_, format)| format).to_vec())
}

/// Text that is nearly an event, so that all branches are met.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[{}\\[\\]:,\"\\\\ \n]",
        "\"(type|user_id|present|from_user_id|to_user_id|message|id|timestamp|x)\"",
        "\"(specversion|source|time|data|data_base64|1.0|eyJ4Ijp7fX0=)\"",
        "\"(presence|chat|groupchat|a@b|room@muc/x|\\PC{0,4})\"",
        "(true|null|-1.5|\\\\u00e9|\\\\ud800)",
        Just(r#"{"type":"chat","from_user_id":"a@b","#.to_owned()),
        Just(r#""to_user_id":"c@d","message":"x"}"#.to_owned()),
        Just(r#"{"specversion":"1.0","id":"1","source":"/","type":"chat","data":"#.to_owned()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same for stanzas.
fn nearly_xml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[<>/='\" \n&;:!?\\-\\[\\]]",
        "(</?|/?>|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?xml |<!DOCTYPE )",
        "(message|presence|iq|body|delay|forwarded|p:a|xmlns|xmlns:p|xml:lang)",
        " (type|from|to|id|stamp)=['\"](chat|groupchat|a@b|c@d/e|\\PC{0,3})['\"]",
        " xmlns(:p)?='(jabber:client|urn:xmpp:(delay|forward:0|carbons:2|sid:0)|u)?'",
        "&(amp|lt|#65|#x41|#0|#xD800|x);?",
        "</(message|body|presence|a)>",
        Just("<message type='chat' from='a@b' to='c@d'>".to_owned()),
        Just("<body>".to_owned()),
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Headers of binary mode, nearly.
fn nearly_headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = "cloudEvents[_:](specversion|id|source|type|time|traceparent|x)";
    prop::collection::vec((name, "(1.0|chat|a.presence|2026-01-31T09:30:00Z|\\PC{0,4})"), 0..6)
}

/// Nothing that is true of all refusals may depend on what is refused.
fn assert_refusal(error: &DecodeError, payload: &[u8]) {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() <= 1024, "{text}");
    if let Some(position) = error.position() {
        let lines: Vec<_> = payload.split(|byte| *byte == b'\n').collect();
        assert!((1..=lines.len()).contains(&position.line), "{text}");
        assert!((1..=lines[position.line - 1].len() + 1).contains(&position.column), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(payload in prop::collection::vec(any::<u8>(), 0..256),
                                        headers in nearly_headers(),
                                        format in any_format()) {
        let envelope = Envelope { headers, ..envelope(payload) };
        if let Err(error) = decode(&envelope, format) {
            assert_refusal(&error, &envelope.payload);
        }
    }

    #[test]
    fn what_is_nearly_json_is_decoded_or_refused(payload in nearly_json(),
                                                 key in "\\PC{0,20}",
                                                 format in any_format()) {
        let envelope = mongoose("presence", &key, &payload);
        if let Err(error) = decode(&envelope, format) {
            assert_refusal(&error, &envelope.payload);
            prop_assert!(error.position().is_some());
        }
    }

    #[test]
    fn what_is_nearly_a_cloud_event_is_decoded_or_refused(headers in nearly_headers(),
                                                          payload in nearly_json()) {
        let envelope = Envelope { headers, ..envelope(payload) };
        if let Err(error) = decode(&envelope, Format::CloudEvents) {
            assert_refusal(&error, &envelope.payload);
        }
    }

    #[test]
    fn what_is_nearly_xml_is_decoded_or_refused(payload in nearly_xml()) {
        let envelope = envelope(payload);
        if let Err(error) = decode(&envelope, Format::Xmpp) {
            assert_refusal(&error, &envelope.payload);
            prop_assert!(error.position().is_some());
        }
    }

    #[test]
    fn a_jid_that_is_read_is_in_its_normal_form(jid in "[aAß\u{e4}\u{130}@./\u{5d0}1\\- 📱\u{200b}]{0,12}") {
        if let Ok(once) = address::parse(&jid) {
            prop_assert_eq!(address::parse(once.as_str()), Ok(once));
        }
    }

    #[test]
    fn positions_point_at_the_value(before in "[ -~]{0,20}", key in "[a-z\"\\\\{}\\[\\]:,]{0,8}") {
        let metadata = serde_json::json!({ key: [before, {"}": ","}] }).to_string();
        let inside = &metadata[1..metadata.len() - 1];
        let payload = format!("{{\"type\":\"chat\", {inside} ,\n\"id\": 7}}");
        prop_assert_eq!(
            outcome(&envelope(payload), Format::Native),
            "line 2, column 7: `id` must be a string, found a number"
        );
    }
}

//! Events within `CloudEvents`.

use super::*;

const DATA: &str =
    r#"{"type":"chat","from_user_id":"A@b/c","to_user_id":"c@d","message":"hi","os":"x"}"#;

/// In structured mode, with these members.
fn structured(members: &str) -> Envelope {
    let content_type = Some("application/cloudevents+json; charset=utf-8".to_owned());
    Envelope { content_type, ..envelope(format!("{{{members}}}")) }
}

const REQUIRED: &str =
    r#""specversion":"1.0","id":"e-1","source":"/chat","type":"org.example.said""#;

fn with_data(data: &str) -> Envelope {
    structured(&format!("{REQUIRED},\"data\":{data}"))
}

/// In binary mode, with these headers, written `name: value`.
fn binary(headers: &[&str], payload: &str) -> Envelope {
    let headers = headers.iter().map(|header| {
        let (name, value) = header.split_once(": ").unwrap_or((header, ""));
        (name.to_owned(), value.to_owned())
    });
    Envelope {
        headers: headers.collect(),
        content_type: Some("application/json".to_owned()),
        ..envelope(payload)
    }
}

const HEADERS: [&str; 4] = [
    "cloudEvents_specversion: 1.0",
    "cloudEvents_id: e-1",
    "cloudEvents_source: /chat",
    "cloudEvents_type: org.example.said",
];

fn with_headers(more: &[&str], payload: &str) -> Envelope {
    binary(&[&HEADERS, more].concat(), payload)
}

/// As both formats that can read them say, which must be the same.
fn decoded(envelope: &Envelope) -> String {
    let told = outcome(envelope, Format::CloudEvents);
    assert_eq!(outcome(envelope, Format::Auto), told, "auto");
    told
}

fn meta(envelope: &Envelope) -> Meta<'_> {
    event(envelope, Format::CloudEvents).meta().clone()
}

#[test]
fn both_modes_give_the_same_event_and_keep_id_time_and_trace() {
    let extensions =
        r#""time":"2026-01-31T10:30:00+01:00","subject":"s","traceparent":"00-a-b-01""#;
    let in_payload = structured(&format!("{REQUIRED},{extensions},\"data\":{DATA}"));
    let in_headers = [
        "cloudEvents_time: 2026-01-31T10:30:00+01:00",
        "cloudEvents_subject: s",
        "cloudEvents_traceparent: 00-a-b-01",
    ];
    let in_headers = with_headers(&in_headers, DATA);
    let mut with_colons = in_headers.clone();
    for (name, _) in &mut with_colons.headers {
        *name = name.replace('_', ":");
    }
    for envelope in [in_payload, in_headers, with_colons] {
        assert_eq!(decoded(&envelope), "chat");
        let Event::Message(message) = event(&envelope, Format::CloudEvents) else { panic!() };
        assert_eq!((message.from.as_str(), &*message.body), ("a@b/c", "hi"));
        assert!(matches!(message.body, Cow::Borrowed(_)));
        let meta = message.meta;
        assert_eq!((meta.id.as_deref(), meta.source.as_deref()), (Some("e-1"), Some("/chat")));
        assert_eq!(meta.timestamp, Some("2026-01-31T09:30:00Z".parse().unwrap()));
        assert_eq!(meta.traceparent.as_deref(), Some("00-a-b-01"));
        let metadata = serde_json::json!({"os": "x", "cloudevent": {
            "type": "org.example.said", "source": "/chat", "subject": "s",
            "traceparent": "00-a-b-01",
        }});
        assert_eq!(serde_json::Value::Object(meta.metadata), metadata);
    }
}

#[test]
fn an_extension_may_be_called_as_a_field_of_ours() {
    let payload = format!(
        "{REQUIRED},\"present\":\"yes\",\"user_id\":null,\"message\":\"m\",\"data\":{DATA}"
    );
    let envelope = structured(&payload);
    let Event::Message(message) = event(&envelope, Format::CloudEvents) else { panic!() };
    assert_eq!(message.body, "hi");
    let extensions = &message.meta.metadata["cloudevent"];
    assert_eq!((&extensions["present"], &extensions["message"]), (&"yes".into(), &"m".into()));
    assert!(extensions.get("user_id").is_none() && extensions.get("data").is_none());
}

#[test]
fn the_datas_own_type_tells_the_kind_else_the_attributes_last_word() {
    let untyped = DATA.replace(r#""type":"chat","#, "");
    for (attribute, data, expected) in [
        ("org.example.said", DATA, "chat"),
        ("org.example.presence", DATA, "chat"),
        ("org.example.chat", &untyped, "chat"),
        ("groupchat", &untyped, "groupchat"),
        ("org.example.groupchat", &untyped, "groupchat"),
        ("org.example.Chat", &untyped, "skip unsupported_type"),
        ("org.example.chat.v1", &untyped, "skip unsupported_type"),
        ("chat", r#"{"type":"headline"}"#, "skip unsupported_type"),
        // What is of no type of ours may have any data, or none.
        ("org.example.order", r#"{"total":1}"#, "skip unsupported_type"),
        ("org.example.order", "[1]", "skip unsupported_type"),
        ("org.example.order", "null", "skip unsupported_type"),
        ("chat.order", "\"text\"", "skip unsupported_type"),
    ] {
        let members = REQUIRED.replace("org.example.said", attribute);
        let envelope = structured(&format!("{members},\"data\":{data}"));
        assert_eq!(decoded(&envelope), expected, "{attribute} {data}");
        let kind = format!("cloudEvents_type: {attribute}");
        let envelope = binary(&[&HEADERS[..3], &[&kind]].concat(), data);
        assert_eq!(decoded(&envelope), expected, "{attribute} {data}");
    }
    let order = REQUIRED.replace("org.example.said", "org.example.order");
    assert_eq!(decoded(&structured(&order)), "skip unsupported_type");
    let binary = binary(&[&HEADERS[..3], &["cloudEvents_type: order"]].concat(), "\u{1}PDF");
    assert_eq!(decoded(&binary), "skip unsupported_type");
}

#[test]
fn the_attributes_win_over_what_the_data_says_of_itself() {
    let data = DATA.replacen('{', r#"{"id":"own","timestamp":"2020-01-01T00:00:00Z","#, 1);
    let envelope = with_data(&data);
    let own = meta(&envelope);
    assert_eq!(own.id.as_deref(), Some("e-1"));
    assert_eq!(own.timestamp, Some("2020-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(own.metadata["id"], "own");
    let envelope = with_headers(&["cloudEvents_time: 2026-01-01T00:00:00Z"], &data);
    let both = meta(&envelope);
    assert_eq!(both.timestamp, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(both.metadata["timestamp"], "2020-01-01T00:00:00Z");
}

#[test]
fn data_may_come_in_base64() {
    // {"user_id":"a@b","present":true}
    let data = "eyJ1c2VyX2lkIjoiYUBiIiwicHJlc2VudCI6dHJ1ZX0=";
    let members = REQUIRED.replace("said", "presence");
    let envelope = structured(&format!("{members},\"data_base64\":\"{data}\""));
    assert_eq!(decoded(&envelope), "presence");
    assert_eq!(meta(&envelope).id.as_deref(), Some("e-1"));
}

#[test]
fn without_its_content_type_a_structured_event_is_told_by_its_shape() {
    let envelope = Envelope { content_type: None, ..with_data(DATA) };
    assert_eq!(decoded(&envelope), "chat");
    let envelope = Envelope { content_type: Some("application/json".to_owned()), ..envelope };
    assert_eq!(decoded(&envelope), "chat");
}

#[test]
fn a_malformed_structured_event_is_undecodable_with_position() {
    let replaced =
        |from: &str, to: &str| structured(&format!("{REQUIRED},\"data\":{DATA}").replace(from, to));
    let said = REQUIRED.replace("said", "chat");
    let chat = |rest: &str| structured(&format!("{said}{rest}"));
    for (envelope, expected) in [
        (structured(""), "line 1, column 2: `specversion` is missing"),
        (replaced("\"1.0\"", "\"0.3\""), "line 1, column 16: `specversion` must be \"1.0\""),
        (
            replaced("\"1.0\"", "1.0"),
            "line 1, column 16: `specversion` must be a string, found a number",
        ),
        (replaced("\"e-1\"", "7"), "line 1, column 27: `id` must be a string, found a number"),
        (replaced("e-1", ""), "line 1, column 27: `id` must not be empty"),
        (replaced("\"e-1\"", "null"), "line 1, column 163: `id` is missing"),
        (replaced("source", "sauce"), "line 1, column 163: `source` is missing"),
        (replaced("org.example.said", ""), "line 1, column 57: `type` must not be empty"),
        (
            chat(r#","time":"now""#),
            "line 1, column 83: `time` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine digits of a second at most",
        ),
        (chat(r#","time":1"#), "line 1, column 83: `time` must be a string, found a number"),
        (chat(""), "line 1, column 75: `data` is missing"),
        (chat(r#","data":null"#), "line 1, column 87: `data` is missing"),
        (chat(r#","data":"{}""#), "line 1, column 83: `data` must be an object, found a string"),
        (chat(r#","data":[]"#), "line 1, column 83: `data` must be an object, found an array"),
        (chat(",\"data\":\n{}"), "line 2, column 2: `from_user_id` is missing"),
        (
            chat(",\"data\":{\n\"from_user_id\":\"@\"}"),
            "line 2, column 16: `from_user_id` is no JID: nodepart empty despite the presence of a @",
        ),
        (
            chat(r#","data":{"type":"chat","type":"x"}"#),
            "line 1, column 105: `type` stands twice; remove one",
        ),
        (chat(r#","data":{},"data":{}"#), "line 1, column 93: `data` stands twice; remove one"),
        (
            chat(r#","data_base64":"e30=""#),
            "line 1, column 90: in what `data_base64` encodes: line 1, column 2: `from_user_id` is missing",
        ),
        (chat(r#","data_base64":"e3""#), "line 1, column 90: `data_base64` is not base64"),
        (
            chat(r#","data_base64":"/w==""#),
            "line 1, column 90: in what `data_base64` encodes: line 1, column 1: the payload is not UTF-8; the first bad byte is at offset 0",
        ),
        (
            chat(r#","data_base64":{}"#),
            "line 1, column 90: `data_base64` must be a string, found an object",
        ),
        (envelope("[]"), "line 1, column 1: the payload must be a JSON object, found an array"),
    ] {
        let payload = String::from_utf8_lossy(&envelope.payload).into_owned();
        assert_eq!(outcome(&envelope, Format::CloudEvents), expected, "{payload}");
    }
}

#[test]
fn malformed_headers_are_undecodable_by_name() {
    let without = |name: &str| {
        let rest: Vec<_> = HEADERS.into_iter().filter(|it| !it.contains(name)).collect();
        binary(&rest, DATA)
    };
    for (envelope, expected) in [
        (without("_id"), "the header `cloudEvents_id` is missing"),
        (without("_source"), "the header `cloudEvents_source` is missing"),
        (without("_type"), "the header `cloudEvents_type` is missing"),
        (
            binary(&["cloudEvents_specversion: 0.3"], DATA),
            "the header `cloudEvents_specversion` must be 1.0",
        ),
        (
            binary(&[HEADERS[0], "cloudEvents_id: "], DATA),
            "the header `cloudEvents_id` must not be empty",
        ),
        (
            with_headers(&["cloudEvents_time: now"], DATA),
            "the header `cloudEvents_time` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine digits of a second at most",
        ),
        (
            with_headers(&["cloudEvents:id: e-2"], DATA),
            "a CloudEvents attribute stands twice among the headers; remove one",
        ),
        (with_headers(&[], r#"{"type":"chat"}"#), "line 1, column 15: `from_user_id` is missing"),
    ] {
        assert_eq!(decoded(&envelope), expected);
    }
    // Without a version there is no telling binary mode.
    assert_eq!(outcome(&without("specversion"), Format::Auto), "chat");
    let told = outcome(&without("specversion"), Format::CloudEvents);
    assert!(told.ends_with("`specversion` is missing"), "{told}");
    // In other spellings it is a header like any other.
    let foreign = ["cloudevents_specversion: 1.0", "ce-specversion: 1.0", "CloudEvents_id: 1"];
    assert_eq!(outcome(&binary(&foreign, DATA), Format::Auto), "chat");
}

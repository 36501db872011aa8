//! The same hostile and odd values within a message, by every way that a message may come in JSON:
//! what becomes of them must not depend on the way.

use super::*;

/// A message with these members, as native event, as MongooseIM's, and in each kind of `CloudEvent`.
fn ways(members: &[u8]) -> Vec<(&'static str, Format, Envelope)> {
    let joined = |before: &str, after: &str| {
        envelope([before.as_bytes(), members, after.as_bytes()].concat())
    };
    let attributes = r#"{"specversion":"1.0","id":"1","source":"/x","type":"org.example.chat","#;
    let plain = joined("{", "}");
    let encoded = base64_simd::STANDARD.encode_to_string(&plain.payload);
    let headers = [("specversion", "1.0"), ("id", "1"), ("source", "/x"), ("type", "chat")];
    let headers = headers.map(|(name, value)| (format!("cloudEvents_{name}"), value.to_owned()));
    let sent = "alice@localhost.chat_msg_sent".to_owned();
    vec![
        ("native", Format::Native, joined("{\"type\":\"chat\",", "}")),
        ("mongooseim", Format::Mongooseim, Envelope { routing_key: sent, ..plain.clone() }),
        ("binary", Format::CloudEvents, Envelope { headers: headers.to_vec(), ..plain }),
        ("structured", Format::CloudEvents, joined(&format!("{attributes}\"data\":{{"), "}}")),
        (
            "base64",
            Format::CloudEvents,
            envelope(format!("{attributes}\"data_base64\":\"{encoded}\"}}")),
        ),
    ]
}

/// Each error must end like this: before it stands where.
fn assert_everywhere(members: &[u8], expected: &str) {
    for (name, format, envelope) in ways(members) {
        for format in [format, Format::Auto] {
            let found = outcome(&envelope, format);
            let shown = String::from_utf8_lossy(&members[..members.len().min(200)]);
            assert!(found.ends_with(expected), "{name}, {shown}: {found}");
            assert!(found.len() < 300, "{name}: {found}");
        }
    }
}

/// With `from` as it is written, quotes and all.
fn from(written: &str) -> Vec<u8> {
    format!("\"from_user_id\":{written},\"to_user_id\":\"c@d\",\"message\":\"x\"").into_bytes()
}

fn body(written: &[u8]) -> Vec<u8> {
    [b"\"from_user_id\":\"a@b\",\"to_user_id\":\"c@d\",\"message\":", written].concat()
}

#[test]
fn a_text_of_another_kind_or_encoding_is_refused_by_every_decoder() {
    let control = "control character (\\u0000-\\u001F) found while parsing a string";
    let cases: [(&[u8], &str); 16] = [
        (b"\"x\"", "chat"),
        (b"\"\"", "chat"),
        (b"null", "skip no_text"),
        (b"7", "`message` must be a string, found a number"),
        (b"true", "`message` must be a string, found a boolean"),
        (b"[\"x\"]", "`message` must be a string, found an array"),
        (b"{}", "`message` must be a string, found an object"),
        (b"\"\\u0000\\ud83d\\ude00\"", "chat"),
        (b"\"\\ud83d\"", "chat"),
        (b"\"\\ude00\"", "chat"),
        (b"\"\\ud83d\\u0041\"", "chat"),
        (b"\"\0\"", control),
        (b"\"\n\"", control),
        (b"\"\\x41\"", "invalid escape"),
        (b"\"x\",\"message\":\"y\"", "`message` stands twice; remove one"),
        (b"\"x\",\"m\\u0065ssage\":\"y\"", "`message` stands twice; remove one"),
    ];
    for (written, expected) in cases {
        assert_everywhere(&body(written), expected);
    }
    for latin_or_surrogate in [&b"\"gr\xfc\xdfe\""[..], b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\""] {
        for (name, format, envelope) in ways(&body(latin_or_surrogate)) {
            let found = outcome(&envelope, format);
            assert!(
                found.contains("the payload is not UTF-8; the first bad byte"),
                "{name}: {found}"
            );
        }
    }
}

#[test]
fn an_address_that_is_no_jid_is_refused_by_every_decoder() {
    let jid = |length: usize| format!("\"n@{}\"", "d".repeat(length));
    let no_jid = |why: &str| format!("`from_user_id` is no JID: {why}");
    let node = no_jid("localpart doesn’t pass nodeprep validation");
    let domain = no_jid("domain doesn’t pass idna validation");
    for (written, expected) in [
        ("\"Alice@Localhost/📱\"", "chat"),
        ("\"דוד@דוגמה.קום/x\"", "chat"),
        ("\"alice@xn--mnchen-3ya.example\"", "chat"),
        ("\"alice smith@localhost\"", &node),
        ("\"a\\u0000@localhost\"", &node),
        ("\"alice@local host\"", &domain),
        ("\"alice@xn--a-ecp.ru\"", &domain),
        ("\"alice@דוגמה.example\"", &no_jid("domain doesn’t pass nameprep validation")),
        ("\"\"", &domain),
        (&jid(64), &domain),
        (&jid(100_000), &domain),
        (&format!("\"{}@b\"", "ü".repeat(100_000)), &no_jid("localpart longer than 1023 bytes")),
        (&format!("\"a@b/{}\"", "ü".repeat(100_000)), "chat"),
        ("7", "`from_user_id` must be a string, found a number"),
        ("null", "`from_user_id` is missing"),
        ("{\"from_user_id\":\"a@b\"}", "`from_user_id` must be a string, found an object"),
    ] {
        assert_everywhere(&from(written), expected);
    }
}

#[test]
fn depth_is_refused_by_every_decoder() {
    for deep in ["[".repeat(10_000), "{\"a\":".repeat(10_000)] {
        let members = body(b"\"x\",\"more\":");
        assert_everywhere(&[&members, deep.as_bytes()].concat(), "recursion limit exceeded");
    }
}

/// The key under which `serde_json` hands on JSON that nobody has read yet.
const RAW: &str = "$serde_json::private::RawValue";

#[test]
fn json_in_a_text_is_never_read_whatever_the_key_is_called() {
    for text in ["1", "not json", "{\\u0022a\\u0022:1}"] {
        let object = format!("{{\"{RAW}\":\"{text}\"}}");
        assert_everywhere(&body(object.as_bytes()), "`message` must be a string, found an object");
        let beside = format!("\"m\":[{object},7,{{\"{RAW}\":7}}],");
        assert_everywhere(&[beside.as_bytes(), &body(b"\"x\"")].concat(), "chat");
    }
    // Read anew each time, this would be many thousand levels deep, each text of them few.
    let mut nested = "1".to_owned();
    for _ in 0..60 {
        let escaped = nested.replace('\\', "\\u005c").replace('"', "\\u0022");
        let object = format!("{{\"{RAW}\":\"{escaped}\"}}");
        nested = format!("{}{object}{}", "[".repeat(100), "]".repeat(100));
    }
    let beside = format!("\"m\":{nested},");
    assert_everywhere(&[beside.as_bytes(), &body(b"\"x\"")].concat(), "chat");
}

#[test]
fn so_many_values_that_they_would_fill_the_memory_are_not_read() {
    let most = crate::limits::MOST_JSON_VALUES;
    for (value, each) in [("{\"a\":0}", 2), ("0", 1), ("[[]]", 2), ("\"\"", 1)] {
        let with = |count: usize| {
            let beside = format!("\"m\":[{}],", vec![value; count].join(","));
            [beside.as_bytes(), &body(b"\"x\"")].concat()
        };
        assert_everywhere(&with(most / each - 20), "chat");
        let refused = "it has more than 100000 values, and no more are read";
        for count in [most / each, most / each + 20_000] {
            assert_everywhere(&with(count), refused);
        }
    }
    let members: Vec<_> = (0..=most).map(|it| format!("\"{it}\":1,")).collect();
    let members = members.concat();
    let refused = "it has more than 100000 values, and no more are read";
    assert_everywhere(&[members.as_bytes(), &body(b"\"x\"")].concat(), refused);
}

//! Bad input in JSON.

use lapin::BasicProperties;
use serde_json::{Value, json};

use crate::support::Event;

use super::{
    Case, DeadLettered, MARKER, Published, ROOM, Skipped, UNDECODABLE, case, chat, presence_of,
    published_chat,
};

/// Not text, not JSON, or not an object.
pub(super) fn broken_syntax() -> Vec<Case> {
    let undecodable = |error| DeadLettered(UNDECODABLE, error);
    let quoted = |text: &str| chat(&format!("\"{MARKER}{text}\""));
    let replaced = |from: u8, to: &[u8]| {
        let at = |byte: &u8| if *byte == from { to.to_vec() } else { vec![*byte] };
        quoted("~").iter().flat_map(at).collect::<Vec<_>>()
    };
    let whole = quoted("");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_field = format!(r#"{{"type":"chat","{MARKER}":{deep}}}"#);
    let deep_objects = format!("{}\"{MARKER}\"{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    vec![
        case("invalid UTF-8", replaced(b'~', b"\xff"), undecodable("not UTF-8")),
        case("overlong UTF-8", replaced(b'~', b"\xc0\xaf"), undecodable("not UTF-8")),
        case("UTF-8 cut in a character", replaced(b'~', b"\xf0\x9f"), undecodable("not UTF-8")),
        case("truncated in a string", &whole[..whole.len() - 3], undecodable("EOF")),
        case("truncated at the end", &whole[..whole.len() - 1], undecodable("EOF")),
        case("empty payload", "", undecodable("the payload is empty")),
        case("only spaces", " \r\n", undecodable("line 2, column 1: the payload is empty")),
        case("plain text", MARKER, undecodable("not JSON")),
        case("a string", format!("\"{MARKER}\""), undecodable("found a string")),
        case("an array", format!("[\"{MARKER}\"]"), undecodable("found an array")),
        case("two objects", [&*whole, &*whole].concat(), undecodable("trailing characters")),
        case("raw control character", replaced(b'~', b"\x01"), undecodable("control character")),
        case("raw newline", replaced(b'~', b"\n"), undecodable("control character")),
        case("10,000 arrays", deep, undecodable("recursion limit")),
        case("10,000 arrays in a field", deep_field, undecodable("recursion limit")),
        case("over eight mebibytes", quoted(&"x".repeat(8 << 20)), undecodable("are not read")),
        case("10,000 objects", deep_objects, undecodable("recursion limit")),
    ]
}

/// JSON objects that are no events.
pub(super) fn broken_fields() -> Vec<Case> {
    let without = |field: &str, of: Value| {
        let mut object = of;
        object.as_object_mut().unwrap().remove(field);
        object["note"] = MARKER.into();
        object.to_string()
    };
    let with = |field: &str, value: Value, of: Value| {
        let mut object = of;
        object[field] = value;
        object["note"] = MARKER.into();
        object.to_string()
    };
    let chat =
        || json!({"type": "chat", "from_user_id": "a@b", "to_user_id": "c@d", "message": MARKER});
    let presence = || json!({"type": "presence", "user_id": "a@b", "present": true});
    let undecodable = |error| DeadLettered(UNDECODABLE, error);
    let list = json!([MARKER]);
    vec![
        case("type missing", without("type", chat()), undecodable("`type` is missing")),
        case("from missing", without("from_user_id", chat()), undecodable("`from_user_id` is mi")),
        case("to missing", without("to_user_id", chat()), undecodable("`to_user_id` is missing")),
        case("user missing", without("user_id", presence()), undecodable("`user_id` is missing")),
        case("state missing", without("present", presence()), undecodable("`present` is missing")),
        case("text missing", without("message", chat()), Skipped("no_text")),
        case("type a list", with("type", list.clone(), chat()), undecodable("found an array")),
        case("text a number", with("message", json!(7), chat()), undecodable("found a number")),
        case("text a list", with("message", list.clone(), chat()), undecodable("found an array")),
        case("user a list", with("user_id", list, presence()), undecodable("found an array")),
        case("state a text", with("present", json!(MARKER), presence()), undecodable("a boolean")),
        case("time a word", with("timestamp", json!(MARKER), chat()), undecodable("RFC 3339")),
        case(
            "key twice",
            format!(r#"{{"type":"chat","message":"{MARKER}","message":"{MARKER}"}}"#),
            undecodable("`message` stands twice"),
        ),
        case(
            "unknown key twice",
            format!(r#"{{"type":"chat","{MARKER}":1,"{MARKER}":2}}"#),
            undecodable("a key stands twice"),
        ),
        case("unknown type", with("type", json!(MARKER), chat()), Skipped("unsupported_type")),
        case("no type", with("type", json!(""), chat()), Skipped("unsupported_type")),
    ]
}

pub(super) fn jids() -> Vec<Case> {
    let invalid = [
        String::new(),
        format!("@{MARKER}"),
        format!("{MARKER}@"),
        format!("{MARKER}@@b"),
        format!("{MARKER}@b@c"),
        format!("{MARKER} x@b"),
        format!("{MARKER}@a b"),
        format!("{MARKER}{}@localhost", "x".repeat(1024 - MARKER.len())),
    ];
    let longest = format!("{MARKER}{}@localhost", "x".repeat(1023 - MARKER.len()));
    let arrived = Published("presence", json!({"user_id": longest, "present": true}));
    let mut cases: Vec<_> = invalid
        .iter()
        .enumerate()
        .map(|(index, jid)| {
            let ends = DeadLettered(UNDECODABLE, "`user_id` is no JID");
            case(format!("invalid JID {index}"), presence_of(jid), ends)
        })
        .collect();
    cases.push(case("a local part of 1,023 bytes", presence_of(&longest), arrived));
    let without_resource = || {
        let user = format!("{MARKER}@b");
        Published("presence", json!({"user_id": user, "present": true}))
    };
    for (name, resource) in [("an emoji as", "📱"), ("an empty", ""), ("a long", &longest)] {
        let jid = format!("{MARKER}@b/{resource}");
        cases.push(case(format!("{name} resource"), presence_of(&jid), without_resource()));
    }
    cases
}

/// Whole events whose text, size, room or properties are unusual.
pub(super) fn odd_events() -> Vec<Case> {
    let text = |name: &str, text: &str| {
        let text = format!("{MARKER} {text}");
        case(name, chat(&serde_json::to_string(&text).unwrap()), published_chat(&text))
    };
    let groupchat = |name: &str, room: &str, ends| {
        let event = Event::groupchat(&format!("{MARKER}@localhost/r"), room, MARKER);
        case(name, event.payload, ends)
    };
    let in_room = json!({
        "from_user_id": format!("{MARKER}@localhost"), "to_user_id": ROOM, "message": MARKER,
    });
    let typed = |name: &str, content_type: &str, ends| {
        let mut case = case(name, chat(&format!("\"{name} {MARKER}\"")), ends);
        let properties: BasicProperties = case.event.properties.clone();
        case.event.properties = properties.with_content_type(content_type.into());
        case
    };
    let xml = || DeadLettered(UNDECODABLE, "XML");
    let mebibyte = format!("\"{MARKER}{}\"", "x".repeat(1024 * 1024));
    vec![
        text("escaped control characters", "\u{0}\u{1}\u{8}\t\n\r\u{1b}\u{1f}\u{7f}"),
        text("emoji", "🦀 👩‍👩‍👧‍👦 ❤️ 🇨🇭"),
        text("noncharacters", "\u{fffe} \u{ffff} \u{fffd} \u{10ffff}"),
        text("right to left", "ع \u{202e} \u{2028}"),
        text("JSON in a text", r#"","message":"x"} {"a":[1]}\"#),
        text("XML in a text", "</Message><![CDATA[ &amp; ]]>"),
        case("1 MiB", chat(&mebibyte), DeadLettered("too_large", "max_message_bytes allows")),
        groupchat("a room", ROOM, Published("muc", in_room)),
        groupchat("foreign room", "r@rooms.example", Skipped("muc_host_unmatched")),
        groupchat("room of another host", "r@conference.b", Skipped("muc_host_unmatched")),
        case("no content type", chat("\"a\""), published_chat("a")),
        case("half a surrogate pair", chat(r#""\ud83d""#), published_chat("\u{fffd}")),
        typed("JSON", "application/json", published_chat(&format!("JSON {MARKER}"))),
        typed("nonsense", "no/such", published_chat(&format!("nonsense {MARKER}"))),
        typed("XML", "application/xml", xml()),
        typed("stanza", "application/xmpp+xml; charset=utf-8", xml()),
    ]
}

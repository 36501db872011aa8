//! Broken and hostile stanzas and `CloudEvents`.

use serde_json::json;

use super::{Case, DeadLettered, Ends, MARKER, Published, Skipped, UNDECODABLE, case};

fn chat(inside: &str) -> String {
    format!(
        "<message type='chat' from='{MARKER}@localhost/r' to='bob@localhost'>{inside}</message>"
    )
}

fn refused(name: &str, payload: impl Into<Vec<u8>>, error: &'static str) -> Case {
    case(format!("stanza: {name}"), payload, DeadLettered(UNDECODABLE, error))
}

pub(super) fn cases() -> Vec<Case> {
    [hostile(), broken(), odd()].into_iter().flatten().collect()
}

fn hostile() -> Vec<Case> {
    let nested = |n: usize| format!("<!ENTITY l{} \"{}\">", n + 1, format!("&l{n};").repeat(10));
    let laughs: Vec<_> = (0..9).map(nested).collect();
    let body = chat("<body>&l9;</body>");
    let laughs = format!("<!DOCTYPE l [<!ENTITY l0 \"{MARKER}\">{}]>{body}", laughs.concat());
    let long = "x".repeat(200_000);
    let quadratic = format!("<!DOCTYPE a [<!ENTITY x \"{long}\">]><a>{}</a>", "&x;".repeat(9_999));
    let file = "<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/hostname\">]><m>&x;</m>";
    let many: Vec<_> = (0..10_000).map(|i| format!(" xmlns:p{i}='{MARKER}'")).collect();
    vec![
        refused("billion laughs", laughs, "a DTD begins here"),
        refused("quadratic blow-up", quadratic, "a DTD begins here"),
        refused("external entity", file, "a DTD begins here"),
        refused("instruction", format!("<?{MARKER}?><a/>"), "a processing instruction"),
        refused("10,000 elements deep", "<a>".repeat(10_000), "more than 64 deep"),
        refused("10,000 namespaces", format!("<a{}/>", many.concat()), "more than 64 namespaces"),
        refused("over a mebibyte", chat(&"x".repeat(1 << 20)), "are not read"),
    ]
}

fn broken() -> Vec<Case> {
    let utf_16 = |text: &str| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<_>>()
    };
    let latin_1 = "<?xml version='1.0' encoding='ISO-8859-1'?>";
    let mixed = [latin_1.as_bytes(), chat("<body>gr\u{fc}n</body>").as_bytes()].concat();
    let not_utf_8 = [b"<body>\xfc".to_vec(), chat("</body>").into_bytes()].concat();
    vec![
        refused("UTF-16", utf_16(&chat("<body/>")), "UTF-16"),
        refused("mixed encodings", mixed, "names another encoding"),
        refused("Latin 1", not_utf_8, "not UTF-8"),
        refused("NUL", chat("<body>\0</body>"), "U+0000"),
        refused("truncated", format!("{}<body", &chat("")[..60]), "it ends before"),
        refused("two", chat("").repeat(2), "a second element"),
        refused("undeclared prefix", format!("<{MARKER}:a/>"), "a prefix is declared nowhere"),
        refused("wrong end", format!("<a></{MARKER}>"), "does not match"),
        refused("unknown entity", format!("<a>&{MARKER};</a>"), "does not define"),
        refused("no sender", "<message type='chat' to='a@b'/>", "has no `from`"),
        refused("bad sender", format!("<presence from='@{MARKER}'/>"), "`from` is no JID"),
        case(
            "CloudEvent: data missing",
            json!({"specversion": "1.0", "id": MARKER, "source": MARKER, "type": "chat"})
                .to_string(),
            DeadLettered(UNDECODABLE, "`data` is missing"),
        ),
    ]
}

fn odd() -> Vec<Case> {
    let text = |name: &str, inside: &str, expected: &str| {
        let from = format!("{MARKER}@localhost");
        let message =
            json!({"from_user_id": from, "to_user_id": "bob@localhost", "message": expected});
        case(format!("stanza: {name}"), chat(inside), Published("pm", message))
    };
    let skipped = |name: &str, payload: String, reason| -> Case {
        let ends: Ends = Skipped(reason);
        case(format!("stanza: {name}"), payload, ends)
    };
    vec![
        text("CDATA", "<body><![CDATA[CDATA </body> &amp;]]></body>", "CDATA </body> &amp;"),
        text("references", "<body>&#x1F980;&lt;&#13;</body>", "🦀<\r"),
        text("line ends", "<body>line\r\nend</body>", "line\nend"),
        text("nested", "<x xmlns='u'><body>no</body></x><body>nested</body>", "nested"),
        text("empty", "<body/>", ""),
        skipped("no text", chat("<composing xmlns='u'/>"), "no_text"),
        skipped("query", format!("<iq type='get' id='{MARKER}'/>"), "unsupported_type"),
        skipped("directed", "<presence from='a@localhost' to='b@localhost'/>".into(), "directed"),
        skipped("copy", chat("<forwarded xmlns='urn:xmpp:forward:0'/>"), "copy"),
    ]
}

//! What becomes of stanzas that servers and clients send.

use super::*;

/// A chat message from alice to bob with `inside`.
fn chat(inside: &str) -> String {
    message("type='chat'", inside)
}

fn message(attributes: &str, inside: &str) -> String {
    format!(
        "<message xmlns='jabber:client' from='Alice@localhost/phone' to='bob@localhost' \
         {attributes}>{inside}</message>"
    )
}

fn presence(attributes: &str, inside: &str) -> String {
    format!("<presence from='alice@localhost/phone' {attributes}>{inside}</presence>")
}

fn xmpp(stanza: &str) -> String {
    outcome(&envelope(stanza), Format::Xmpp)
}

/// The message that a stanza is.
fn read(envelope: &Envelope) -> Message<'_> {
    match event(envelope, Format::Xmpp) {
        Event::Message(message) => message,
        Event::Presence(presence) => panic!("no message: {presence:?}"),
    }
}

fn text(stanza: &str) -> String {
    read(&envelope(stanza)).body.into_owned()
}

#[test]
fn a_child_may_name_the_namespace_that_its_stanza_was_cut_from() {
    let attributes = "type='chat' from='a@b' to='c@d'";
    for (on_stanza, on_body) in [("", " xmlns='jabber:client'"), (" xmlns='jabber:server'", "")] {
        let stanza = format!("<message{on_stanza} {attributes}><body{on_body}>hi</body></message>");
        assert_eq!(text(&stanza), "hi");
    }
    let foreign = format!("<message {attributes}><body xmlns='urn:other'>hi</body></message>");
    assert_eq!(xmpp(&foreign), "skip no_text");
}

#[test]
fn a_stanza_is_the_event_that_it_says() {
    let envelope = envelope(chat("<body>Hi &amp; bye</body>"));
    let message = read(&envelope);
    assert_eq!(message.kind, MessageKind::Chat);
    assert_eq!(message.from.as_str(), "alice@localhost/phone");
    assert_eq!(message.to.as_str(), "bob@localhost");
    assert_eq!(message.body, "Hi & bye");
    assert_eq!(message.meta, Meta { in_transit: true, ..Meta::default() });
}

#[test]
fn type_and_addressee_decide_between_event_and_skip() {
    let body = "<body>x</body>";
    let cases = [
        (chat(body), "chat"),
        (message("type='groupchat'", body), "groupchat"),
        (message("", body), "skip unsupported_type"),
        (message("type='normal'", body), "skip unsupported_type"),
        (message("type='headline'", body), "skip unsupported_type"),
        (message("type='error'", body), "skip unsupported_type"),
        (message("type='Chat'", body), "skip unsupported_type"),
        (message("type=''", body), "skip unsupported_type"),
        (presence("", ""), "presence"),
        (presence("type='unavailable'", ""), "presence"),
        (presence("type='available'", ""), "skip unsupported_type"),
        (presence("type='subscribe' to='bob@localhost'", ""), "skip unsupported_type"),
        (presence("type='probe'", ""), "skip unsupported_type"),
        (presence("to='bob@localhost'", ""), "skip directed"),
        (presence("to='room@conference.localhost/nick'", ""), "skip directed"),
        (presence("type='unavailable' to=''", ""), "skip directed"),
        (
            "<iq from='a@b' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>".into(),
            "skip unsupported_type",
        ),
        (
            "<message xmlns='urn:example' type='chat'><body/></message>".into(),
            "skip unsupported_type",
        ),
        (
            "<Message type='chat' from='a@b' to='c@d'><body/></Message>".into(),
            "skip unsupported_type",
        ),
        (
            "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>".into(),
            "skip unsupported_type",
        ),
    ];
    for (stanza, expected) in cases {
        assert_eq!(xmpp(&stanza), expected, "{stanza}");
        assert_eq!(outcome(&envelope(&stanza), Format::Auto), expected, "{stanza}");
    }
}

#[test]
fn a_presence_says_who_and_whether() {
    for (attributes, expected) in [("", true), ("type='unavailable'", false)] {
        let envelope = envelope(presence(attributes, "<show>away</show><priority>5</priority>"));
        let Event::Presence(presence) = event(&envelope, Format::Xmpp) else { panic!() };
        assert_eq!((presence.user.as_str(), presence.present), ("alice@localhost/phone", expected));
        let metadata = serde_json::json!({"show": "away", "priority": "5"});
        assert_eq!(serde_json::Value::Object(presence.meta.metadata), metadata);
    }
}

#[test]
fn a_message_without_a_text_is_skipped_and_an_empty_text_is_a_text() {
    for inside in [
        "",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<subject>x</subject>",
        "<body xmlns='urn:example'>x</body>",
        "<body xmlns='jabber:server'>x</body>",
        "<body xmlns=''>x</body>",
        "<x xmlns='urn:example'><body>x</body></x>",
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='jabber:client'>x</body></html>",
        "<Body>x</Body>",
        "text that is nobody's",
    ] {
        assert_eq!(xmpp(&chat(inside)), "skip no_text", "{inside}");
        assert_eq!(xmpp(&message("type='groupchat'", inside)), "skip no_text", "{inside}");
    }
    for inside in ["<body/>", "<body></body>", "<body\n/>", "<body><![CDATA[]]></body>"] {
        assert_eq!(text(&chat(inside)), "", "{inside}");
    }
}

#[test]
fn any_way_to_write_a_stanza_is_the_same_stanza() {
    for stanza in [
        "<message from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<message type=\"chat\" to=\"c@d\" from=\"a@b\"><body>x</body></message>",
        "<message\n\ttype = 'chat'\r\n to='c@d' from=\"a@b\"\n><body >x</body\n></message >",
        "<m:message xmlns:m='jabber:client' from='a@b' to='c@d' type='chat'><m:body>x</m:body></m:message>",
        "<message xmlns='jabber:server' from='a@b' to='c@d' type='chat'><s:body xmlns:s='jabber:server'>x</s:body></message>",
        "<message xmlns='jabber:component:accept' from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<message xmlns='jabber&#58;client' from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<message from='a&#64;b' to='&#x63;@d' type='ch&#97;t'><body>&#x78;</body></message>",
        "<message from='a@b' to='c@d' type='chat'><body><![CDATA[x]]></body></message>",
        "<message from='a@b' to='c@d' type='chat'><x xmlns='urn:x'><message><body>y</body></message></x><body>x</body></message>",
        "<message from='a@b' to='c@d' type='chat' m:type='y' xmlns:m='urn:x'><body>x</body></message>",
        " \n<message from='a@b' to='c@d' type='chat'><body>x</body></message>\n ",
        "\u{feff}<message from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<?xml version='1.0'?><message from='a@b' to='c@d' type='chat'><body>x</body></message>",
        // As Python's ElementTree writes it.
        "<?xml version='1.0' encoding='utf8'?>\n<message from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?>\n<message from='a@b' to='c@d' type='chat'><body>x</body></message>",
        "<!-- a --><message from='a@b' to='c@d' type='chat'><!-- b --><body><!-- c -->x<!-- d --></body></message><!-- e -->",
    ] {
        let envelope = envelope(stanza);
        let message = read(&envelope);
        assert_eq!(
            (message.from.as_str(), message.to.as_str(), &*message.body),
            ("a@b", "c@d", "x"),
            "{stanza}"
        );
    }
}

#[test]
fn a_body_is_its_own_text_with_references_resolved() {
    for (inside, expected) in [
        ("a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;", "a <b> & \"c\" 'd'"),
        ("&#10084;&#x2764;\u{fe0f}&#128512;😀", "❤❤\u{fe0f}😀😀"),
        ("a<![CDATA[<b>&amp;]]]]><![CDATA[>]]>c", "a<b>&amp;]]>c"),
        ("a\r\nb\rc&#13;&#10;d\te", "a\nb\nc\r\nd\te"),
        ("  two  spaces  ", "  two  spaces  "),
        ("a<b xmlns='urn:x'>not</b>c<d>not</d>e", "ace"),
        ("one<!-- two -->three", "onethree"),
        ("\u{85}\u{2028}\u{7f}", "\u{85}\u{2028}\u{7f}"),
        ("ع \u{202e} \u{202c}", "ع \u{202e} \u{202c}"),
    ] {
        assert_eq!(text(&chat(&format!("<body>{inside}</body>"))), expected, "{inside}");
    }
}

#[test]
fn a_plain_body_is_borrowed_from_the_payload() {
    let envelope = envelope(chat("<body>plain</body>"));
    assert!(matches!(read(&envelope).body, Cow::Borrowed("plain")));
}

#[test]
fn of_several_bodies_the_one_without_a_language_wins_else_the_first() {
    for (inside, expected) in [
        ("<body xml:lang='de'>de</body><body>none</body><body xml:lang='fr'>fr</body>", "none"),
        ("<body xml:lang='de'>de</body><body xml:lang='fr'>fr</body>", "de"),
        ("<body>first</body><body>second</body>", "first"),
        ("<body/><body xml:lang='de'>de</body>", ""),
        ("<body xml:lang='de'>de</body><body/>", ""),
        ("<body lang='de'>none</body><body>second</body>", "none"),
    ] {
        assert_eq!(text(&chat(inside)), expected, "{inside}");
        let translated = message("type='chat' xml:lang='en'", inside);
        assert_eq!(text(&translated), expected, "{inside}");
    }
}

#[test]
fn copies_are_skipped_whoever_they_come_from() {
    let inner = "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' \
                 stamp='2026-01-31T09:30:00Z'/><message xmlns='jabber:client' type='chat' \
                 from='a@b' to='c@d'><body>x</body></message></forwarded>";
    for inside in [
        inner.to_owned(),
        format!("<sent xmlns='urn:xmpp:carbons:2'>{inner}</sent>"),
        format!("<received xmlns='urn:xmpp:carbons:2'>{inner}</received>"),
        format!("<c:sent xmlns:c='urn:xmpp:carbons:2'>{inner}</c:sent>"),
        format!("<body>fyi</body>{inner}"),
    ] {
        assert_eq!(xmpp(&chat(&inside)), "skip copy", "{inside}");
    }
    for inside in [
        "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>",
        "<body>x</body><sent xmlns='urn:example'/>",
        "<body>x</body><forwarded/>",
        "<body>x</body><y xmlns='urn:y'><forwarded xmlns='urn:xmpp:forward:0'/></y>",
    ] {
        assert_eq!(xmpp(&chat(inside)), "chat", "{inside}");
    }
}

#[test]
fn the_earliest_delay_stamp_is_the_time() {
    let stamp = |at: &str| format!("<delay xmlns='urn:xmpp:delay' from='localhost' stamp='{at}'/>");
    let time = |inside: &str| {
        let envelope = envelope(chat(&format!("<body>x</body>{inside}")));
        read(&envelope).meta.timestamp.map(|time| time.to_string())
    };
    let one = stamp("2026-01-31T09:30:00Z");
    let two = stamp("2026-01-31T09:29:59.5+00:00");
    for (inside, expected) in [
        ("", None),
        (one.as_str(), Some("2026-01-31T09:30:00Z")),
        (&format!("{one}{two}"), Some("2026-01-31T09:29:59.5Z")),
        (&format!("{two}{one}"), Some("2026-01-31T09:29:59.5Z")),
        (&stamp("2026-01-31T10:30:00+01:00"), Some("2026-01-31T09:30:00Z")),
        // What can't be read was written by anybody, and is none.
        (&stamp("yesterday"), None),
        (&format!("{}{one}", stamp("20260131T09:30:00")), Some("2026-01-31T09:30:00Z")),
        ("<delay xmlns='urn:xmpp:delay'/>", None),
        ("<delay stamp='2026-01-31T09:30:00Z'/>", None),
        ("<x xmlns='jabber:x:delay' stamp='20260131T09:30:00'/>", None),
    ] {
        assert_eq!(time(inside).as_deref(), expected, "{inside}");
    }
}

#[test]
fn what_a_client_calls_its_stanza_is_metadata_and_never_the_events_id() {
    let inside = "<body>x</body><thread>t</thread><subject>s</subject><subject>t</subject>\
                  <origin-id xmlns='urn:xmpp:sid:0' id='o'/>\
                  <stanza-id xmlns='urn:xmpp:sid:0' id='s' by='bob@localhost'/>";
    let envelope = envelope(message("id='1' type='chat' xml:lang='en'", inside));
    let meta = read(&envelope).meta;
    assert_eq!((meta.id, meta.source), (None, None));
    let expected = serde_json::json!({
        "id": "1", "lang": "en", "thread": "t", "subject": "s", "origin_id": "o",
    });
    assert_eq!(serde_json::Value::Object(meta.metadata), expected);
}

#[test]
fn a_private_message_to_an_occupant_is_a_chat_with_the_room() {
    let stanza = "<message from='alice@localhost/r' to='Room@Conference.localhost/🦀 Bob' \
                  type='chat'><body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>\
                  </message>";
    let envelope = envelope(stanza);
    let message = read(&envelope);
    assert_eq!(bare(&message.to), "room@conference.localhost");
    assert_eq!(message.kind, MessageKind::Chat);
}

//! Broken, hostile and odd stanzas: what becomes of each, to the letter.

use super::*;

/// With this before it, unless it begins otherwise.
const NO_STANZA: &str = "the payload is not one XML stanza: ";

fn assert_refused(payload: impl AsRef<[u8]>, expected: &str) {
    let payload = payload.as_ref();
    let found = outcome(&envelope(payload), Format::Xmpp);
    let shown = String::from_utf8_lossy(&payload[..payload.len().min(200)]);
    assert_eq!(found.replace(NO_STANZA, ""), expected, "{shown}");
}

/// A chat whose second line is `inside`.
fn chat(inside: &str) -> String {
    format!("<message from='a@b' to='c@d' type='chat'>\n{inside}</message>")
}

#[test]
fn what_is_no_utf_8_is_refused_where_it_begins() {
    let encodings: &[(&[u8], &str)] = &[
        (b"", "line 1, column 1: the payload is empty; an event is one XML stanza"),
        (b" \n ", "line 2, column 2: the payload is empty; an event is one XML stanza"),
        (b"\xef\xbb\xbf", "line 1, column 4: the payload is empty; an event is one XML stanza"),
        (b"<!-- -->", "line 1, column 9: the payload is empty; an event is one XML stanza"),
        (b"\xff\xfe<\0a\0/\0>\0", "line 1, column 1: the payload is UTF-16; send UTF-8"),
        (b"\xfe\xff\0<\0a\0/\0>", "line 1, column 1: the payload is UTF-16; send UTF-8"),
        (b"<\0a\0/\0>\0", "line 1, column 2: U+0000 is a character that XML forbids"),
        (
            b"<a>\n<b>gr\xfc\xdfe</b></a>",
            "line 2, column 6: the payload is not UTF-8; the first bad byte is at offset 9",
        ),
        (
            b"<a>\xc0\xaf</a>",
            "line 1, column 4: the payload is not UTF-8; the first bad byte is at offset 3",
        ),
        (
            b"<a>\xed\xa0\x80</a>",
            "line 1, column 4: the payload is not UTF-8; the first bad byte is at offset 3",
        ),
        (
            b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
            "line 1, column 1: the XML declaration names another encoding than UTF-8",
        ),
        (
            b"<?xml version='1.0' encoding='UTF-16'?><a/>",
            "line 1, column 1: the XML declaration names another encoding than UTF-8",
        ),
        (
            b"<?xml version='1.1'?><a/>",
            "line 1, column 1: the XML declaration must say version 1.0",
        ),
        (
            b"<?xml encoding='UTF-8'?><a/>",
            "line 1, column 1: the XML declaration must say version 1.0",
        ),
        (b"<a>\0</a>", "line 1, column 4: U+0000 is a character that XML forbids"),
        (b"<a>\x1b[31m</a>", "line 1, column 4: U+001B is a character that XML forbids"),
        (b"<a b='\x08'/>", "line 1, column 7: U+0008 is a character that XML forbids"),
        ("<a>\u{fffe}</a>".as_bytes(), "line 1, column 4: U+FFFE is a character that XML forbids"),
        (
            "<a>\u{ff61}\u{ffff}</a>".as_bytes(),
            "line 1, column 7: U+FFFF is a character that XML forbids",
        ),
    ];
    for (payload, expected) in encodings {
        assert_refused(payload, expected);
    }
}

#[test]
fn what_would_cost_is_refused_at_once() {
    let lol = |n: usize| format!("<!ENTITY l{} \"{}\">", n + 1, format!("&l{n};").repeat(10));
    let billion = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE l [<!ENTITY l0 \"lol\">{}]>\n{}",
        (0..9).map(lol).collect::<String>(),
        chat("<body>&l9;</body>")
    );
    let dtd = "a DTD begins here, which XMPP forbids, and with it all entity definitions";
    let instruction = "a processing instruction begins here, which XMPP forbids";
    assert_refused(&billion, &format!("line 2, column 1: {dtd}"));
    let quadratic = format!("<!DOCTYPE a [<!ENTITY x \"{}\">]><a>&x;&x;</a>", "x".repeat(100_000));
    for (payload, expected) in [
        (quadratic.as_str(), format!("line 1, column 1: {dtd}")),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", format!("line 1, column 1: {dtd}")),
        ("<!doctype a><a/>", format!("line 1, column 1: {dtd}")),
        ("<!DOCTYPE a [", format!("line 1, column 1: {dtd}")),
        ("<!DOCTYPE>", format!("line 1, column 10: {dtd}")),
        ("<a/><!DOCTYPE a>", format!("line 1, column 5: {dtd}")),
        ("<a><!DOCTYPE a></a>", format!("line 1, column 4: {dtd}")),
        ("<?xml-stylesheet href='x'?><a/>", format!("line 1, column 1: {instruction}")),
        ("<a><?php echo 1 ?></a>", format!("line 1, column 4: {instruction}")),
        (" <?xml version='1.0'?><a/>", format!("line 1, column 2: {instruction}")),
        ("<a/><?xml version='1.0'?>", format!("line 1, column 5: {instruction}")),
        ("<?", format!("line 1, column 1: {instruction}")),
    ] {
        assert_refused(payload, &expected);
    }
}

#[test]
fn sizes_and_depths_have_a_limit() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert_eq!(outcome(&envelope(deep(64)), Format::Xmpp), "skip unsupported_type");
    assert_refused(deep(65), "line 1, column 193: elements nest more than 64 deep");
    assert_refused("<a>".repeat(300_000), "line 1, column 193: elements nest more than 64 deep");
    let frame = chat("<body></body>").len();
    let fits = chat(&format!("<body>{}</body>", "x".repeat((1 << 20) - frame)));
    assert_eq!(outcome(&envelope(&fits), Format::Xmpp), "chat");
    assert_refused(
        fits + " ",
        "line 2, column 1048535: it has 1048577 bytes, and more than 1048576 are not read",
    );
    let declared = |n: usize| {
        let one = |i: usize| format!(" xmlns:p{i}='u'");
        format!("<a{}/>", (0..n).map(one).collect::<String>())
    };
    assert_eq!(outcome(&envelope(declared(64)), Format::Xmpp), "skip unsupported_type");
    let refused = "line 1, column 1: more than 64 namespaces are declared around one element";
    assert_refused(declared(65), refused);
    assert_refused(declared(60_000), refused);
}

/// The worst that fits into the limit is read in a time that depends on its length alone. A
/// minute is ample for all of it; a quadratic reader would need hours.
#[test]
fn no_stanza_within_the_limit_is_slow() {
    let fill = |one: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for i in 0.. {
            text.push_str(&one(i));
            if text.len() > 1_000_000 {
                break;
            }
        }
        text
    };
    let began = std::time::Instant::now();
    let names: Vec<_> = (1..=63).map(|i| format!(" xmlns:{}='u'", "p".repeat(i))).collect();
    let names = names.concat();
    let prefix = "p".repeat(62) + "q";
    for stanza in [
        chat(&fill(&|i| format!("<a{i}/>"))),
        format!("<m{}/>", fill(&|i| format!(" a{i}=''"))),
        format!("<m{names} xmlns:{prefix}='u'>{}</m>", fill(&|_| format!("<{prefix}:a/>"))),
        chat(&format!("<body>{}</body>", fill(&|_| "&#x1F600;".to_owned()))),
        chat(&format!("<body>{}</body>", fill(&|_| "&lt;".to_owned()))),
        chat(&format!("<body>{}</body>", fill(&|_| "<![CDATA[x]]>".to_owned()))),
        chat(&format!("<body>{}</body>", fill(&|_| "]]".to_owned()))),
        chat(&fill(&|_| "<body xml:lang='x'>x</body>".to_owned())),
        chat(&fill(&|_| "<delay xmlns='urn:xmpp:delay' stamp='x'/>".to_owned())),
        fill(&|_| "<!---->".to_owned()),
        format!("<a b='{}'/>", fill(&|_| "&amp;".to_owned())),
        format!("<!DOCTYPE a [{}", fill(&|_| "<!ENTITY a 'x'>".to_owned())),
    ] {
        let _ = outcome(&envelope(stanza), Format::Xmpp);
    }
    assert!(began.elapsed() < std::time::Duration::from_mins(1), "{:?}", began.elapsed());
}

#[test]
fn what_is_not_well_formed_is_refused_with_position_and_reason() {
    let entity = "a reference to an entity that XML does not define, or without its semicolon";
    let character = "a reference to a character that XML forbids, or that there is not";
    let end = "an end tag does not match its start tag";
    let unclosed = "it ends before all elements and markup do";
    let form = "an attribute needs `=` and a value in quotes";
    let name = "an element or attribute has no valid name";
    let outside = "a text stands outside the stanza";
    let prefix = "a prefix is declared nowhere";
    let declaration = "a namespace declaration is invalid";
    for (payload, expected) in [
        ("planted", format!("line 1, column 1: {outside}")),
        ("{\"type\":\"chat\"}", format!("line 1, column 1: {outside}")),
        ("<a/>\n x", format!("line 2, column 2: {outside}")),
        ("<a/>&amp;", format!("line 1, column 5: {outside}")),
        ("<![CDATA[x]]><a/>", format!("line 1, column 1: {outside}")),
        ("<a/>\n<a/>", "line 2, column 1: a second element begins behind the first; send one stanza a message".into()),
        ("<a>", format!("line 1, column 4: {unclosed}")),
        ("<a><b></a>", format!("line 1, column 7: {end}")),
        ("</a>", format!("line 1, column 1: {end}")),
        ("<a></A>", format!("line 1, column 4: {end}")),
        ("<a></a b='c'>", format!("line 1, column 4: {end}")),
        ("<p:a xmlns:p='u' xmlns:q='u'></q:a>", format!("line 1, column 30: {end}")),
        ("<a", format!("line 1, column 1: {unclosed}")),
        ("<", format!("line 1, column 1: {unclosed}")),
        ("<a b='c", format!("line 1, column 1: {unclosed}")),
        ("<a b=\"c'/>", format!("line 1, column 1: {unclosed}")),
        ("<a><![CDATA[x]></a>", format!("line 1, column 4: {unclosed}")),
        ("<a><!-- x></a>", format!("line 1, column 4: {unclosed}")),
        ("<a><!ENTITY b 'c'></a>", "line 1, column 4: markup that begins with `<!` is neither comment nor CDATA section".into()),
        ("<a><!-- x -- y --></a>", "line 1, column 11: a comment holds `--`".into()),
        ("<a>]]></a>", "line 1, column 4: `]]>` stands outside a CDATA section".into()),
        ("<>", format!("line 1, column 1: {name}")),
        ("< a/>", format!("line 1, column 1: {form}")),
        ("<1/>", format!("line 1, column 1: {name}")),
        ("<a\"b\"/>", format!("line 1, column 1: {name}")),
        ("<a:/>", format!("line 1, column 1: {name}")),
        ("<:a/>", format!("line 1, column 1: {name}")),
        ("<a:b:c xmlns:a='u'/>", format!("line 1, column 1: {name}")),
        ("<a 1='x'/>", format!("line 1, column 1: {name}")),
        ("<a ='x'/>", format!("line 1, column 1: {form}")),
        ("<a b/>", format!("line 1, column 1: {form}")),
        ("<a b=c/>", format!("line 1, column 1: {form}")),
        ("<a b=/>", format!("line 1, column 1: {form}")),
        ("<a b='1'c='2'/>", format!("line 1, column 1: {form}")),
        ("<a/b/>", format!("line 1, column 1: {name}")),
        ("<a b='1' b='2'/>", "line 1, column 1: an attribute stands twice".into()),
        ("<a b='<'/>", "line 1, column 1: an attribute's value holds `<`".into()),
        ("<p:a/>", format!("line 1, column 1: {prefix}")),
        ("<a p:b='c'/>", format!("line 1, column 1: {prefix}")),
        ("<a xmlns:p='u'/><p:a/>", "line 1, column 17: a second element begins behind the first; send one stanza a message".into()),
        ("<a><b xmlns:p='u'/><p:c/></a>", format!("line 1, column 20: {prefix}")),
        ("<a xmlns:p='u'><b xmlns:p=''/></a>", format!("line 1, column 16: {declaration}")),
        ("<a xmlns:xml='u'/>", format!("line 1, column 1: {declaration}")),
        ("<a xmlns:xmlns='u'/>", format!("line 1, column 1: {declaration}")),
        ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", format!("line 1, column 1: {declaration}")),
        ("<a>&nbsp;</a>", format!("line 1, column 4: {entity}")),
        ("<a>& b</a>", format!("line 1, column 4: {entity}")),
        ("<a>&amp</a>", format!("line 1, column 4: {entity}")),
        ("<a>&AMP;</a>", format!("line 1, column 4: {entity}")),
        ("<a>&;</a>", format!("line 1, column 4: {entity}")),
        ("<a b='&x;'/>", format!("line 1, column 1: {entity}")),
        ("<a b='&amp'/>", format!("line 1, column 1: {entity}")),
        ("<a b='& '/>", format!("line 1, column 1: {entity}")),
        ("<a>&#0;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#x1;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#xD800;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#xFFFF;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#x110000;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#99999999999999999999;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#-1;</a>", format!("line 1, column 4: {character}")),
        ("<a>&#;</a>", format!("line 1, column 4: {character}")),
        ("<a b='&#x8;'/>", format!("line 1, column 1: {character}")),
        ("<a b='&#xDFFF;'/>", format!("line 1, column 1: {character}")),
        (&chat("<body>planted"), format!("line 2, column 14: {end}")),
    ] {
        assert_refused(payload, &expected);
        assert_refused(format!("\n{payload}"), &expected.replacen("line 2", "line 3", 1).replacen("line 1", "line 2", 1));
    }
}

#[test]
fn addresses_that_are_missing_or_invalid_are_refused_where_they_stand() {
    for (stanza, expected) in [
        ("<message type='chat' to='a@b'/>", "line 1, column 1: the stanza has no `from`"),
        ("\n<message type='chat' from='a@b'/>", "line 2, column 1: the stanza has no `to`"),
        (
            "<message type='chat' m:from='a@b' to='a@b' xmlns:m='urn:x'/>",
            "line 1, column 1: the stanza has no `from`",
        ),
        (
            "<message type='chat' from='a@b'\n to='@b'><body>x</body></message>",
            "line 2, column 6: the stanza's `to` is no JID: nodepart empty despite the presence of a @",
        ),
        (
            "<message type='groupchat' to='a@b' from=''/>",
            "line 1, column 42: the stanza's `from` is no JID: domain doesn’t pass idna validation",
        ),
        (
            "<message type='chat' to='a@b' from='a&#32;b@c'/>",
            "line 1, column 37: the stanza's `from` is no JID: localpart doesn’t pass nodeprep validation",
        ),
        ("<presence/>", "line 1, column 1: the stanza has no `from`"),
        (
            "\u{feff}<presence from='@'/>",
            "line 1, column 20: the stanza's `from` is no JID: nodepart empty despite the presence of a @",
        ),
    ] {
        assert_refused(stanza, expected);
    }
}

#[test]
fn broken_xml_is_refused_even_where_the_stanza_would_be_skipped() {
    for begin in ["<iq type='get'>", "<message type='headline'>", "<presence to='a@b'>"] {
        let found = outcome(&envelope(format!("{begin}<a></b>")), Format::Xmpp);
        assert!(found.ends_with("an end tag does not match its start tag"), "{found}");
    }
}

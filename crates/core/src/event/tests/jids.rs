//! Which JIDs are users, and as whom.

use super::*;

const IDNA: Result<&str, &str> = Err("domain doesn’t pass idna validation");
const NAME: Result<&str, &str> = Err("domain doesn’t pass nameprep validation");
const NODE: Result<&str, &str> = Err("localpart doesn’t pass nodeprep validation");

/// XMPP's longest: 1,023 bytes each of local part, domain and resource, and two separators. DNS
/// allows a domain 253 of them.
fn longest(resource: usize, domain: usize) -> String {
    let label = "d".repeat(60) + ".";
    let domain: String = label.chars().cycle().take(domain).collect();
    let resource = "r".repeat(resource);
    format!("{}@{domain}/{resource}", "n".repeat(1023))
}

#[test]
fn jids_are_normalised_or_refused() {
    let bare_longest = longest(0, 253).replace('/', "");
    let long = |n: usize| format!("{}@localhost", "a".repeat(n));
    let cases: &[(&str, Result<&str, &str>)] = &[
        ("ALICE@LocalHost/Phone", Ok("alice@localhost/Phone")),
        ("localhost", Ok("localhost")),
        ("alice@localhost.", Ok("alice@localhost")),
        ("alice@localhost./a/b@c", Ok("alice@localhost/a/b@c")),
        ("alice@localhost/phone.", Ok("alice@localhost/phone.")),
        ("alice@[::1]", Ok("alice@[::1]")),
        ("alice@192.0.2.1", Ok("alice@192.0.2.1")),
        // Empty parts.
        ("", IDNA),
        ("@", Err("nodepart empty despite the presence of a @")),
        ("@localhost", Err("nodepart empty despite the presence of a @")),
        ("alice@", IDNA),
        ("alice@/phone", IDNA),
        ("alice@.", IDNA),
        ("alice@localhost..", IDNA),
        ("alice@a..b", IDNA),
        // Whose normal form is none: hyphens in places three and four are IDNA's own.
        ("a@ß--ß", IDNA),
        ("alice@b@localhost", Err("second @ found before parsing the resource")),
        // Spaces and controls.
        ("alice smith@localhost", NODE),
        (" alice@localhost", NODE),
        ("alice @localhost", NODE),
        ("alice\u{a0}@localhost", NODE),
        ("alice\u{0}@localhost", NODE),
        ("alice\n@localhost", NODE),
        ("alice@local host", IDNA),
        ("alice@localhost ", IDNA),
        ("alice@localhost\n", IDNA),
        ("alice@a\u{ff0f}b", IDNA),
        // Characters that look like others, or like none.
        ("Straße@MÜNCHEN.example", Ok("strasse@münchen.example")),
        ("ﬁne@localhost", Ok("fine@localhost")),
        ("ＡＬＩＣＥ@ｌｏｃａｌｈｏｓｔ", Ok("alice@localhost")),
        ("a\u{ad}l\u{200d}i\u{200b}ce@localhost", Ok("alice@localhost")),
        ("аlice@localhost", Ok("аlice@localhost")), // begins with a Cyrillic letter
        ("💬@localhost", NODE),
        // Domains: in Unicode or in punycode, each stays as it is.
        ("alice@xn--mnchen-3ya.example", Ok("alice@xn--mnchen-3ya.example")),
        ("alice@XN--MNCHEN-3YA.example", Ok("alice@xn--mnchen-3ya.example")),
        ("alice@xn--.example", IDNA),
        ("alice@xn--a-ecp.ru", IDNA),
        ("alice@-a.example", IDNA),
        ("alice@under_score.example", Ok("alice@under_score.example")),
        ("alice@ideographic。example", Ok("alice@ideographic。example")),
        // Right to left: by stringprep a whole domain has one direction, as a local part has, so
        // that of a mixed one there is only the form in punycode. MongooseIM's says the same.
        ("alice@דוגמה.קום", Ok("alice@דוגמה.קום")),
        ("alice@مثال.إختبار", Ok("alice@مثال.إختبار")),
        ("alice@דוגמה.example", NAME),
        ("alice@xn--6dbbec0c.example", Ok("alice@xn--6dbbec0c.example")),
        ("alice@דוגמהa.קום", IDNA),
        ("alice@0דוגמה.קום", IDNA),
        ("דוד@localhost", Ok("דוד@localhost")),
        ("דודa@localhost", NODE),
        ("alice\u{202e}@localhost", NODE),
        // Lengths, in bytes.
        (&long(1023), Ok(&long(1023))),
        (&long(1024), Err("localpart longer than 1023 bytes")),
        (&longest(1023, 253), Ok(&longest(1023, 253))),
        (&longest(1023, 254), IDNA),
        (&longest(1023, 1023), IDNA), // 3,071 bytes, the longest that XMPP's own limits allow
        (&longest(1024, 1023), IDNA),
        (&longest(1023, 1024), IDNA),
        // A resource is nobody's name: where it is none, there is none.
        ("alice@localhost/📱", Ok("alice@localhost")),
        ("alice@localhost/", Ok("alice@localhost")),
        ("alice@localhost/\u{0}\u{ffff}", Ok("alice@localhost")),
        ("Alice@localhost./📱", Ok("alice@localhost")),
        ("localhost/📱", Ok("localhost")),
        (&longest(1024, 253), Ok(&bare_longest)),
        ("alice smith@localhost/📱", NODE),
        ("alice@local host/📱", IDNA),
    ];
    for (jid, expected) in cases {
        let payload = serde_json::json!({"type": "presence", "present": true, "user_id": jid});
        let envelope = envelope(payload.to_string());
        match (decode(&envelope, Format::Auto), expected) {
            (Ok(Decoded::Event(event)), Ok(expected)) => {
                let user = event.sender();
                assert_eq!(user.as_str(), *expected);
                // The parts agree with the whole, which jid 0.12.3 doesn't promise by itself.
                assert_eq!(Jid::from_parts(user.node(), user.domain(), user.resource()), *user);
            }
            (Err(error), Err(expected)) => {
                let error = error.to_string();
                assert!(error.ends_with(&format!(": `user_id` is no JID: {expected}")), "{error}");
            }
            (decoded, _) => panic!("{jid:?} became {decoded:?}"),
        }
        assert_a_stanza_says_the_same(jid, *expected);
    }
}

/// With each character as a reference, so that white space stays what it is.
fn assert_a_stanza_says_the_same(jid: &str, expected: Result<&str, &str>) {
    let references: Vec<_> = jid.chars().map(|it| format!("&#{};", u32::from(it))).collect();
    let written = references.concat();
    let stanza = envelope(format!("<presence from='{written}'/>"));
    let has_what_xml_forbids = jid.contains(['\0', '\u{ffff}']);
    match (decode(&stanza, Format::Xmpp), expected) {
        (Err(error), _) if has_what_xml_forbids => {
            let error = error.to_string();
            assert!(error.contains("a reference to a character that XML forbids"), "{error}");
        }
        (Ok(Decoded::Event(event)), Ok(expected)) => assert_eq!(event.sender().as_str(), expected),
        (Err(error), Err(expected)) => {
            let error = error.to_string();
            let expected = format!(": the stanza's `from` is no JID: {expected}");
            assert!(error.ends_with(&expected), "{error}");
        }
        (decoded, _) => panic!("{jid:?} became {decoded:?}"),
    }
}

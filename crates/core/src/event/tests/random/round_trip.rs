//! However an event is written, it is read as the one that was meant.

use super::*;

/// Any text that XML can hold.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[\\PC\t\n\r]{0,12}", "[<>&'\"\\]a\u{85}\u{2028}\r\n\u{fffd}\u{10ffff}😀]{0,12}",]
}

/// Ways to write the same.
#[derive(Debug, Clone)]
struct Style {
    quote: char,
    /// `Some`: all of the stanza's names have this prefix.
    prefix: Option<&'static str>,
    namespace: &'static str,
    /// For each character of a text, how it is written.
    escapes: Vec<u8>,
    /// Attributes in the other order.
    reversed: bool,
    blank: &'static str,
    noise: &'static str,
}

fn style() -> impl Strategy<Value = Style> {
    let namespaces = ["", "jabber:client", "jabber:server", "jabber:component:accept"];
    let noises = [
        "",
        "<x xmlns='urn:x'><body>not</body></x>",
        "<!-- <body>not</body> -->",
        "<p:body xmlns:p='urn:x'><![CDATA[not]]></p:body>",
        "<thread/>text",
    ];
    (
        prop::sample::select(vec!['\'', '"']),
        prop::sample::select(vec![None, Some("c"), Some("j.abber_client-1")]),
        prop::sample::select(namespaces.to_vec()),
        prop::collection::vec(any::<u8>(), 1..9),
        any::<bool>(),
        prop::sample::select(vec![" ", "\n", "\t\r\n "]),
        prop::sample::select(noises.to_vec()),
    )
        .prop_map(|(quote, prefix, namespace, escapes, reversed, blank, noise)| {
            let prefix = prefix.filter(|_| !namespace.is_empty());
            Style { quote, prefix, namespace, escapes, reversed, blank, noise }
        })
}

impl Style {
    fn name(&self, local: &str) -> String {
        self.prefix.map_or_else(|| local.to_owned(), |prefix| format!("{prefix}:{local}"))
    }

    fn attribute(&self, name: &str, value: &str) -> String {
        let Self { quote, blank, .. } = self;
        let value = self.write(value, false);
        format!("{blank}{name}={quote}{value}{quote}")
    }

    fn tag(&self, local: &str, attributes: &[(&str, &str)], inside: &str) -> String {
        let mut written: Vec<_> =
            attributes.iter().map(|(name, value)| self.attribute(name, value)).collect();
        if self.reversed {
            written.reverse();
        }
        let (name, attributes, blank) = (self.name(local), written.concat(), self.blank);
        format!("<{name}{attributes}{blank}>{inside}</{name}{blank}>")
    }

    fn stanza(&self, local: &str, attributes: &[(&str, &str)], inside: &str) -> String {
        let declaration = self.prefix.map_or("xmlns".to_owned(), |it| format!("xmlns:{it}"));
        let mut attributes = attributes.to_vec();
        if !self.namespace.is_empty() {
            attributes.push((&declaration, self.namespace));
        }
        let inside = [self.noise, inside, self.noise].concat();
        self.tag(local, &attributes, &inside)
    }

    /// Each character as it is where it may be, or as a reference, or in a CDATA section.
    fn write(&self, text: &str, sections: bool) -> String {
        let escapes = self.escapes.iter().cycle();
        text.chars().zip(escapes).fold(String::new(), |written, (character, escape)| {
            let code = u32::from(character);
            let section = sections && character != '\r' && character != ']';
            let must = matches!(character, '<' | '>' | '&' | '\'' | '"' | ']' | '\r' | '\n' | '\t');
            written
                + &*match escape % 4 {
                    0 if section => format!("<![CDATA[{character}]]>"),
                    1 => format!("&#x{code:X};"),
                    2 if character == '<' => "&lt;".to_owned(),
                    2 if character == '&' => "&amp;".to_owned(),
                    2 if character == '"' => "&quot;".to_owned(),
                    _ if must => format!("&#{code};"),
                    _ => character.to_string(),
                }
        })
    }
}

fn jid() -> impl Strategy<Value = String> {
    "[a-z]{1,8}@(localhost|rooms\\.example)(/[a-zA-Z0-9 <&'\"]{1,8})?"
}

proptest! {
    #[test]
    fn a_message_however_it_is_written(
        style in style(), body in text(), from in jid(), to in jid(), room in any::<bool>(),
    ) {
        let kind = if room { MessageKind::Groupchat } else { MessageKind::Chat };
        let written = style.tag("body", &[], &style.write(&body, true));
        let attributes = [("type", kind.label()), ("from", &from), ("to", &to)];
        let stanza = style.stanza("message", &attributes, &written);
        let envelope = envelope(&stanza);
        for format in [Format::Xmpp, Format::Auto] {
            let Event::Message(message) = event(&envelope, format) else { panic!("{stanza}") };
            prop_assert_eq!(message.kind, kind);
            prop_assert_eq!(message.from.as_str(), &from);
            prop_assert_eq!(message.to.as_str(), &to);
            prop_assert_eq!(&message.body, &body, "{}", stanza);
        }
    }

    #[test]
    fn a_presence_however_it_is_written(style in style(), user in jid(), present in any::<bool>()) {
        let gone = [("from", user.as_str()), ("type", "unavailable")];
        let attributes = if present { &gone[..1] } else { &gone };
        let envelope = envelope(style.stanza("presence", attributes, ""));
        let Event::Presence(presence) = event(&envelope, Format::Auto) else { panic!() };
        prop_assert_eq!((presence.user.as_str(), presence.present), (user.as_str(), present));
    }

    #[test]
    fn a_native_event_in_whichever_cloud_event(
        id in "\\PC{1,8}", source in "\\PC{1,8}", body in any::<String>(), from in jid(),
    ) {
        let data = serde_json::json!({
            "type": "chat", "from_user_id": from, "to_user_id": "c@d", "message": body,
        });
        let members = serde_json::json!({
            "data": data, "id": id, "source": source, "type": "x", "specversion": "1.0",
        });
        let structured = envelope(members.to_string());
        let headers = [("specversion", "1.0"), ("id", &id), ("source", &source), ("type", "x")];
        let headers = headers.map(|(name, value)| (format!("cloudEvents_{name}"), value.to_owned()));
        let binary = Envelope { headers: headers.to_vec(), ..envelope(data.to_string()) };
        let event = event(&structured, Format::Auto);
        prop_assert_eq!(&event, &self::event(&binary, Format::Auto));
        prop_assert_eq!(event.id(), Some(id.as_str()));
        prop_assert_eq!(event.meta().source.as_deref(), Some(source.as_str()));
        let Event::Message(message) = event else { panic!() };
        prop_assert_eq!(message.body, body);
    }
}

//! Renders the bodies of notifications, in the form of `mod_event_pusher_sns`.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::plugin::Metadata;

/// The notification of a presence, as subscribers get it. A plugin may add keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PresenceBody<'a> {
    /// Who came or went, as the plugin calls users; by default the bare JID.
    pub user_id: &'a str,
    /// true: available.
    pub present: bool,
}

/// The notification of a message, as subscribers get it. A plugin may add keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MessageBody<'a> {
    /// Who wrote, as the plugin calls users; by default the bare JID.
    pub from_user_id: &'a str,
    /// To whom, as the plugin calls users; by default the bare JID.
    pub to_user_id: &'a str,
    /// The text, which may be empty.
    pub message: &'a str,
}

pub(super) fn presence(user_id: &str, present: bool) -> String {
    json(&PresenceBody { user_id, present }, user_id.len())
}

pub(super) fn message(from_user_id: &str, to_user_id: &str, message: &str) -> String {
    let texts = from_user_id.len() + to_user_id.len() + message.len();
    json(&MessageBody { from_user_id, to_user_id, message }, texts)
}

/// The body with further fields at its end.
pub(super) fn extended(mut body: String, fields: &Metadata) -> String {
    let fields = json(fields, FRAME);
    body.truncate(body.len() - "}".len());
    body.push(',');
    body.push_str(&fields["{".len()..]);
    body
}

/// Keys, punctuation and a few escapes: beyond the texts, most bodies need no more.
const FRAME: usize = 64;

fn json(body: &impl Serialize, texts: usize) -> String {
    let mut bytes = Vec::with_capacity(texts + FRAME);
    body.serialize(&mut Serializer::with_formatter(&mut bytes, XmlSafe))
        .expect("JSON and texts have a JSON form, and a Vec takes every byte");
    String::from_utf8(bytes).expect("JSON made of strings is UTF-8")
}

/// In UTF-8, of U+FFFE and U+FFFF.
const FIRST_OF_BOTH: u8 = 0xEF;

/// Compact JSON that stays within the characters of XML 1.0, which is all that SNS takes. JSON
/// escapes the C0 controls anyway; U+FFFE and U+FFFF are what is left.
struct XmlSafe;

impl Formatter for XmlSafe {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        // Both begin with this byte, which is looked for many at a time.
        if !fragment.as_bytes().contains(&FIRST_OF_BOTH) {
            return writer.write_all(fragment.as_bytes());
        }
        while let Some(at) = rest.find(['\u{FFFE}', '\u{FFFF}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let is_fffe = special.starts_with('\u{FFFE}');
            writer.write_all(if is_fffe { br"\ufffe" } else { br"\uffff" })?;
            rest = &special['\u{FFFE}'.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

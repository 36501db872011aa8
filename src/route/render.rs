//! The bodies of notifications, as the ancestor's subscribers know them.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `{"user_id":…,"present":…}`
pub(super) fn presence(user_id: &str, present: bool) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        user_id: &'a str,
        present: bool,
    }
    json(&Body { user_id, present }, user_id.len())
}

/// `{"from_user_id":…,"to_user_id":…,"message":…}`
pub(super) fn message(from_user_id: &str, to_user_id: &str, message: &str) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        from_user_id: &'a str,
        to_user_id: &'a str,
        message: &'a str,
    }
    let texts = from_user_id.len() + to_user_id.len() + message.len();
    json(&Body { from_user_id, to_user_id, message }, texts)
}

/// Keys, punctuation and a few escapes: beyond the texts, most bodies need no more.
const FRAME: usize = 64;

fn json(body: &impl Serialize, texts: usize) -> String {
    let mut bytes = Vec::with_capacity(texts + FRAME);
    body.serialize(&mut Serializer::with_formatter(&mut bytes, XmlSafe))
        .expect("texts and booleans have a JSON form, and a Vec takes every byte");
    String::from_utf8(bytes).expect("JSON made of strings is UTF-8")
}

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

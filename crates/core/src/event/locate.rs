//! Finds positions in the payload. Only errors need them, and `CloudEvents` with an event
//! in an event, so decoding does not record positions.

use std::ops::Range;

/// The members of the object that `text` holds, in their order.
///
/// `text` has been read without a fault, so this walks without checking.
pub(super) const fn members(text: &str) -> Members<'_> {
    Members { text, at: 0 }
}

/// A key as it is written, quotes and escapes included, and where its value stands, which may
/// have white space behind it.
pub(super) struct Member<'a> {
    raw_key: &'a str,
    pub(super) value: Range<usize>,
}

impl Member<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        serde_json::from_str::<String>(self.raw_key).is_ok_and(|key| key == name)
    }
}

pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.text;
        let key = self.at + text[self.at..].find(['"', '}'])?;
        if text.as_bytes()[key] == b'}' {
            return None;
        }
        let key_end = string_end(text, key);
        let colon = key_end + text[key_end..].find(':')?;
        let value = &text[colon + 1..];
        let start = text.len() - value.trim_start().len();
        self.at = value_end(text, start);
        Some(Member { raw_key: &text[key..key_end], value: start..self.at })
    }
}

/// Behind the closing quote of the string that begins at `start`.
fn string_end(text: &str, start: usize) -> usize {
    let mut bytes = text.bytes().enumerate().skip(start + 1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    text.len()
}

/// At the comma or brace behind the value that begins at `start`.
fn value_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b',' | b'}' if depth == 0 => break,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

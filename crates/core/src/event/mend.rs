//! Replaces what is JSON by its grammar, but has no value: lone surrogates, and numbers beyond a double.
//!
//! Source: RFC 8259, sections 6 and 8.2, which leave to the reader what to make of them. A text that was cut in the middle
//! of an emoji has the former, and Python and JavaScript write it.

use std::collections::HashMap;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::Decoded;
use super::error::DecodeError;

/// What stands for a lone surrogate: the escape of U+FFFD, of equal length.
const REPLACEMENT: &[u8; 6] = br"\uFFFD";

/// From a surrogate to its character of the private use area, which begins at U+E000.
const PRIVATE_USE_DISTANCE: u16 = 0xe000 - 0xd800;

/// What stands for a number, with blanks behind it up to the number's length. None that is replaced is shorter.
const NO_NUMBER: &[u8; 4] = b"null";

/// A payload with U+FFFD for each lone surrogate. Its length and the position of all else stay.
#[derive(Debug, PartialEq, Eq)]
struct Mended {
    /// With 0 for each number beyond a double, so that a field that must not be a number is refused for that.
    checked: Vec<u8>,
    /// With `null` for it.
    read: Vec<u8>,
    /// The keys with a replaced part, each with the form that tells it apart from others that were replaced by the same.
    keys: HashMap<Vec<u8>, Vec<u8>>,
}

/// Reads again what `read` failed to read, if the error may come of a lone surrogate or a number beyond a double; else it is the
/// error still.
pub(super) fn read_again(
    payload: &[u8],
    error: DecodeError,
    read: impl Fn(Vec<u8>) -> Result<Decoded<'static>, DecodeError>,
) -> Result<Decoded<'static>, DecodeError> {
    let Some(mended) = mended(payload, &error) else { return Err(error) };
    read(mended.checked)?;
    read(mended.read).map(Decoded::into_mended)
}

/// What is to be read instead, if `error` may come of a lone surrogate or a number beyond a double; `None` if there is none.
fn mended(payload: &[u8], error: &DecodeError) -> Option<Mended> {
    if !error.is_json() {
        return None;
    }
    let mut mended = None;
    let mut at = 0;
    while let Some(byte) = payload.get(at) {
        at = match byte {
            b'"' => mend_string(payload, at + 1, &mut mended),
            b'-' | b'0'..=b'9' => mend_number(payload, at, &mut mended),
            _ => at + 1,
        };
    }
    mended
}

/// Of the string whose text begins at `start`. Returns where it has ended.
fn mend_string(payload: &[u8], start: usize, mended: &mut Option<Mended>) -> usize {
    let mut at = start;
    let mut lone = Vec::new();
    while let Some(byte) = payload.get(at) {
        at += match byte {
            b'"' => break,
            b'\\' => match Surrogate::at(payload, at) {
                None => 2,
                Some(Surrogate::Leading)
                    if Surrogate::at(payload, at + 6) == Some(Surrogate::Trailing) =>
                {
                    12
                }
                Some(_) => {
                    lone.push(at);
                    6
                }
            },
            _ => 1,
        };
    }
    if !lone.is_empty() {
        let mended = mended.get_or_insert_with(|| Mended::of(payload));
        for place in &lone {
            mended.put(*place, REPLACEMENT, REPLACEMENT);
        }
        let after = payload.get(at + 1..).unwrap_or_default();
        if after.trim_ascii_start().first() == Some(&b':') {
            mended.tell_key_apart(payload, start..at, &lone);
        }
    }
    at + 1
}

/// Of the number that begins at `start`. Returns where it has ended.
fn mend_number(payload: &[u8], start: usize, mended: &mut Option<Mended>) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = payload[start..].iter().take_while(|byte| is_part(byte)).count();
    let end = start + length;
    let number = std::str::from_utf8(&payload[start..end]).unwrap_or_default();
    // What is passed over is checked for its grammar only.
    let is_json = || serde_json::from_str::<IgnoredAny>(number).is_ok();
    if number.parse().is_ok_and(f64::is_infinite) && is_json() && length >= NO_NUMBER.len() {
        let mended = mended.get_or_insert_with(|| Mended::of(payload));
        mended.checked[start..end].fill(b' ');
        mended.read[start..end].fill(b' ');
        mended.put(start, b"0", NO_NUMBER);
    }
    end
}

impl Mended {
    fn of(payload: &[u8]) -> Self {
        Self { checked: payload.to_vec(), read: payload.to_vec(), keys: HashMap::new() }
    }

    /// Two keys that differ only in what was replaced would be one key twice. So the second one gets a character of Unicode's
    /// private use area for each lone surrogate, which has one for each.
    fn tell_key_apart(&mut self, payload: &[u8], key: Range<usize>, lone: &[usize]) {
        let replaced = self.read[key.clone()].to_vec();
        let mut own = replaced.clone();
        for place in lone {
            let surrogate = Surrogate::number(payload, *place).unwrap_or_default();
            let private = format!("\\u{:04X}", surrogate.saturating_add(PRIVATE_USE_DISTANCE));
            own[place - key.start..][..private.len()].copy_from_slice(private.as_bytes());
        }
        if *self.keys.entry(replaced).or_insert_with(|| own.clone()) != own {
            self.put(key.start, &own, &own);
        }
    }

    fn put(&mut self, at: usize, checked: &[u8], read: &[u8]) {
        self.checked[at..at + checked.len()].copy_from_slice(checked);
        self.read[at..at + read.len()].copy_from_slice(read);
    }
}

/// A half of a UTF-16 pair, as JSON escapes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surrogate {
    Leading,
    Trailing,
}

impl Surrogate {
    fn at(payload: &[u8], at: usize) -> Option<Self> {
        match Self::number(payload, at)? {
            0xd800..=0xdbff => Some(Self::Leading),
            0xdc00..=0xdfff => Some(Self::Trailing),
            _ => None,
        }
    }

    /// The number of the escape at this place, whatever it stands for.
    fn number(payload: &[u8], at: usize) -> Option<u16> {
        let digits = payload.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::object::Object;

    /// What becomes of an object with this member.
    fn mended_member(member: &str) -> Option<String> {
        let payload = format!("{{{member}}}");
        let error = Object::read(payload.as_bytes()).err()?;
        let mended = mended(payload.as_bytes(), &error)?;
        assert_eq!((mended.checked.len(), mended.read.len()), (payload.len(), payload.len()));
        Object::read(&mended.checked).ok()?;
        Object::read(&mended.read).ok()?;
        let text = String::from_utf8(mended.read).unwrap();
        Some(text.trim_matches(['{', '}']).to_owned())
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        for (member, wanted) in [
            (r#""a":"\ud83d""#, Some(r#""a":"\uFFFD""#)),
            (r#""a":"\uDE00b""#, Some(r#""a":"\uFFFDb""#)),
            (r#""a":"\ud83d\ude00\ud83d""#, Some(r#""a":"\ud83d\ude00\uFFFD""#)),
            (r#""a":"\ud83d\ud83d\ude00""#, Some(r#""a":"\uFFFD\ud83d\ude00""#)),
            (r#""a":"\ud83d\n""#, Some(r#""a":"\uFFFD\n""#)),
            (r#""\udead":1"#, Some(r#""\uFFFD":1"#)),
            (r#""a":"\\ud83d\ude00""#, Some(r#""a":"\\ud83d\uFFFD""#)),
            (r#""a":"\ud83d\ude00""#, None),
            (r#""a":"\ud8""#, None),
            (r#""a":"\ud83d"#, None),
        ] {
            assert_eq!(mended_member(member).as_deref(), wanted, "{member}");
        }
    }

    #[test]
    fn keys_that_differ_only_in_lone_surrogates_are_no_key_twice() {
        for (members, wanted) in [
            (r#""\ud83d":1,"\ud83e":2"#, Some(r#""\uFFFD":1,"\uE03E":2"#)),
            (
                r#""a\udead" : 1,"a\udeae":2,"a\udeaf":3"#,
                Some(r#""a\uFFFD" : 1,"a\uE6AE":2,"a\uE6AF":3"#),
            ),
            (r#""\ud83d":1,"x":"\ud83e""#, Some(r#""\uFFFD":1,"x":"\uFFFD""#)),
            (r#""\udead":1,"\uDEAD":2"#, None),
            (r#""\ud83d":1,"\ud83e":2,"\ud83e":3"#, None),
            (r#""\ud83d":1,"\ud83e":2,"\ud83d":3"#, None),
        ] {
            assert_eq!(mended_member(members).as_deref(), wanted, "{members}");
        }
    }

    #[test]
    fn numbers_beyond_a_double_are_null_and_texts_that_look_like_them_are_kept() {
        let long = format!("\"a\":{}", "9".repeat(400));
        let null = format!("\"a\":null{}", " ".repeat(396));
        for (member, wanted) in [
            (r#""a":1e400"#, Some(r#""a":null "#)),
            (r#""a":[-1E+999,"1e400",2]"#, Some(r#""a":[null   ,"1e400",2]"#)),
            (r#""a":1e400,"b":"\ud83d""#, Some(r#""a":null ,"b":"\uFFFD""#)),
            (&long, Some(&*null)),
            (r#""a":1e308"#, None),
            (r#""a":1e"#, None),
            (r#""a":01e400"#, None),
            (r#""a":1.e400"#, None),
        ] {
            assert_eq!(mended_member(member).as_deref(), wanted, "{member}");
        }
    }
}

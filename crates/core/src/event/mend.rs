//! Replaces what is JSON by its grammar, but has no value: lone surrogates, and numbers beyond a double.
//!
//! Source: RFC 8259, sections 6 and 8.2, which leave to the reader what to make of them. A text that was cut in the middle
//! of an emoji has the former, and Python and JavaScript write it.

use serde::de::IgnoredAny;

use super::Decoded;
use super::error::DecodeError;

/// What stands for a lone surrogate: the escape of U+FFFD, of equal length.
const REPLACEMENT: &[u8; 6] = br"\uFFFD";

/// What stands for a number, with blanks behind it up to the number's length. None that is replaced is shorter.
const NO_NUMBER: &[u8; 4] = b"null";

/// A payload with U+FFFD for each lone surrogate. Its length and the position of all else stay.
#[derive(Debug, PartialEq, Eq)]
struct Mended {
    /// With 0 for each number beyond a double, so that a field that must not be a number is refused for that.
    checked: Vec<u8>,
    /// With `null` for it.
    read: Vec<u8>,
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
    while let Some(byte) = payload.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => match Surrogate::at(payload, at) {
                None => 2,
                Some(Surrogate::Leading)
                    if Surrogate::at(payload, at + 6) == Some(Surrogate::Trailing) =>
                {
                    12
                }
                Some(_) => {
                    let mended = mended.get_or_insert_with(|| Mended::of(payload));
                    mended.put(at, REPLACEMENT, REPLACEMENT);
                    6
                }
            },
            _ => 1,
        };
    }
    at
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
        Self { checked: payload.to_vec(), read: payload.to_vec() }
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
        let digits = payload.get(at..at + 6)?.strip_prefix(br"\u")?;
        match u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()? {
            0xd800..=0xdbff => Some(Self::Leading),
            0xdc00..=0xdfff => Some(Self::Trailing),
            _ => None,
        }
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

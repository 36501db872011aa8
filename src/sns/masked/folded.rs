//! A text normalized for comparison: without escapes, in lower case, with one separator for all characters that are
//! neither letters nor digits.

use std::collections::VecDeque;

use crate::untrusted::{is_invisible, is_space};

/// Stands for all that is neither a letter nor a digit, at the beginning and at the end, too.
pub(super) const SEPARATOR: u8 = b' ';

/// The longest escape has so many bytes after its first: a pair of surrogates.
const AHEAD: usize = 11;

/// A byte, and from where to where it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    pub(super) byte: u8,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Goes through the text once; what is escaped three times over is still read.
pub(super) fn folded(text: &str) -> impl Iterator<Item = Folded> {
    let units = text.char_indices().filter(|(_, c)| !is_invisible(*c)).flat_map(|(from, c)| {
        bytes_of(if is_space(c) { ' ' } else { c }, from, from + c.len_utf8())
    });
    let plain = Unescaped::new(Unescaped::new(Unescaped::new(units)));
    let end = Folded { byte: SEPARATOR, from: text.len(), to: text.len() };
    let begin = Folded { from: 0, to: 0, ..end };
    let mut separated = false;
    std::iter::once(begin).chain(plain).chain([end]).filter_map(move |unit| {
        let byte = unit.byte.to_ascii_lowercase();
        let is_letter = byte.is_ascii_alphanumeric() || !byte.is_ascii();
        let again = std::mem::replace(&mut separated, !is_letter);
        if is_letter {
            return Some(Folded { byte, ..unit });
        }
        (!again).then_some(Folded { byte: SEPARATOR, ..unit })
    })
}

fn bytes_of(c: char, from: usize, to: usize) -> impl Iterator<Item = Folded> {
    let mut buffer = [0; 4];
    let length = c.encode_utf8(&mut buffer).len();
    buffer.into_iter().take(length).map(move |byte| Folded { byte, from, to })
}

/// Undoes one layer of escapes.
struct Unescaped<I> {
    inner: I,
    ahead: VecDeque<Folded>,
    /// The bytes of one character that was escaped.
    out: VecDeque<Folded>,
}

impl<I: Iterator<Item = Folded>> Unescaped<I> {
    fn new(inner: I) -> Self {
        Self { inner, ahead: VecDeque::new(), out: VecDeque::new() }
    }
}

impl<I: Iterator<Item = Folded>> Iterator for Unescaped<I> {
    type Item = Folded;

    fn next(&mut self) -> Option<Folded> {
        if let Some(unit) = self.out.pop_front() {
            return Some(unit);
        }
        let first = self.ahead.pop_front().or_else(|| self.inner.next())?;
        if !matches!(first.byte, b'%' | b'\\' | b'&') {
            return Some(first);
        }
        while self.ahead.len() < AHEAD
            && let Some(unit) = self.inner.next()
        {
            self.ahead.push_back(unit);
        }
        let mut bytes = [0; AHEAD];
        for (byte, unit) in bytes.iter_mut().zip(&self.ahead) {
            *byte = unit.byte;
        }
        let Some((is, length)) = unescape(first.byte, &bytes[..self.ahead.len()]) else {
            return Some(first);
        };
        let to = self.ahead.drain(..length).next_back().map_or(first.to, |last| last.to);
        match is {
            Is::Byte(byte) => self.out.push_back(Folded { byte, to, ..first }),
            Is::Char(c) => self.out.extend(bytes_of(c, first.from, to)),
        }
        self.out.pop_front()
    }
}

enum Is {
    Byte(u8),
    Char(char),
}

/// What an escape stands for, and how many bytes it has after its first.
fn unescape(first: u8, rest: &[u8]) -> Option<(Is, usize)> {
    match first {
        b'%' => Some((Is::Byte(u8::try_from(hexadecimal(rest.get(..2)?)?).ok()?), 2)),
        b'\\' => backslash(rest),
        _ => {
            let end = rest.iter().position(|it| *it == b';')?;
            let c = match &rest[..end] {
                b"lt" => '<',
                b"gt" => '>',
                b"amp" => '&',
                b"quot" => '"',
                b"apos" => '\'',
                [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hexadecimal(digits)?)?,
                [b'#', digits @ ..] => char::from_u32(str::from_utf8(digits).ok()?.parse().ok()?)?,
                _ => return None,
            };
            Some((Is::Char(c), end + 1))
        }
    }
}

/// As in JSON, and in the languages that print texts with quotes around them.
fn backslash(rest: &[u8]) -> Option<(Is, usize)> {
    match rest {
        [b'n' | b'r' | b't' | b'b' | b'f' | b'0', ..] => Some((Is::Byte(SEPARATOR), 1)),
        [byte @ (b'"' | b'\'' | b'/' | b'\\'), ..] => Some((Is::Byte(*byte), 1)),
        [b'x', ..] => Some((Is::Byte(u8::try_from(hexadecimal(rest.get(1..3)?)?).ok()?), 3)),
        [b'u', ..] => {
            let unit = hexadecimal(rest.get(1..5)?)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((Is::Char(c), 5));
            }
            let low = match rest.get(5..) {
                Some([b'\\', b'u', digits @ ..]) => hexadecimal(digits.get(..4)?)?,
                _ => return None,
            };
            let pair = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
            let c = char::decode_utf16(pair).next()?.ok()?;
            Some((Is::Char(c), 11))
        }
        _ => None,
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = str::from_utf8(digits).ok().filter(|_| all_digits)?;
    u32::from_str_radix(digits, 16).ok()
}

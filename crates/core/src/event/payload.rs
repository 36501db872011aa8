//! A payload as text, and positions in it.

use std::ops::Range;

use super::error::{DecodeError, Position, Problem};
use crate::limits::LONGEST_PAYLOAD;

/// A payload that is UTF-8, or a part of it. Offsets count from the part's beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a> {
    whole: &'a [u8],
    start: usize,
    text: &'a str,
}

impl<'a> Payload<'a> {
    /// UTF-8 is the encoding of JSON between systems (RFC 8259, section 8.1) and of XMPP (RFC
    /// 6120, section 11.6). A byte order mark, which both let a reader ignore, is left out.
    pub(super) fn read(whole: &'a [u8]) -> Result<Self, DecodeError> {
        if whole.len() > LONGEST_PAYLOAD {
            let problem = Problem::TooLong { bytes: whole.len() };
            return Err(DecodeError::new(problem, Position::of(whole, LONGEST_PAYLOAD)));
        }
        if matches!(whole, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(DecodeError::new(Problem::Utf16, Position::of(whole, 0)));
        }
        if whole.starts_with(&[0x1f, 0x8b]) {
            return Err(DecodeError::new(Problem::Gzip, Position::of(whole, 0)));
        }
        let text = std::str::from_utf8(whole).map_err(|error| {
            let offset = error.valid_up_to();
            DecodeError::new(Problem::NotUtf8 { offset }, Position::of(whole, offset))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self { whole, start: whole.len() - text.len(), text })
    }

    /// A part of this one, which must end at characters.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        Self { whole: self.whole, start: self.start + range.start, text: &self.text[range] }
    }

    pub(super) const fn text(self) -> &'a str {
        self.text
    }

    pub(super) fn position(self, offset: usize) -> Position {
        Position::of(self.whole, self.start + offset)
    }

    pub(super) fn error(self, problem: Problem, offset: usize) -> DecodeError {
        DecodeError::new(problem, self.position(offset))
    }

    /// A fault of the JSON text itself. All of `serde_json`'s own syntax messages are fixed
    /// texts; those that would quote a value are never asked for.
    pub(super) fn json_error(self, error: &serde_json::Error) -> DecodeError {
        let first = self.position(0);
        let column = error.column().max(1) + if error.line() == 1 { first.column - 1 } else { 0 };
        let position = Position { line: error.line() + first.line - 1, column };
        let text = error.to_string();
        let what = text.split_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        DecodeError::new(Problem::Json(what.to_owned()), position)
    }
}

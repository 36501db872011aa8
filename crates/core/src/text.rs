//! Formats bytes and numbers that JSON can't represent exactly, and escapes texts for
//! terminals.

use std::borrow::Cow;
use std::fmt::{Display, Write};

/// Bytes as base64.
pub mod base64_text {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    /// Writes bytes as base64.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        BASE64_STANDARD.encode(bytes).serialize(serializer)
    }

    /// Reads bytes from base64.
    ///
    /// # Errors
    ///
    /// It is no text, or no base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(|error| de::Error::custom(format!("base64: {error}")))
    }
}

/// Floating-point numbers as bits, so that each NaN keeps its value.
pub mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    /// The floating-point numbers.
    pub trait Bits: Copy {
        /// A decimal that reads back as the same number, or its bits.
        fn to_text(self) -> String;
        /// What [`Bits::to_text`] wrote.
        fn from_text(text: &str) -> Option<Self>;
    }

    macro_rules! bits {
        ($float:ty, $bits:ty) => {
            impl Bits for $float {
                fn to_text(self) -> String {
                    // The shortest decimal that reads back as the same number.
                    if self.is_finite() {
                        format!("{self:?}")
                    } else {
                        format!("{:#x}", self.to_bits())
                    }
                }

                fn from_text(text: &str) -> Option<Self> {
                    match text.strip_prefix("0x") {
                        Some(bits) => {
                            <$bits>::from_str_radix(bits, 16).ok().map(<$float>::from_bits)
                        }
                        None => text.parse().ok(),
                    }
                }
            }
        };
    }
    bits!(f32, u32);
    bits!(f64, u64);

    /// Writes the number as a text.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<F: Bits, S: Serializer>(number: &F, serializer: S) -> Result<S::Ok, S::Error> {
        number.to_text().serialize(serializer)
    }

    /// Reads the number from a text.
    ///
    /// # Errors
    ///
    /// It is no text, or no number.
    pub fn deserialize<'de, F: Bits, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
        let text = String::deserialize(deserializer)?;
        F::from_text(&text).ok_or_else(|| de::Error::custom("no number"))
    }
}

/// `1 event`, `2 events`.
pub fn counted<T>(count: T, one: &str, many: &str) -> String
where
    T: Copy + Display + PartialEq + From<u8>,
{
    let noun = if count == T::from(1) { one } else { many };
    format!("{count} {noun}")
}

/// A number with commas between thousands, as the page writes all numbers: `2,000`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Stands for what differs between errors that are the same otherwise.
pub const VARIES: &str = "…";

/// The error with `…` for each number and for each word of hexadecimal digits, as ids are.
#[must_use]
pub fn error_pattern(error: &str) -> String {
    let mut pattern = String::with_capacity(error.len());
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut rest = error;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, after) = rest.split_at(end);
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        if has_digit && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            pattern.push_str(VARIES);
        } else {
            pattern.push_str(word);
        }
        rest = after;
    }
    pattern
}

/// In hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Escapes control and invisible characters in a text; line breaks stay if
/// `lines` is true.
#[must_use]
pub fn printable(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c == '\n' && lines) || !is_unprintable(c) {
            shown.push(c);
        } else {
            let _ = write!(shown, "{}", c.escape_default());
        }
    }
    shown
}

/// Escapes control and invisible characters in JSON, which has them in its texts only: it is the same JSON then.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let Some(first) = json.find(is_unprintable) else { return Cow::Borrowed(json) };
    let (plain, rest) = json.split_at(first);
    let mut shown = String::with_capacity(json.len() + 32);
    shown.push_str(plain);
    for c in rest.chars() {
        if is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether it is a control character, or one that turns the direction of the text after it or takes no room.
#[must_use]
pub const fn is_unprintable(c: char) -> bool {
    let is_control = matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}');
    is_control
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Where the byte at `at` stands: the line, and the column in characters, both from 1.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_commas_between_its_thousands() {
        for (number, text) in
            [(0, "0"), (999, "999"), (2000, "2,000"), (65_535, "65,535"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn errors_that_differ_in_numbers_and_ids_are_alike() {
        let at = |column: u32| format!("line 1, column {column}: `type` is missing");
        assert_eq!(error_pattern(&at(7)), error_pattern(&at(1234)));
        assert_eq!(error_pattern("id 0f8fad5b-d9cb-469f-a165-70867728950e!"), "id …!");
        let other = "üblich: face, x86, 10s";
        assert_eq!(error_pattern(other), other);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("a\u{1b}[31mb\rc\td\u{9b}e", false), "a\\u{1b}[31mb\\rc\\td\\u{9b}e");
        assert_eq!(printable("one\ntwo", true), "one\ntwo");
        assert_eq!(printable("one\ntwo", false), "one\\ntwo");
        assert_eq!(printable("\u{202e}txet ü€\u{e0041}", false), "\\u{202e}txet ü€\\u{e0041}");
        let text = "a\u{1b}\u{9b}2J\u{202e}\nb\u{e0041}";
        let json = serde_json::to_string(text).unwrap();
        let shown = printable_json(&json);
        assert_eq!(shown, r#""a\u001b\u009b2J\u202e\nb\udb40\udc41""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        assert!(matches!(printable_json(r#"{"a": "ü€ plain"}"#), Cow::Borrowed(_)));
    }
}

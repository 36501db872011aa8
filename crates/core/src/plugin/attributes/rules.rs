//! What SNS refuses in attributes. Source: SNS developer guide, "Message attributes".

const NAME_MAX: usize = 256;

/// The names below `AWS.` that are there for publishers to use: how phones get the message.
/// Source: SNS developer guide, "Publishing with mobile push" and "Publishing to a mobile phone".
const FOR_PHONES: [&str; 3] = ["AWS.SNS.MOBILE.", "AWS.SNS.SMS.", "AWS.MM.SMS."];

pub(super) fn name_fault(name: &str) -> Option<&'static str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_reserved = || {
        (begins("AWS.") || begins("Amazon."))
            && !FOR_PHONES.iter().any(|prefix| name.starts_with(prefix))
    };
    match name {
        "" => Some("has no name"),
        _ if name.len() > NAME_MAX => Some("has a name of over 256 bytes"),
        _ if !name.chars().all(is_legal) => {
            Some("has a name with a character other than A-Z, a-z, 0-9, `_`, `-` and `.`")
        }
        _ if name.starts_with('.') || name.ends_with('.') || name.contains("..") => {
            Some("has a name with a leading, trailing or double dot")
        }
        _ if is_reserved() => {
            Some("has a name that begins with `AWS.` or `Amazon.`, which are reserved")
        }
        _ => None,
    }
}

/// What SNS takes in texts: the characters of XML 1.0.
pub(crate) const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Digits from the first that is not 0. Source, also of the magnitudes: SQS developer guide,
/// "Message attributes", whose refusals of numbers SNS shares.
const DIGITS_MAX: usize = 38;

/// Powers of ten that a number can begin at.
const MAGNITUDES: std::ops::Range<i64> = -128..126;

/// Numbers beyond ±10^9 or with more than five decimals are taken; filters don't tell them apart.
pub(super) fn number_fault(text: &str) -> Option<&'static str> {
    let Some(Number { digits, magnitude }) = Number::parse(text) else {
        return Some("is not a decimal number");
    };
    if digits > DIGITS_MAX {
        Some("is a number of over 38 digits, which SNS refuses")
    } else if digits > 0 && !MAGNITUDES.contains(&magnitude) {
        Some("is a number beyond 10^126 or below 10^-128, which SNS refuses")
    } else {
        None
    }
}

/// `-12.5e-3`: sign, integer, fraction and exponent, of which only an integer or a fraction must
/// be there.
struct Number {
    /// From the first that is not 0; none for zero.
    digits: usize,
    /// The power of ten of that first digit.
    magnitude: i64,
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, 0),
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || integer.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let zeros = all().take_while(|byte| *byte == b'0').count();
        let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let magnitude = places(integer.len()) - 1 - places(zeros);
        Some(Self { digits: all().count() - zeros, magnitude: magnitude.saturating_add(exponent) })
    }
}

/// What is too long for the type is out of every range.
fn parse_exponent(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let outside = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(outside))
}

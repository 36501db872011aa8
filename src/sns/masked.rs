//! Masks confidential parts in SNS's texts: the events of the request, and the keys that
//! it was signed with.
//!
//! Both sides are normalized: escapes of JSON, XML and URLs are decoded, letters are lower case, and one
//! separator replaces all characters that are neither letters nor digits. A part that has [`GRAM`] bytes in a row in common
//! with something confidential is masked, up to the borders of its words; a shorter one is masked if it is in
//! quotes, or looks like an address or a number. Each side is read once.

mod folded;

use std::collections::HashSet;
use std::ops::Range;

use self::folded::{Folded, SEPARATOR, folded};

/// Bytes in a row that are no coincidence.
const GRAM: usize = 12;

/// What SNS names in quotes on its own account.
const OWN_NAMES: [&str; 12] = [
    "message",
    "subject",
    "topicarn",
    "targetarn",
    "phonenumber",
    "messageattributes",
    "messagestructure",
    "messagegroupid",
    "messagededuplicationid",
    "publishbatchrequestentries",
    "datatype",
    "stringvalue",
];

/// What is masked, and where one text of others begins and ends.
const MASK: &str = "…";

/// Masks in each of `said` what is confidential; `confidential` shows it all to whom it is given.
pub(super) fn masked(
    said: &[&str],
    confidential: impl FnOnce(&mut dyn FnMut(&str)),
) -> Vec<String> {
    let said: Vec<_> = said.iter().map(|text| without_value(text)).collect();
    let read: Vec<_> = said.iter().map(|text| folded(text).collect::<Vec<_>>()).collect();
    let mut sought = SearchTerms::default();
    for (text, read) in said.iter().zip(&read) {
        for window in read.windows(GRAM) {
            sought.add(key_of(window));
        }
        for word in suspects(text) {
            sought.add_word(&text[word]);
        }
    }
    if sought.lengths != 0 {
        confidential(&mut |text| sought.find_in(text));
    }
    let both = said.iter().zip(&read);
    both.map(|(text, read)| text_without(text, &sought.marks(text, read))).collect()
}

/// SNS's validation quotes whole values, at whose end another name is quoted. Cut before that, all of it goes.
fn without_value(text: &str) -> String {
    const BEGIN: &str = "Value '";
    let Some(start) = text.find(BEGIN).map(|at| at + BEGIN.len()) else { return text.to_owned() };
    let end = text.rfind("' at '").filter(|end| *end >= start).unwrap_or(text.len());
    format!("{}{MASK}{}", &text[..start], &text[end..])
}

/// Short texts that may be confidential although they are short: what is quoted, and words with an `@`, a digit or
/// a letter that is not English.
fn suspects(text: &str) -> Vec<Range<usize>> {
    const QUOTES: &[char] = &['\'', '"', '`', '‘', '’', '“', '”', '«', '»'];
    let borders = |of: &dyn Fn(char) -> bool| {
        let mut ranges = Vec::new();
        let mut start = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| of(*c)) {
            ranges.push(start..at);
            start = at + c.len_utf8();
        }
        ranges.push(start..text.len());
        ranges
    };
    let mut quoted = borders(&|c| QUOTES.contains(&c));
    // What stands before the first quote, and after the last, is in none.
    quoted.pop();
    let quoted = quoted.into_iter().skip(1);
    let is_odd = |word: &str| {
        let number = word.bytes().filter(u8::is_ascii_digit).count() > 0;
        word.contains('@') || !word.is_ascii() || (number && word.len() >= 4)
    };
    let apart = |c: char| c.is_whitespace() || QUOTES.contains(&c) || "<>(),;=[]{}".contains(c);
    let words = borders(&apart).into_iter().filter(|it| is_odd(&text[it.clone()]));
    quoted.chain(words).collect()
}

/// Search terms: what is looked for in the confidential texts, and what of it was found.
#[derive(Default)]
struct SearchTerms {
    all: HashSet<Key>,
    found: HashSet<Key>,
    /// A bit for each length that there is.
    lengths: u16,
    filter: Filter,
}

/// A length, and so many bytes.
type Key = (u8, u128);

fn key_of(units: &[Folded]) -> Key {
    let bytes = units.iter().fold(0, |bytes, unit| bytes << 8 | u128::from(unit.byte));
    (u8::try_from(units.len()).unwrap_or(u8::MAX), bytes)
}

impl SearchTerms {
    fn add(&mut self, key: Key) {
        self.lengths |= 1 << key.0;
        self.filter.add(key);
        self.all.insert(key);
    }

    /// What is longer is found by its parts.
    fn add_word(&mut self, word: &str) {
        let units: Vec<_> = folded(word).take(GRAM + 1).collect();
        let bytes: Vec<_> = units.iter().map(|it| it.byte).collect();
        let own = OWN_NAMES.iter().any(|name| bytes.trim_ascii() == name.as_bytes());
        // The separators around it, and something between.
        if !own && (3..=GRAM).contains(&units.len()) {
            self.add(key_of(&units));
        }
    }

    fn find_in(&mut self, text: &str) {
        let lengths: Vec<_> = (1..=GRAM).filter(|it| self.lengths >> it & 1 == 1).collect();
        let (mut window, mut seen) = (0_u128, 0_usize);
        for unit in folded(text) {
            window = window << 8 | u128::from(unit.byte);
            seen += 1;
            for length in lengths.iter().take_while(|it| **it <= seen) {
                #[allow(clippy::cast_possible_truncation, reason = "GRAM at most")]
                let key = (*length as u8, window & !(u128::MAX << (8 * length)));
                if self.filter.may_have(key) && self.all.contains(&key) {
                    self.found.insert(key);
                }
            }
        }
    }

    /// The parts of a text that were found, to the borders of their words, in order and apart.
    fn marks(&self, text: &str, read: &[Folded]) -> Vec<Range<usize>> {
        let grams = read.windows(GRAM).filter(|it| self.found.contains(&key_of(it)));
        let grams = grams.filter_map(|window| {
            let mut inner = window.iter().filter(|it| it.byte != SEPARATOR);
            let first = inner.next()?;
            Some(first.from..inner.next_back().unwrap_or(first).to)
        });
        let words = suspects(text).into_iter().filter(|word| {
            let units: Vec<_> = folded(&text[word.clone()]).take(GRAM + 1).collect();
            units.len() <= GRAM && self.found.contains(&key_of(&units))
        });
        let mut marks: Vec<_> = grams.chain(words).map(|it| whole_words(text, it)).collect();
        marks.sort_by_key(|it| it.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for mark in marks {
            match apart.last_mut() {
                Some(last) if mark.start <= last.end => last.end = last.end.max(mark.end),
                _ => apart.push(mark),
            }
        }
        apart
    }
}

fn whole_words(text: &str, part: Range<usize>) -> Range<usize> {
    let is_inner = |c: &char| c.is_alphanumeric();
    let before = text[..part.start].chars().rev().take_while(is_inner).map(char::len_utf8);
    let after = text[part.end..].chars().take_while(is_inner).map(char::len_utf8);
    part.start - before.sum::<usize>()..part.end + after.sum::<usize>()
}

fn text_without(text: &str, marks: &[Range<usize>]) -> String {
    let mut rest = 0;
    let mut shown = String::with_capacity(text.len());
    for mark in marks {
        shown.push_str(&text[rest..mark.start]);
        shown.push_str(MASK);
        rest = mark.end;
    }
    shown.push_str(&text[rest..]);
    shown
}

/// Tells quickly of most keys that they are not there.
struct Filter(Box<[u64; 1024]>);

impl Default for Filter {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl Filter {
    fn place((length, bytes): Key) -> (usize, u64) {
        #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let mixed = (bytes as u64 ^ (bytes >> 64) as u64 ^ u64::from(length) << 57)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        #[allow(clippy::cast_possible_truncation, reason = "ten bits")]
        let word = (mixed >> 54) as usize;
        (word, 1 << (mixed >> 48 & 63))
    }

    fn add(&mut self, key: Key) {
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    fn may_have(&self, key: Key) -> bool {
        let (word, bit) = Self::place(key);
        self.0[word] & bit != 0
    }
}

#[cfg(test)]
mod tests;

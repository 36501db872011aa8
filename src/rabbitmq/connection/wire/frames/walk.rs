//! Reads a payload strictly, field by field, and mends what lapin could not read.

mod mend;

use std::ops::Range;

use super::notes::{Altered, Part};
use crate::headers;
use crate::limits::{DEEPEST_HEADER, MOST_HEADERS_ADDED, MOST_MENDED_NAMES};

/// A type of RabbitMQ's own, for which lapin takes any bytes.
const BYTES: u8 = b'x';
const TABLE: u8 = b'F';
const LIST: u8 = b'A';

/// Flags of the first properties: that they are there.
const CONTENT_TYPE: u16 = 0x8000;
const CONTENT_ENCODING: u16 = 0x4000;
const HEADERS: u16 = 0x2000;

/// How the names of headers begin that workers, and RabbitMQ, put on what they deliver again. A message with such
/// headers may have [`MOST_HEADERS_ADDED`] entries more.
const OURS: [&[u8]; 2] = [headers::PREFIX.as_bytes(), b"x-"];

/// Reads a payload. `None` from any of its functions: the payload ends too early, or has no such field there.
pub(super) struct Walk<'a> {
    bytes: &'a mut [u8],
    at: usize,
    /// Nothing is read beyond: the end of the table or list around.
    limit: usize,
    /// All bytes as they came, once one was changed.
    original: Option<Vec<u8>>,
    /// Names of headers that were changed.
    mended_names: usize,
    /// Entries of tables and lists that were read, and how many may be.
    entries: usize,
    most_entries: usize,
    /// Among the headers there are some of [`OURS`].
    has_ours: bool,
    /// The worst that was changed of the headers.
    changed: Option<Part>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        let limit = bytes.len();
        Self {
            bytes,
            at: 0,
            limit,
            original: None,
            mended_names: 0,
            entries: 0,
            most_entries: usize::MAX - MOST_HEADERS_ADDED,
            has_ours: false,
            changed: None,
        }
    }

    /// No table or list is read that has more entries, those within it included.
    pub(super) fn with_most_entries(self, most_entries: usize) -> Self {
        Self { most_entries, ..self }
    }

    pub(super) fn has_too_many_entries(&self) -> bool {
        self.entries > self.most_entries + if self.has_ours { MOST_HEADERS_ADDED } else { 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        let to = self.at.checked_add(count).filter(|to| *to <= self.limit)?;
        self.at = to;
        Some(())
    }

    fn octets<const N: usize>(&mut self) -> Option<[u8; N]> {
        let octets = self.bytes[self.at..self.limit].first_chunk().copied()?;
        self.at += N;
        Some(octets)
    }

    pub(super) fn word(&mut self) -> Option<u16> {
        self.octets().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        self.octets().map(u32::from_be_bytes)
    }

    pub(super) fn long_long(&mut self) -> Option<u64> {
        self.octets().map(u64::from_be_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        self.long().map(|length| length as usize)
    }

    /// Skips a short string.
    pub(super) fn skip_text(&mut self) -> Option<()> {
        self.short().map(|_| ())
    }

    /// A short string. Returns what it was, if it was no UTF-8; no short string at all is `None`.
    #[allow(clippy::option_option, reason = "`?` is for what ends too early")]
    pub(super) fn text(&mut self) -> Option<Option<Vec<u8>>> {
        let range = self.short()?;
        Some(if self.mend(range.clone()) { Some(self.original(range)) } else { None })
    }

    /// The table of headers. Returns what it was, if something in it was changed; no table at all is `None`.
    #[allow(clippy::option_option, reason = "`?` is for what ends too early")]
    pub(super) fn headers(&mut self) -> Option<Option<Altered>> {
        let length = self.length()?;
        let range = self.at..self.at.checked_add(length).filter(|to| *to <= self.limit)?;
        self.within(range.end, |walk| walk.table(0))?;
        Some(self.changed.map(|part| {
            let original = Some(self.original(range));
            Altered { part, original }
        }))
    }

    /// Nothing is read any more but the table that begins here.
    pub(super) fn enter_table(&mut self) -> Option<()> {
        let length = self.length()?;
        self.limit = self.at.checked_add(length).filter(|to| *to <= self.limit)?;
        Some(())
    }

    /// The next entry of a table, and its name, unmended. `None`: there is none that can be read.
    pub(super) fn entry(&mut self) -> Option<(Range<usize>, Range<usize>)> {
        let from = self.at;
        let name = self.short()?;
        let kind = self.kind()?;
        self.skip_value(kind)?;
        Some((from..self.at, name))
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Where in properties, which begin with their flags, the entries of the headers are.
    pub(super) fn find_headers(mut self) -> Option<Range<usize>> {
        let flags = self.word()?;
        for flag in [CONTENT_TYPE, CONTENT_ENCODING] {
            if flags & flag != 0 {
                self.skip_text()?;
            }
        }
        let length = if flags & HEADERS == 0 { return None } else { self.length()? };
        let from = self.at;
        self.skip(length)?;
        Some(from..self.at)
    }

    /// Bytes as they came.
    pub(super) fn original(&self, range: Range<usize>) -> Vec<u8> {
        self.original.as_deref().unwrap_or(self.bytes)[range].to_vec()
    }

    fn short(&mut self) -> Option<Range<usize>> {
        let [length] = self.octets()?;
        let from = self.at;
        self.skip(usize::from(length))?;
        Some(from..self.at)
    }

    /// Reads with nothing beyond `to`, which must be where it ends.
    fn within(&mut self, to: usize, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let around = std::mem::replace(&mut self.limit, to);
        let read = read(self);
        self.limit = around;
        read.filter(|()| self.at == to)
    }

    /// Entries up to the limit, within so many tables and lists.
    fn table(&mut self, depth: usize) -> Option<()> {
        let begin = self.at;
        let before = self.mended_names;
        while self.at < self.limit {
            self.count()?;
            let name = self.short()?;
            let is_ours = || OURS.iter().any(|ours| self.bytes[name.clone()].starts_with(ours));
            self.has_ours |= depth == 0 && is_ours();
            if self.mend(name) {
                self.mended_names += 1;
                if self.mended_names > MOST_MENDED_NAMES {
                    return None;
                }
                self.changed(if depth == 0 { Part::HeaderName } else { Part::Nested });
            }
            self.value(depth)?;
        }
        if self.mended_names > before { self.tell_apart(begin) } else { Some(()) }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        while self.at < self.limit {
            self.count()?;
            self.value(depth)?;
        }
        Some(())
    }

    fn count(&mut self) -> Option<()> {
        self.entries += 1;
        // What allows for more may come last.
        (self.entries <= self.most_entries + MOST_HEADERS_ADDED).then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let kind_at = self.at;
        let kind = self.kind()?;
        if !matches!(kind, TABLE | LIST) {
            return self.skip_value(kind);
        }
        let length = self.length()?;
        let content = self.at..self.at.checked_add(length).filter(|to| *to <= self.limit)?;
        let read = depth < DEEPEST_HEADER
            && self
                .within(content.end, |walk| match kind {
                    TABLE => walk.table(depth + 1),
                    _ => walk.list(depth + 1),
                })
                .is_some();
        if !read {
            if self.entries > self.most_entries + MOST_HEADERS_ADDED {
                return None;
            }
            self.flatten(kind_at, content);
        }
        Some(())
    }

    fn kind(&mut self) -> Option<u8> {
        self.octets().map(|[kind]| kind)
    }

    /// A value of this type, unread. The types are those that lapin has.
    fn skip_value(&mut self, kind: u8) -> Option<()> {
        let length = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'S' | BYTES | TABLE | LIST => self.length()?,
            _ => return None,
        };
        self.skip(length)
    }
}

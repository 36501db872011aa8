//! Mends in place what lapin could not read: texts, names of headers, tables and lists.

use std::collections::HashSet;
use std::ops::Range;

use super::super::notes::Part;
use super::{BYTES, Walk};

/// Stands for each byte that is part of no character.
const REPLACEMENT: u8 = b'?';

impl Walk<'_> {
    /// Makes it UTF-8, with as many bytes. `false` if it was.
    pub(super) fn mend(&mut self, range: Range<usize>) -> bool {
        let text = &self.bytes[range.clone()];
        if text.is_ascii() || str::from_utf8(text).is_ok() {
            return false;
        }
        self.replace(range);
        true
    }

    fn replace(&mut self, range: Range<usize>) {
        let original = self.keep_original();
        let mut at = range.start;
        let mut bad = Vec::new();
        for chunk in original[range].utf8_chunks() {
            at += chunk.valid().len();
            bad.push(at..at + chunk.invalid().len());
            at += chunk.invalid().len();
        }
        for range in bad {
            self.bytes[range].fill(REPLACEMENT);
        }
    }

    pub(super) fn keep_original(&mut self) -> &[u8] {
        self.original.get_or_insert_with(|| self.bytes.to_vec())
    }

    /// Makes bytes of a table or a list that can't be read: the layout is the same, and what is in it
    /// stays as it came.
    pub(super) fn flatten(&mut self, kind_at: usize, content: Range<usize>) {
        self.keep_original();
        if let Some(original) = &self.original {
            self.bytes[content.clone()].copy_from_slice(&original[content.clone()]);
        }
        self.bytes[kind_at] = BYTES;
        self.at = content.end;
        self.changed(Part::Nested);
    }

    pub(super) fn changed(&mut self, part: Part) {
        if self.changed != Some(Part::HeaderName) {
            self.changed = Some(part);
        }
    }

    /// Makes the names that were mended different from all others of their table, which ends here: of two
    /// that are the same, one would be lost.
    pub(super) fn tell_apart(&mut self, begin: usize) -> Option<()> {
        let original = self.original.take()?;
        let told = self.tell_apart_from(begin, &original);
        self.original = Some(original);
        told
    }

    fn tell_apart_from(&mut self, begin: usize, original: &[u8]) -> Option<()> {
        let end = self.at;
        let mut taken = HashSet::new();
        let mut mended = Vec::new();
        self.at = begin;
        while self.at < end {
            let name = self.short()?;
            let (now, then) = (&self.bytes[name.clone()], &original[name.clone()]);
            match now.iter().zip(then).position(|(now, then)| now != then) {
                Some(first) => mended.push((name, first)),
                None => _ = taken.insert(now.to_vec()),
            }
            let kind = self.kind()?;
            self.skip_value(kind)?;
        }
        for (name, first) in mended {
            // All that ASCII has, those that can be seen first.
            let mut others = (b'!'..=b'~').chain(1..b'!');
            while !taken.insert(self.bytes[name.clone()].to_vec()) {
                self.bytes[name.start + first] = others.next()?;
            }
        }
        Some(())
    }
}

//! Frames of AMQP 0-9-1 as they pass: cuts a stream into them and mends those that carry text.
//!
//! Only bytes: no socket, no lapin. The fuzz targets compile this by itself.

mod mender;
mod notes;
#[cfg(test)]
mod tests;
mod walk;

use self::mender::{Fate, Mender};
#[cfg(test)]
pub(crate) use self::notes::Altered;
pub(crate) use self::notes::{Note, Notes, Part};
use crate::limits::LARGEST_FRAME;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A frame's type, channel and size.
const HEAD: usize = 7;
/// The octet that ends a frame.
const END: u8 = 0xCE;
/// What a frame has besides its payload.
const AROUND: usize = HEAD + 1;

const METHOD: u8 = 1;
const HEADER: u8 = 2;

/// Class, weight, body size and flags of a content header: what is left of one that can't be read.
const BARE_HEADER: usize = 14;
const BARE_HEADER_SIZE: [u8; 4] = [0, 0, 0, 14];

/// Says that the other side is there.
const HEARTBEAT: [u8; AROUND] = [8, 0, 0, 0, 0, 0, 0, END];

/// A stream on its way: what has come and is not taken.
#[derive(Debug)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Of `bytes`, this has come and is not taken.
    start: usize,
    end: usize,
    /// Of that, so much may be taken.
    ready: usize,
    /// So much of what comes next passes unseen.
    passing: usize,
    /// So much of what comes next is left out.
    dropping: usize,
    /// For the next step there must be so much.
    needed: usize,
    /// Bytes of a heartbeat that are still to be handed out.
    heartbeat: usize,
    beats: bool,
    mender: Mender,
}

impl Frames {
    pub(crate) fn new(notes: Notes) -> Self {
        Self {
            bytes: vec![0; CHUNK],
            start: 0,
            end: 0,
            ready: 0,
            passing: 0,
            dropping: 0,
            needed: AROUND,
            heartbeat: 0,
            beats: true,
            mender: Mender::new(notes),
        }
    }

    /// The same for whoever looks at what comes out: a heartbeat is there or not by how the stream is cut.
    #[allow(dead_code, reason = "for tests and fuzz targets, which compile this by itself")]
    pub(crate) fn without_heartbeats(notes: Notes) -> Self {
        Self { beats: false, ..Self::new(notes) }
    }

    /// Where to put what comes next; never empty. To be asked for when nothing can be taken.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let wanted = self.needed.max(CHUNK);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        } else if self.bytes.len() > wanted && self.end <= CHUNK {
            self.bytes.truncate(wanted);
            self.bytes.shrink_to_fit();
        }
        &mut self.bytes[self.end..]
    }

    /// So much of the room is filled.
    pub(crate) fn read(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.scan();
        // A frame is held until it is whole. Over a slow link that may take longer than lapin waits for
        // any sign of life; and what is held is one.
        if self.ready == 0 && self.beats && self.mender.is_open() {
            self.heartbeat = HEARTBEAT.len();
        }
    }

    /// Nothing comes any more. What there is of a frame is handed on: it is none, and lapin says so.
    pub(crate) fn end(&mut self) {
        self.ready = self.end - self.start;
    }

    /// Takes what may be taken; none of it means that more must come first.
    pub(crate) fn take(&mut self, out: &mut [u8]) -> usize {
        let (from, count) = if self.heartbeat > 0 {
            let rest = &HEARTBEAT[HEARTBEAT.len() - self.heartbeat..];
            (rest, rest.len().min(out.len()))
        } else {
            let ready = &self.bytes[self.start..self.start + self.ready];
            (ready, ready.len().min(out.len()))
        };
        out[..count].copy_from_slice(&from[..count]);
        if self.heartbeat > 0 {
            self.heartbeat -= count;
        } else {
            self.start += count;
            self.ready -= count;
        }
        count
    }

    /// Mends every frame that is whole.
    fn scan(&mut self) {
        let mut at = self.start + self.ready;
        while at < self.end {
            let left = self.end - at;
            if self.dropping > 0 {
                let dropped = self.dropping.min(left);
                self.remove(at, dropped);
                self.dropping -= dropped;
                continue;
            }
            if self.passing > 0 {
                let passed = self.passing.min(left);
                at += passed;
                self.passing -= passed;
                continue;
            }
            let Some(head) = self.bytes[at..self.end].first_chunk::<HEAD>() else {
                self.needed = AROUND;
                break;
            };
            let [kind, high, low, size @ ..] = *head;
            let (channel, size) = (u16::from_be_bytes([high, low]), u32::from_be_bytes(size));
            let whole = (size as usize).saturating_add(AROUND);
            match kind {
                METHOD | HEADER if whole <= self.mender.largest_frame() => {
                    if left < whole {
                        self.needed = whole;
                        break;
                    }
                    at += self.mend(at, whole, kind, channel);
                }
                HEADER => {
                    let bare = BARE_HEADER + AROUND;
                    if left < bare {
                        self.needed = bare;
                        break;
                    }
                    self.mender.too_large(channel);
                    self.empty(at);
                    self.dropping = whole - bare;
                    at += bare;
                }
                // A body, a heartbeat, or what is no frame of AMQP, which lapin is to say.
                _ => self.passing = whole,
            }
        }
        self.ready = at - self.start;
    }

    /// Mends the frame that stands here; returns the bytes that it has then.
    fn mend(&mut self, at: usize, whole: usize, kind: u8, channel: u16) -> usize {
        let payload = &mut self.bytes[at + HEAD..at + whole - 1];
        if kind == METHOD {
            self.mender.method(channel, payload);
            return whole;
        }
        match self.mender.header(channel, payload) {
            Fate::Kept => whole,
            Fate::Emptied => {
                let bare = BARE_HEADER + AROUND;
                self.empty(at);
                self.remove(at + bare, whole - bare);
                bare
            }
        }
    }

    /// Makes the header frame that begins here one without properties.
    fn empty(&mut self, at: usize) {
        let frame = &mut self.bytes[at..at + BARE_HEADER + AROUND];
        frame[3..HEAD].copy_from_slice(&BARE_HEADER_SIZE);
        frame[HEAD + BARE_HEADER - 2..].copy_from_slice(&[0, 0, END]);
    }

    fn remove(&mut self, at: usize, count: usize) {
        self.bytes.copy_within(at + count..self.end, at);
        self.end -= count;
    }
}

//! Frames of AMQP 0-9-1 as they pass: cuts a stream into them, mends those that carry text, and counts what is
//! delivered.
//!
//! Only bytes: no socket, no lapin. The fuzz targets compile this by itself.

mod counts;
mod deliveries;
mod greeting;
mod mender;
mod notes;
mod scanner;
mod server;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use self::deliveries::Observer;
#[cfg(test)]
pub(crate) use self::notes::Altered;
pub(crate) use self::notes::{Note, Notes, Part};
use self::scanner::Scanner;
pub(crate) use self::server::Server;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A frame's type, channel and size.
const HEAD: usize = 7;
/// The octet that ends a frame.
const END: u8 = 0xCE;
/// What a frame has besides its payload.
const AROUND: usize = HEAD + 1;

/// Class, weight, body size and flags of a content header: what is left of one that can't be read.
const BARE_HEADER: usize = 14;

/// Says that the other side is there.
const HEARTBEAT: [u8; AROUND] = [8, 0, 0, 0, 0, 0, 0, END];

/// A stream on its way. What is read goes straight to where it is wanted, and is looked at there; what is not whole yet,
/// and what is larger than that place, is kept here.
#[derive(Debug)]
pub(crate) struct Frames<O = ()> {
    bytes: Vec<u8>,
    /// Of `bytes`, this has come and is not taken.
    start: usize,
    end: usize,
    /// Of that, so much may be taken.
    ready: usize,
    /// For the next look there must be so much.
    needed: usize,
    /// Bytes of a heartbeat that are still to be handed out.
    heartbeat: usize,
    beats: bool,
    scanner: Scanner<O>,
}

impl<O: Observer> Frames<O> {
    pub(crate) fn new(notes: Notes, observer: O) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            ready: 0,
            needed: AROUND,
            heartbeat: 0,
            beats: true,
            scanner: Scanner::new(notes, observer),
        }
    }

    /// As [`Self::new`], for tests that compare what comes out: a heartbeat is there or not by how the stream is cut.
    #[allow(dead_code, reason = "for tests and fuzz targets, which compile this by itself")]
    pub(crate) fn without_heartbeats(notes: Notes, observer: O) -> Self {
        Self { beats: false, ..Self::new(notes, observer) }
    }

    /// Where to put what comes next: in `out`, if it can be taken from there at once, behind what is held. What was
    /// put there is told to [`read_to`](Self::read_to). `None`: it goes to [`room`](Self::room).
    ///
    /// To be asked for when nothing can be taken.
    pub(crate) fn room_in<'a>(&self, out: &'a mut [u8]) -> Option<&'a mut [u8]> {
        if out.len() < self.needed {
            return None;
        }
        let held = &self.bytes[self.start..self.end];
        let most = out.len().min(self.needed.max(CHUNK));
        out[..held.len()].copy_from_slice(held);
        Some(&mut out[held.len()..most])
    }

    /// So much of the room in `out` is filled. Returns how much of `out` may be taken.
    pub(crate) fn read_to(&mut self, out: &mut [u8], count: usize) -> usize {
        let come = (self.end - self.start + count).min(out.len());
        let scanned = self.scanner.scan(&mut out[..come]);
        let held = &out[scanned.ready..scanned.ready + scanned.held];
        self.bytes.clear();
        self.bytes.extend_from_slice(held);
        (self.start, self.end, self.needed) = (0, held.len(), scanned.needed);
        self.beat(scanned.ready);
        scanned.ready
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
        let end = (self.end + count).min(self.bytes.len());
        let scanned = self.scanner.scan(&mut self.bytes[self.start..end]);
        (self.ready, self.needed) = (scanned.ready, scanned.needed);
        self.end = self.start + scanned.ready + scanned.held;
        self.beat(scanned.ready);
    }

    /// A frame is held until it is whole. Over a slow link that may take longer than lapin waits for any sign of
    /// life; and what is held is one.
    fn beat(&mut self, ready: usize) {
        if ready == 0 && self.beats && self.scanner.is_open() {
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
}

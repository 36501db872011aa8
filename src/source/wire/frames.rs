//! Frames of AMQP 0-9-1 as they pass: cuts a stream into them, mends those that carry text, and counts what is
//! delivered.
//!
//! Only bytes: no socket, no lapin. The fuzz targets compile this by itself.

mod counts;
mod deliveries;
mod mender;
mod notes;
#[cfg(test)]
mod tests;
mod walk;

use self::deliveries::Deliveries;
pub(crate) use self::deliveries::Observer;
use self::mender::{Fate, Mender, Method};
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
const BODY: u8 = 3;

/// Class, weight, body size and flags of a content header: what is left of one that can't be read.
const BARE_HEADER: usize = 14;
const BARE_HEADER_SIZE: [u8; 4] = [0, 0, 0, 14];

/// Says that the other side is there.
const HEARTBEAT: [u8; AROUND] = [8, 0, 0, 0, 0, 0, 0, END];

/// A stream on its way: what has come and is not taken.
#[derive(Debug)]
pub(crate) struct Frames<O = ()> {
    bytes: Vec<u8>,
    /// Of `bytes`, this has come and is not taken.
    start: usize,
    end: usize,
    /// Of that, so much may be taken.
    ready: usize,
    /// So much of what comes next passes unseen.
    passing: usize,
    /// What passes is a body's frame: its channel, and the bytes of its payload.
    body: Option<(u16, usize)>,
    /// So much of what comes next is left out.
    dropping: usize,
    /// For the next step there must be so much.
    needed: usize,
    /// Bytes of a heartbeat that are still to be handed out.
    heartbeat: usize,
    beats: bool,
    mender: Mender,
    deliveries: Deliveries<O>,
}

/// What becomes of a frame, or of the part of it that has come.
enum Step {
    /// So many bytes may be taken.
    Pass(usize),
    /// So many bytes may be taken, and as many as the second are left out after them.
    Cut(usize, usize),
    /// There must be so much first.
    Wait(usize),
}

impl<O: Observer> Frames<O> {
    pub(crate) fn new(notes: Notes, observer: O) -> Self {
        Self {
            bytes: vec![0; CHUNK],
            start: 0,
            end: 0,
            ready: 0,
            passing: 0,
            body: None,
            dropping: 0,
            needed: AROUND,
            heartbeat: 0,
            beats: true,
            mender: Mender::new(notes),
            deliveries: Deliveries::new(observer),
        }
    }

    /// The same for whoever looks at what comes out: a heartbeat is there or not by how the stream is cut.
    #[allow(dead_code, reason = "for tests and fuzz targets, which compile this by itself")]
    pub(crate) fn without_heartbeats(notes: Notes, observer: O) -> Self {
        Self { beats: false, ..Self::new(notes, observer) }
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

    /// Looks at all that has come, and closes the gaps that what is left out would leave.
    fn scan(&mut self) {
        let mut from = self.start + self.ready;
        let mut to = from;
        while from < self.end {
            let (passed, cut) = match self.step(from) {
                Step::Pass(count) => (count, 0),
                Step::Cut(count, cut) => (count, cut),
                Step::Wait(needed) => {
                    self.needed = needed;
                    break;
                }
            };
            if from != to {
                self.bytes.copy_within(from..from + passed, to);
            }
            (from, to) = (from + passed, to + passed);
            // Not all that is left out need have come yet.
            let gone = cut.min(self.end - from);
            self.dropping = cut - gone;
            from += gone;
        }
        if from != to {
            self.bytes.copy_within(from..self.end, to);
            self.end -= from - to;
        }
        self.ready = to - self.start;
    }

    /// Looks at what stands here: a frame, or the rest of one.
    fn step(&mut self, at: usize) -> Step {
        if self.dropping > 0 {
            return Step::Cut(0, self.dropping);
        }
        if self.passing > 0 {
            return self.pass(self.end - at);
        }
        let here = &mut self.bytes[at..self.end];
        let Some(&[kind, high, low, a, b, c, d]) = here.first_chunk::<HEAD>() else {
            return Step::Wait(AROUND);
        };
        let channel = u16::from_be_bytes([high, low]);
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let whole = size.saturating_add(AROUND);
        match kind {
            HEADER | BODY if self.deliveries.leaves_out(channel) => Step::Cut(0, whole),
            METHOD | HEADER if whole <= self.mender.largest_frame() => {
                let Some(frame) = here.get_mut(..whole) else { return Step::Wait(whole) };
                let payload = &mut frame[HEAD..whole - 1];
                if kind == METHOD {
                    return match self.mender.method(channel, payload) {
                        Method::Deliver if !self.deliveries.announce(channel) => {
                            self.mender.forget(channel);
                            Step::Cut(0, whole)
                        }
                        _ => Step::Pass(whole),
                    };
                }
                let fate = self.mender.header(channel, payload);
                self.deliveries.header(channel, payload, size);
                match fate {
                    Fate::Kept => Step::Pass(whole),
                    Fate::Emptied => empty(frame, whole),
                }
            }
            HEADER => {
                let bare = BARE_HEADER + AROUND;
                let Some(frame) = here.get_mut(..bare) else { return Step::Wait(bare) };
                self.mender.too_large(channel);
                self.deliveries.header(channel, &frame[HEAD..], BARE_HEADER);
                empty(frame, whole)
            }
            // A body, a heartbeat, or what is no frame of AMQP, which lapin is to say.
            _ => {
                self.passing = whole;
                self.body = (kind == BODY).then_some((channel, size));
                let come = here.len();
                self.pass(come)
            }
        }
    }

    /// Of what needs no look, so much has come, or more.
    fn pass(&mut self, come: usize) -> Step {
        let passed = self.passing.min(come);
        self.passing -= passed;
        if self.passing == 0
            && let Some((channel, size)) = self.body.take()
        {
            self.deliveries.body(channel, size);
        }
        Step::Pass(passed)
    }
}

/// Makes the header frame that begins here, of so many bytes, one without properties.
fn empty(frame: &mut [u8], whole: usize) -> Step {
    let bare = BARE_HEADER + AROUND;
    frame[3..HEAD].copy_from_slice(&BARE_HEADER_SIZE);
    frame[bare - 3..bare].copy_from_slice(&[0, 0, END]);
    Step::Cut(bare, whole - bare)
}

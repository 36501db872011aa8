//! Looks at each frame of a stream, in the buffer that it was read to.

use super::deliveries::{Deliveries, Observer};
use super::mender::{HeaderAction, Mender, Method};
use super::notes::Notes;
use super::{AROUND, BARE_HEADER, END, HEAD};

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
const BODY: u8 = 3;

/// A content header's size without properties.
const BARE_HEADER_SIZE: [u8; 4] = [0, 0, 0, 14];

/// Where in the stream the next byte is, and what was learnt from those before it.
#[derive(Debug)]
pub(super) struct Scanner<O> {
    /// So much of what comes next passes unseen.
    passing: usize,
    /// What passes is a body's frame: its channel, and the bytes of its payload.
    body: Option<(u16, usize)>,
    /// So much of what comes next is left out.
    dropping: usize,
    mender: Mender,
    deliveries: Deliveries<O>,
}

/// What became of some bytes: those that may be taken come first, then those of a frame that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) ready: usize,
    pub(super) held: usize,
    /// Before the next look there must be so much, with what is held.
    pub(super) needed: usize,
}

/// What becomes of a frame, or of the part of it that has come.
enum FrameAction {
    /// So many bytes may be taken.
    Pass(usize),
    /// So many bytes may be taken, and as many as the second are left out after them.
    Cut(usize, usize),
    /// There must be so much first.
    Wait(usize),
}

impl<O: Observer> Scanner<O> {
    pub(super) fn new(notes: Notes, observer: O) -> Self {
        Self {
            passing: 0,
            body: None,
            dropping: 0,
            mender: Mender::new(notes),
            deliveries: Deliveries::new(observer),
        }
    }

    /// Whether the connection is made, so that heartbeats may come.
    pub(super) const fn is_open(&self) -> bool {
        self.mender.is_open()
    }

    /// Looks at all that has come, and closes the gaps that what is left out would leave.
    pub(super) fn scan(&mut self, bytes: &mut [u8]) -> Scanned {
        let end = bytes.len();
        let (mut from, mut to, mut needed) = (0, 0, AROUND);
        while from < end {
            let (passed, cut) = match self.step(&mut bytes[from..]) {
                FrameAction::Pass(count) => (count, 0),
                FrameAction::Cut(count, cut) => (count, cut),
                FrameAction::Wait(whole) => {
                    needed = whole;
                    break;
                }
            };
            if from != to {
                bytes.copy_within(from..from + passed, to);
            }
            (from, to) = (from + passed, to + passed);
            // Not all that is left out need have come yet.
            let gone = cut.min(end - from);
            self.dropping = cut - gone;
            from += gone;
        }
        if from != to {
            bytes.copy_within(from..end, to);
        }
        Scanned { ready: to, held: end - from, needed }
    }

    /// Looks at what stands here: a frame, or the rest of one.
    fn step(&mut self, here: &mut [u8]) -> FrameAction {
        if self.dropping > 0 {
            return FrameAction::Cut(0, self.dropping);
        }
        if self.passing > 0 {
            return self.pass(here.len());
        }
        let Some(&[kind, high, low, a, b, c, d]) = here.first_chunk::<HEAD>() else {
            return FrameAction::Wait(AROUND);
        };
        let channel = u16::from_be_bytes([high, low]);
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let whole = size.saturating_add(AROUND);
        match kind {
            HEADER | BODY if self.deliveries.leaves_out(channel) => FrameAction::Cut(0, whole),
            METHOD | HEADER if whole <= self.mender.largest_frame() => {
                let Some(frame) = here.get_mut(..whole) else { return FrameAction::Wait(whole) };
                let payload = &mut frame[HEAD..whole - 1];
                if kind == METHOD {
                    return match self.mender.method(channel, payload) {
                        Method::Deliver if !self.deliveries.announce(channel) => {
                            self.mender.forget(channel);
                            FrameAction::Cut(0, whole)
                        }
                        Method::Opened => {
                            self.deliveries.open(channel);
                            FrameAction::Pass(whole)
                        }
                        _ => FrameAction::Pass(whole),
                    };
                }
                let fate = self.mender.header(channel, payload);
                self.deliveries.header(channel, payload, size);
                match fate {
                    HeaderAction::Kept => FrameAction::Pass(whole),
                    HeaderAction::Emptied => empty(frame, whole),
                }
            }
            HEADER => {
                let bare = BARE_HEADER + AROUND;
                let Some(frame) = here.get_mut(..bare) else { return FrameAction::Wait(bare) };
                self.mender.too_large(channel);
                self.deliveries.header(channel, &frame[HEAD..], BARE_HEADER);
                empty(frame, whole)
            }
            // A body, a heartbeat, or what is no frame of AMQP, which lapin is to say.
            _ => {
                self.passing = whole;
                self.body = (kind == BODY).then_some((channel, size));
                self.pass(here.len())
            }
        }
    }

    /// Of what needs no look, so much has come, or more.
    fn pass(&mut self, come: usize) -> FrameAction {
        let passed = self.passing.min(come);
        self.passing -= passed;
        if self.passing == 0
            && let Some((channel, size)) = self.body.take()
        {
            self.deliveries.body(channel, size);
        }
        FrameAction::Pass(passed)
    }
}

/// Makes the header frame that begins here, of so many bytes, one without properties.
fn empty(frame: &mut [u8], whole: usize) -> FrameAction {
    let bare = BARE_HEADER + AROUND;
    frame[3..HEAD].copy_from_slice(&BARE_HEADER_SIZE);
    frame[bare - 3..bare].copy_from_slice(&[0, 0, END]);
    FrameAction::Cut(bare, whole - bare)
}

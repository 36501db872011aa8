//! Finds the frames that contain text, and the positions of the text.

use super::counts::{properties_without_counts, without_counts};
use super::greeting;
use super::notes::{Altered, Note, Notes, Part};
use super::walk::Walk;
use super::{AROUND, BARE_HEADER};
use crate::limits::LARGEST_FRAME;

/// The smallest limit that AMQP allows.
const SMALLEST_LIMIT: usize = 4096;

/// The properties in their order; those without a name are read otherwise.
static PROPERTIES: [Property; 14] = [
    Property::Text("content_type"),
    Property::Text("content_encoding"),
    Property::Headers,
    Property::Fixed(1), // delivery_mode
    Property::Fixed(1), // priority
    Property::Text("correlation_id"),
    Property::Text("reply_to"),
    Property::Text("expiration"),
    Property::Text("message_id"),
    Property::Fixed(8), // timestamp
    Property::Text("type"),
    Property::Text("user_id"),
    Property::Text("app_id"),
    Property::Text("cluster_id"),
];

/// A content header's flags that say of a property that it is there, the first one's highest.
const PROPERTY_FLAGS: u16 = 0xfffc;

#[derive(Debug, Clone, Copy)]
enum Property {
    Text(&'static str),
    Headers,
    Fixed(usize),
}

/// What is done with a content header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderAction {
    /// Mended in its place, if it had to be.
    Kept,
    /// Its properties can't be read, and are to be taken out.
    Emptied,
}

/// What a method is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// basic.deliver
    Deliver,
    /// channel.open-ok
    Opened,
    Other,
}

/// Mends methods and content headers.
#[derive(Debug)]
pub(super) struct Mender {
    notes: Notes,
    /// The deliveries whose headers come next, one a channel: nearly always one, as the frames of a content follow
    /// each other.
    next: Vec<Next>,
    largest_frame: usize,
    is_open: bool,
}

#[derive(Debug)]
struct Next {
    channel: u16,
    tag: u64,
    altered: Vec<Altered>,
}

impl Mender {
    pub(super) fn new(notes: Notes) -> Self {
        Self { notes, next: Vec::new(), largest_frame: LARGEST_FRAME, is_open: false }
    }

    /// The broker's limit, once it has told it.
    pub(super) const fn largest_frame(&self) -> usize {
        self.largest_frame
    }

    /// Whether the connection is made, so that heartbeats may come.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// A payload that ends too early or has more than it should is left to lapin: RabbitMQ
    /// writes methods itself, and only the texts in them are others'.
    pub(super) fn method(&mut self, channel: u16, payload: &mut [u8]) -> Method {
        let Some(&[0, class, 0, method]) = payload.first_chunk() else { return Method::Other };
        let mut walk = Walk::new(&mut payload[4..]);
        if (class, method) == (60, 60) {
            // The consumer's tag is our own.
            if walk.skip_text().is_some() {
                let _ = self.delivered(channel, &mut walk);
            }
            return Method::Deliver;
        }
        let _ = self.read_method(channel, (class, method), &mut walk);
        if (class, method) == (20, 11) { Method::Opened } else { Method::Other }
    }

    fn read_method(&mut self, channel: u16, id: (u8, u8), walk: &mut Walk<'_>) -> Option<()> {
        match id {
            // connection.start
            (10, 10) => self.notes.greeted_by(greeting::server(walk)?),
            // connection.tune
            (10, 30) => {
                walk.skip(2)?;
                let told = usize::try_from(walk.long()?).ok().filter(|told| *told > 0);
                let told = told.map_or(LARGEST_FRAME, |told| told.saturating_add(AROUND));
                self.largest_frame = told.clamp(SMALLEST_LIMIT, LARGEST_FRAME);
            }
            // connection.open-ok
            (10, 41) => {
                self.is_open = true;
                walk.text()?;
            }
            // channel.open-ok
            (20, 11) => {
                self.forget(channel);
                self.notes.forget(channel);
            }
            // connection.close, channel.close: RabbitMQ cuts their texts wherever 255 bytes end
            (10, 50) | (20, 40) => {
                walk.skip(2)?;
                walk.text()?;
            }
            // basic.get-ok
            (60, 71) => self.delivered(channel, walk)?,
            // basic.return
            (60, 50) => {
                self.forget(channel);
                walk.skip(2)?;
                for _ in 0..3 {
                    walk.text()?;
                }
            }
            // connection.blocked; basic.consume-ok, cancel, cancel-ok; queue.declare-ok
            (10, 60) | (60, 21 | 30 | 31) | (50, 11) => {
                walk.text()?;
            }
            _ => {}
        }
        Some(())
    }

    fn delivered(&mut self, channel: u16, walk: &mut Walk<'_>) -> Option<()> {
        let tag = walk.long_long()?;
        walk.skip(1)?;
        let mut altered = Vec::new();
        for part in [Part::Exchange, Part::RoutingKey] {
            if let Some(original) = walk.text()? {
                altered.push(Altered { part, original: Some(original) });
            }
        }
        self.forget(channel);
        self.next.push(Next { channel, tag, altered });
        Some(())
    }

    /// No header comes next on this channel, or that of another delivery.
    pub(super) fn forget(&mut self, channel: u16) {
        self.take_next(channel);
    }

    fn take_next(&mut self, channel: u16) -> Option<Next> {
        let place = self.next.iter().position(|next| next.channel == channel)?;
        Some(self.next.swap_remove(place))
    }

    pub(super) fn header(&mut self, channel: u16, payload: &mut [u8]) -> HeaderAction {
        // RabbitMQ has none that is shorter; lapin refuses it.
        let length = payload.len();
        if length < BARE_HEADER {
            return HeaderAction::Kept;
        }
        let next = self.take_next(channel);
        let (tag, mut altered) = next.map_or((None, Vec::new()), |it| (Some(it.tag), it.altered));
        let before = altered.len();
        let mut walk = Walk::new(payload).with_most_entries(self.notes.most_entries());
        let read = read_header(&mut walk, &mut altered);
        let too_many = walk.has_too_many_entries();
        let fate = if read.is_some() && !too_many {
            HeaderAction::Kept
        } else {
            altered.truncate(before);
            let original = walk.original(BARE_HEADER - 2..length);
            let original = Some(properties_without_counts(original));
            let part = if too_many { Part::TooMany } else { Part::Everything };
            altered.push(Altered { part, original });
            HeaderAction::Emptied
        };
        self.note(channel, tag, altered);
        fate
    }

    /// Its properties are taken out, and nobody has seen them.
    pub(super) fn too_large(&mut self, channel: u16) {
        if let Some(Next { tag, mut altered, .. }) = self.take_next(channel) {
            altered.push(Altered { part: Part::TooLarge, original: None });
            self.note(channel, Some(tag), altered);
        }
    }

    /// What is returned to who published it has no tag.
    fn note(&self, channel: u16, tag: Option<u64>, altered: Vec<Altered>) {
        if let Some(tag) = tag
            && !altered.is_empty()
        {
            self.notes.put(channel, tag, Note(altered));
        }
    }
}

/// `None` if these are no properties.
fn read_header(walk: &mut Walk<'_>, altered: &mut Vec<Altered>) -> Option<()> {
    walk.skip(BARE_HEADER - 2)?;
    let flags = walk.word()?;
    let mut left = flags & PROPERTY_FLAGS;
    while left != 0 {
        let place = left.leading_zeros();
        left &= !(0x8000 >> place);
        match &PROPERTIES[place as usize] {
            Property::Text(name) => {
                if let Some(original) = walk.text()? {
                    altered.push(Altered { part: Part::Property(name), original: Some(original) });
                }
            }
            Property::Headers => altered.extend(walk.headers()?.map(|altered| Altered {
                original: altered.original.map(without_counts),
                ..altered
            })),
            Property::Fixed(bytes) => walk.skip(*bytes)?,
        }
    }
    // Flags for more flags, of which there are none.
    (flags & !PROPERTY_FLAGS == 0 && walk.is_at_end()).then_some(())
}

//! Which frames carry text, and where in them.

use std::collections::HashMap;

use super::notes::{Altered, Note, Notes, Part};
use super::walk::Walk;
use super::{AROUND, BARE_HEADER, LARGEST_FRAME};

/// The smallest limit that AMQP allows.
const SMALLEST_LIMIT: usize = 4096;

/// The properties in their order; those without a name are read otherwise.
const PROPERTIES: [Property; 14] = [
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

#[derive(Debug, Clone, Copy)]
enum Property {
    Text(&'static str),
    Headers,
    Fixed(usize),
}

/// What becomes of a content header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Mended in its place, if it had to be.
    Kept,
    /// Its properties can't be read, and are to be taken out.
    Emptied,
}

/// Mends methods and content headers.
#[derive(Debug)]
pub(super) struct Mender {
    notes: Notes,
    /// By channel, the delivery whose header comes next.
    next: HashMap<u16, Next>,
    largest_frame: usize,
    is_open: bool,
}

#[derive(Debug)]
struct Next {
    tag: u64,
    altered: Vec<Altered>,
}

impl Mender {
    pub(super) fn new(notes: Notes) -> Self {
        Self { notes, next: HashMap::new(), largest_frame: LARGEST_FRAME, is_open: false }
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
    pub(super) fn method(&mut self, channel: u16, payload: &mut [u8]) {
        let mut walk = Walk::new(payload);
        let _ = self.read_method(channel, &mut walk);
    }

    fn read_method(&mut self, channel: u16, walk: &mut Walk<'_>) -> Option<()> {
        match (walk.number(2)?, walk.number(2)?) {
            // connection.tune
            (10, 30) => {
                walk.skip(2)?;
                let told = usize::try_from(walk.number(4)?).ok().filter(|told| *told > 0);
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
                self.next.remove(&channel);
                self.notes.forget(channel);
            }
            // connection.close, channel.close: RabbitMQ cuts their texts wherever 255 bytes end
            (10, 50) | (20, 40) => {
                walk.skip(2)?;
                walk.text()?;
            }
            // basic.deliver
            (60, 60) => {
                walk.text()?;
                self.delivered(channel, walk)?;
            }
            // basic.get-ok
            (60, 71) => self.delivered(channel, walk)?,
            // basic.return
            (60, 50) => {
                self.next.remove(&channel);
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
        let tag = walk.number(8)?;
        walk.skip(1)?;
        let mut altered = Vec::new();
        for part in [Part::Exchange, Part::RoutingKey] {
            altered.extend(walk.text()?.map(|original| Altered { part, original: Some(original) }));
        }
        self.next.insert(channel, Next { tag, altered });
        Some(())
    }

    pub(super) fn header(&mut self, channel: u16, payload: &mut [u8]) -> Fate {
        // RabbitMQ has none that is shorter; lapin refuses it.
        let length = payload.len();
        if length < BARE_HEADER {
            return Fate::Kept;
        }
        let next = self.next.remove(&channel);
        let (tag, mut altered) = next.map_or((None, Vec::new()), |it| (Some(it.tag), it.altered));
        let before = altered.len();
        let mut walk = Walk::new(payload);
        let read = read_header(&mut walk, &mut altered);
        let fate = if read.is_some() {
            Fate::Kept
        } else {
            altered.truncate(before);
            let original = Some(walk.original(BARE_HEADER - 2..length));
            altered.push(Altered { part: Part::Everything, original });
            Fate::Emptied
        };
        self.note(channel, tag, altered);
        fate
    }

    /// Its properties are taken out, and nobody has seen them.
    pub(super) fn too_large(&mut self, channel: u16) {
        if let Some(Next { tag, mut altered }) = self.next.remove(&channel) {
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
    let flags = walk.number(2)?;
    for (place, property) in PROPERTIES.into_iter().enumerate() {
        if flags & (0x8000 >> place) == 0 {
            continue;
        }
        match property {
            Property::Text(name) => {
                altered.extend(walk.text()?.map(|original| Altered {
                    part: Part::Property(name),
                    original: Some(original),
                }));
            }
            Property::Headers => altered.extend(walk.headers()?),
            Property::Fixed(bytes) => walk.skip(bytes)?,
        }
    }
    // Flags for more flags, of which there are none.
    (flags.trailing_zeros() >= 2 && walk.is_at_end()).then_some(())
}

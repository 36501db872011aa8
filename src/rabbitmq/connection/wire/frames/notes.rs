//! Records what was read in a stream and lapin does not tell: the mended parts of deliveries, until the consumer receives them,
//! and the server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::server::Server;
use crate::limits::{MOST_HEADERS, MOST_HEADERS_OF_EVENTS, MOST_NOTED_BYTES};

/// A part of a message that can be bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Exchange,
    RoutingKey,
    /// A property that is a short string, by AMQP's name.
    Property(&'static str),
    /// The name of a header.
    HeaderName,
    /// The name of a header within a header's table, or what is nested too deep to be read.
    Nested,
    /// All properties: they are no properties at all.
    Everything,
    /// All properties: their headers have too many entries.
    TooMany,
    /// The same, and they were too large to be kept.
    TooLarge,
}

/// Something that was changed so that it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Altered {
    pub(crate) part: Part,
    /// As it came: the property, the whole table of headers, or all properties with their flags. `None`: there
    /// was no room to keep it.
    pub(crate) original: Option<Vec<u8>>,
}

/// What was changed of one delivery; never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Note(pub(crate) Vec<Altered>);

impl Note {
    fn bytes(&self) -> usize {
        self.0.iter().filter_map(|it| it.original.as_ref()).map(Vec::len).sum()
    }
}

/// The notes of one connection, by channel and delivery tag. They travel beside the stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many there are: a delivery that was not changed takes no lock.
    count: AtomicUsize,
    kept: Mutex<NoteTable>,
    /// The connection delivers producers' events.
    of_events: AtomicBool,
    server: OnceLock<Server>,
}

#[derive(Debug, Default)]
struct NoteTable {
    notes: HashMap<(u16, u64), Note>,
    bytes: usize,
}

impl PartialEq for Notes {
    fn eq(&self, other: &Self) -> bool {
        // One after the other: they may be the same.
        let ours = self.lock().notes.clone();
        ours == other.lock().notes && self.server() == other.server()
    }
}

impl Notes {
    /// The note on this delivery, if it was changed.
    pub(crate) fn take(&self, channel: u16, tag: u64) -> Option<Note> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut kept = self.lock();
        let note = kept.notes.remove(&(channel, tag))?;
        kept.bytes -= note.bytes();
        self.0.count.store(kept.notes.len(), Ordering::Release);
        Some(note)
    }

    /// Who the broker says it is, once it has said so.
    pub(crate) fn server(&self) -> Option<Server> {
        self.0.server.get().cloned()
    }

    /// The first greeting counts.
    pub(super) fn greeted_by(&self, server: Server) {
        let _ = self.0.server.set(server);
    }

    /// How many entries the headers of a message may have.
    pub(super) fn most_entries(&self) -> usize {
        if self.0.of_events.load(Ordering::Relaxed) { MOST_HEADERS_OF_EVENTS } else { MOST_HEADERS }
    }

    /// From now on as many as a producer's event may have.
    pub(crate) fn limit_to_events(&self) {
        self.0.of_events.store(true, Ordering::Relaxed);
    }

    /// Where there is no room for what was there, that is left out.
    pub(super) fn put(&self, channel: u16, tag: u64, mut note: Note) {
        let mut kept = self.lock();
        if kept.bytes + note.bytes() > MOST_NOTED_BYTES {
            note.0.iter_mut().for_each(|altered| altered.original = None);
        }
        kept.bytes += note.bytes();
        if let Some(before) = kept.notes.insert((channel, tag), note) {
            kept.bytes -= before.bytes();
        }
        self.0.count.store(kept.notes.len(), Ordering::Release);
    }

    /// The channel is a new one, and counts its deliveries from one.
    pub(super) fn forget(&self, channel: u16) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut kept = self.lock();
        kept.notes.retain(|(it, _), _| *it != channel);
        kept.bytes = kept.notes.values().map(Note::bytes).sum();
        self.0.count.store(kept.notes.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, NoteTable> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Reads dead letters as they arrive and keeps of each only what is asked for.
//!
//! This runs where frames are read. So bodies that nobody wants pile up nowhere, and, where
//! all are wanted, the broker waits while they are written away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::content::Sources;
use super::filter::Filter;
use super::letter::Letter;
use crate::rabbitmq::message::Message;

/// Bytes of messages that are kept in memory at once.
const ROOM: usize = 64 * 1024 * 1024;

/// A dead letter that was looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) letter: Letter,
    /// Whether it is among those meant.
    pub(crate) matches: bool,
    /// The whole of it, if it is meant, and there was room.
    pub(crate) message: Option<Kept>,
}

/// What becomes of the messages of those that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    /// As many as there is room for.
    SomeOf,
    /// All; where there is no room, the broker waits. They must be taken as they come.
    All,
}

pub(crate) struct Sift {
    sources: Sources,
    filter: Filter,
    without: Box<dyn Fn(&Letter) -> bool + Send + Sync>,
    keep: Keep,
    room: Arc<Room>,
}

impl Sift {
    pub(crate) fn new(sources: Sources, filter: Filter, keep: Keep) -> Self {
        Self { sources, filter, without: Box::new(|_| false), keep, room: Arc::default() }
    }

    /// None of these is meant, whatever the filter says.
    pub(crate) fn without(self, without: impl Fn(&Letter) -> bool + Send + Sync + 'static) -> Self {
        Self { without: Box::new(without), ..self }
    }

    pub(crate) fn read(&self, mut message: Message) -> Seen {
        let letter = Letter::read(&mut message, &self.sources);
        let matches = self.filter.matches(&letter) && !(self.without)(&letter);
        let weight = message.weight();
        let kept = matches
            && match self.keep {
                Keep::Nothing => false,
                Keep::SomeOf => self.room.take(weight, false),
                Keep::All => self.room.take(weight, true),
            };
        let room = &self.room;
        let message = kept.then(|| Kept { message, weight, room: Arc::clone(room) });
        Seen { letter, matches, message }
    }

    /// From now on somebody takes what comes, so that it is safe to wait for room.
    pub(crate) fn begin(&self) {
        self.room.is_emptied.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Room {
    used: Mutex<usize>,
    freed: Condvar,
    is_emptied: AtomicBool,
}

impl Room {
    /// A message that is larger than all the room is taken alone.
    fn take(&self, weight: usize, wait: bool) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && *used + weight > ROOM {
            if !wait {
                return false;
            }
            if !self.is_emptied.load(Ordering::SeqCst) {
                break;
            }
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += weight;
        true
    }
}

/// A message that takes up room until it is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) message: Message,
    weight: usize,
    room: Arc<Room>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        *self.room.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.weight;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(size: usize) -> Message {
        Message { body: vec![b'x'; size], ..Message::default() }
    }

    #[test]
    fn what_there_is_no_room_for_is_seen_but_not_kept() {
        let sift = Sift::new(Sources::default(), Filter::default(), Keep::SomeOf);
        let first = sift.read(large(ROOM));
        assert!(first.message.is_some(), "alone it may be larger than the room");
        let second = sift.read(large(1));
        assert!(second.matches && second.message.is_none());
        drop(first);
        assert!(sift.read(large(1)).message.is_some());
    }

    #[test]
    fn where_all_are_kept_the_next_waits_until_there_is_room() {
        let sift = Arc::new(Sift::new(Sources::default(), Filter::default(), Keep::All));
        let first = sift.read(large(ROOM));
        let early = sift.read(large(1));
        assert!(early.message.is_some(), "nobody empties it yet");
        drop(early);
        sift.begin();
        let (tell, told) = std::sync::mpsc::channel();
        let reading = Arc::clone(&sift);
        let thread = std::thread::spawn(move || {
            let seen = reading.read(large(1));
            tell.send(()).unwrap();
            seen.message.is_some()
        });
        assert!(told.try_recv().is_err(), "it did not wait");
        drop(first);
        told.recv().unwrap();
        assert!(thread.join().unwrap());
    }
}

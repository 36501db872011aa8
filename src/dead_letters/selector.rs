//! Reads dead letters as they arrive, applies the filter, and keeps bodies of those that match.
//!
//! This runs where frames are read. So bodies that are not needed are not stored, and if
//! all are needed, the broker waits while they are written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::content::Sources;
use super::filter::Filter;
use super::letter::Letter;
use crate::rabbitmq::message::Message;

/// Bytes of messages that are kept in memory at once.
const BUDGET: usize = 64 * 1024 * 1024;

/// A dead letter that was browsed.
#[derive(Debug)]
pub(crate) struct BrowsedLetter {
    pub(crate) letter: Letter,
    /// Whether it is among those meant.
    pub(crate) matches: bool,
    /// The whole of it, if it is meant, and there was room.
    pub(crate) message: Option<KeptMessage>,
}

/// Which messages of matching letters are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    /// As many as there is room for.
    SomeOf,
    /// All; where there is no room, the broker waits. They must be taken as they come.
    All,
}

/// Makes a [`BrowsedLetter`] of each message, within a budget of memory.
pub(crate) struct LetterSelector {
    sources: Sources,
    filter: Filter,
    without: Box<dyn Fn(&Letter) -> bool + Send + Sync>,
    keep: Keep,
    budget: Arc<MemoryBudget>,
}

impl LetterSelector {
    pub(crate) fn new(sources: Sources, filter: Filter, keep: Keep) -> Self {
        Self { sources, filter, without: Box::new(|_| false), keep, budget: Arc::default() }
    }

    /// Letters for which `without` is true never match, whatever the filter says.
    pub(crate) fn without(self, without: impl Fn(&Letter) -> bool + Send + Sync + 'static) -> Self {
        Self { without: Box::new(without), ..self }
    }

    pub(crate) fn read(&self, mut message: Message) -> BrowsedLetter {
        let letter = Letter::read(&mut message, &self.sources);
        let matches = self.filter.matches(&letter) && !(self.without)(&letter);
        let weight = message.weight();
        let kept = matches
            && match self.keep {
                Keep::Nothing => false,
                Keep::SomeOf => self.budget.take(weight, false),
                Keep::All => self.budget.take(weight, true),
            };
        let budget = &self.budget;
        let message = kept.then(|| KeptMessage { message, weight, budget: Arc::clone(budget) });
        BrowsedLetter { letter, matches, message }
    }

    /// From now on somebody takes the letters that come, so that it is safe to wait for memory.
    pub(crate) fn begin(&self) {
        self.budget.is_emptied.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct MemoryBudget {
    used: Mutex<usize>,
    freed: Condvar,
    is_emptied: AtomicBool,
}

impl MemoryBudget {
    /// A message that is larger than all the room is taken alone.
    fn take(&self, weight: usize, wait: bool) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && *used + weight > BUDGET {
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
pub(crate) struct KeptMessage {
    pub(crate) message: Message,
    weight: usize,
    budget: Arc<MemoryBudget>,
}

impl Drop for KeptMessage {
    fn drop(&mut self) {
        *self.budget.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.weight;
        self.budget.freed.notify_all();
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
        let selector = LetterSelector::new(Sources::default(), Filter::default(), Keep::SomeOf);
        let first = selector.read(large(BUDGET));
        assert!(first.message.is_some(), "alone it may be larger than the room");
        let second = selector.read(large(1));
        assert!(second.matches && second.message.is_none());
        drop(first);
        assert!(selector.read(large(1)).message.is_some());
    }

    #[test]
    fn where_all_are_kept_the_next_waits_until_there_is_room() {
        let selector =
            Arc::new(LetterSelector::new(Sources::default(), Filter::default(), Keep::All));
        let first = selector.read(large(BUDGET));
        let early = selector.read(large(1));
        assert!(early.message.is_some(), "nobody empties it yet");
        drop(early);
        selector.begin();
        let (tell, told) = std::sync::mpsc::channel();
        let reading = Arc::clone(&selector);
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

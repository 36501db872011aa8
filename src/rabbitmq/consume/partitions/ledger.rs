//! What workers have written down of an event with which others ended: how often one began it, and how often it handed the event back
//! in order or lived on with it. What is left are workers that ended.

use sha2::{Digest, Sha256};

use crate::text::hexadecimal;

/// So many workers may end with an event. The next one makes a dead letter of it.
const MOST_ENDED: usize = 3;

/// What a worker writes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is about to begin the event.
    Begun,
    /// It has the event no more, or lived on with it.
    HandedBack,
}

impl Entry {
    const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::HandedBack => "handed-back",
        }
    }
}

/// Tells an event of a partition from others. It is the same whenever RabbitMQ delivers the event again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(
        queue: &str,
        routing_key: &str,
        message_id: Option<&str>,
        body: &[u8],
    ) -> Self {
        let mut hash = Sha256::new();
        let id = message_id.unwrap_or_default();
        for part in [queue.as_bytes(), routing_key.as_bytes(), id.as_bytes(), body] {
            // With its length, so that no other parts make the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        // An id that is empty is another one than none.
        hash.update([u8::from(message_id.is_some())]);
        Self(hexadecimal(&hash.finalize()))
    }

    /// The body of a record.
    pub(super) fn record(&self, entry: Entry) -> String {
        format!("{} {}", entry.name(), self.0)
    }

    /// What a record says of this event, if it is one.
    fn entry(&self, record: &[u8]) -> Option<Entry> {
        let of = |entry: &Entry| self.record(*entry).as_bytes() == record;
        [Entry::Begun, Entry::HandedBack].into_iter().find(of)
    }
}

/// The sum of the records of one event.
#[derive(Debug)]
pub(super) struct Ledger {
    fingerprint: Fingerprint,
    begun: usize,
    handed_back: usize,
}

impl Ledger {
    pub(super) const fn of(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, begun: 0, handed_back: 0 }
    }

    /// Takes the body of a record; of another event it counts for nothing. They may come in any order.
    pub(super) fn take(&mut self, record: &[u8]) {
        match self.fingerprint.entry(record) {
            Some(Entry::Begun) => self.begun += 1,
            Some(Entry::HandedBack) => self.handed_back += 1,
            None => {}
        }
    }

    /// How many workers ended with the event, if they are enough to make a dead letter of it.
    pub(super) fn condemns(&self) -> Option<usize> {
        let ended = self.begun.saturating_sub(self.handed_back);
        (ended >= MOST_ENDED).then_some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &[u8]) -> Fingerprint {
        Fingerprint::of("q.4.00", "user@host", Some("id"), body)
    }

    fn ledger(entries: &[Entry]) -> Ledger {
        let mut ledger = Ledger::of(event(b"body"));
        for entry in entries {
            ledger.take(event(b"body").record(*entry).as_bytes());
        }
        ledger
    }

    #[test]
    fn an_event_is_condemned_when_three_more_began_it_than_handed_it_back() {
        use Entry::{Begun, HandedBack};
        for (entries, condemned) in [
            (&[][..], None),
            (&[Begun, Begun], None),
            (&[Begun, Begun, Begun], Some(3)),
            (&[Begun, HandedBack, Begun, HandedBack, Begun, HandedBack, Begun, Begun], None),
            (&[HandedBack, Begun, Begun, Begun], None),
            (&[HandedBack, Begun, Begun, Begun, Begun], Some(3)),
            (&[HandedBack, HandedBack], None),
        ] {
            assert_eq!(ledger(entries).condemns(), condemned, "{entries:?}");
        }
    }

    #[test]
    fn what_is_said_of_another_event_or_can_not_be_read_counts_for_nothing() {
        let mut ledger = ledger(&[Entry::Begun, Entry::Begun]);
        let other = event(b"another body").record(Entry::Begun);
        let longer = format!("{} ", event(b"body").record(Entry::Begun));
        for record in [other.as_bytes(), longer.as_bytes(), b"begun", b"", b"\xff"] {
            ledger.take(record);
        }
        assert_eq!(ledger.condemns(), None);
    }

    #[test]
    fn every_part_tells_an_event_from_another() {
        let of = |queue: &str, key: &str, id: Option<&str>, body: &[u8]| {
            Fingerprint::of(queue, key, id, body)
        };
        let all = [
            of("q.4.00", "key", Some("id"), b"body"),
            of("q.4.01", "key", Some("id"), b"body"),
            of("q.4.00", "keyi", Some("d"), b"body"),
            of("q.4.00", "key", None, b"body"),
            of("q.4.00", "key", Some(""), b"body"),
            of("q.4.00", "key", Some("id"), b""),
        ];
        for (place, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|it| it == one), Some(place), "{one:?}");
        }
        assert_eq!(all[0], of("q.4.00", "key", Some("id"), b"body"), "whenever it comes");
    }
}

//! The recent errors: each kind once, with how often it occurred and when last.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use serde::Serialize;

use crate::untrusted::one_line;

/// Kinds that are kept; the one that was not met for longest makes room.
const MOST: usize = 20;

/// Bytes of a text that are kept.
const LONGEST: usize = 300;

/// An error that occurred, perhaps more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentError {
    /// The source or the topic that met it.
    pub place: String,
    /// Its kind: a code, or a dead letter's reason.
    pub kind: String,
    /// What it said last; never a body.
    pub text: String,
    /// How often since the start.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
}

/// Errors of one worker process, all of its sources and topics together.
#[derive(Debug, Default)]
pub struct RecentErrors {
    errors: RefCell<Vec<RecentError>>,
    /// What was handed out last, as long as nothing is new.
    copy: RefCell<Option<Rc<[RecentError]>>>,
}

impl RecentErrors {
    /// An error was met.
    pub fn note(&self, place: &str, kind: &str, text: &dyn std::fmt::Display) {
        self.copy.take();
        let text = one_line(&text.to_string(), LONGEST);
        let last = Timestamp::now();
        let mut errors = self.errors.borrow_mut();
        if let Some(known) = errors.iter_mut().find(|it| it.place == place && it.kind == kind) {
            (known.count, known.text, known.last) = (known.count + 1, text, last);
            return;
        }
        if errors.len() >= MOST
            && let Some((oldest, _)) = errors.iter().enumerate().min_by_key(|(_, it)| it.last)
        {
            errors.swap_remove(oldest);
        }
        errors.push(RecentError {
            place: place.to_owned(),
            kind: kind.to_owned(),
            text,
            count: 1,
            last,
        });
    }

    /// All that are kept, the last one first.
    #[must_use]
    pub fn all(&self) -> Rc<[RecentError]> {
        let mut copy = self.copy.borrow_mut();
        Rc::clone(copy.get_or_insert_with(|| {
            let mut all = self.errors.borrow().clone();
            all.sort_by_key(|it| std::cmp::Reverse(it.last));
            all.into()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_kept_once_and_the_one_not_met_for_longest_makes_room() {
        let recent = RecentErrors::default();
        for number in 0..MOST {
            recent.note("pm", &format!("kind {number}"), &"first");
        }
        recent.note("pm", "kind 0", &"second");
        recent.note("pm", "one more", &"x".repeat(10_000));
        let all = recent.all();
        assert_eq!(
            (all.len(), &*all[0].kind, all[0].text.len()),
            (MOST, "one more", LONGEST + "…".len())
        );
        let again = all.iter().find(|it| it.kind == "kind 0").unwrap();
        assert_eq!((again.count, &*again.text), (2, "second"));
        assert!(all.iter().all(|it| it.kind != "kind 1"), "{all:#?}");
        assert!(Rc::ptr_eq(&all, &recent.all()), "nothing is copied while nothing is new");
    }
}

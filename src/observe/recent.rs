//! The recent errors: each cause once, with how often it occurred and when last.
//!
//! Errors have the same cause if place and kind are the same and the texts differ in numbers and ids only.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use serde::Serialize;

use crate::text::error_pattern;
use crate::untrusted::one_line;

/// Causes that are kept; the one that was not met for longest makes room.
const MOST: usize = 30;

/// Causes of one place and kind: texts that are all different push out none of another kind.
const MOST_OF_A_KIND: usize = 6;

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
    /// The text without numbers and ids.
    #[serde(skip)]
    cause: String,
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
        let cause = error_pattern(&text);
        let is_alike = |it: &RecentError| it.place == place && it.kind == kind;
        if let Some(known) = errors.iter_mut().find(|it| is_alike(it) && it.cause == cause) {
            (known.count, known.text, known.last) = (known.count + 1, text, last);
            return;
        }
        let is_full_of_a_kind = errors.iter().filter(|it| is_alike(it)).count() >= MOST_OF_A_KIND;
        if is_full_of_a_kind || errors.len() >= MOST {
            let all = errors.iter().enumerate();
            let may_go = all.filter(|(_, it)| !is_full_of_a_kind || is_alike(it));
            if let Some((oldest, _)) = may_go.min_by_key(|(_, it)| it.last) {
                errors.swap_remove(oldest);
            }
        }
        errors.push(RecentError {
            place: place.to_owned(),
            kind: kind.to_owned(),
            text,
            cause,
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
    fn each_cause_is_counted_by_itself_and_differs_in_more_than_numbers() {
        let recent = RecentErrors::default();
        for (times, text) in [
            (3, "Throttling: Rate exceeded"),
            (2, "Throttling: Quota of 300 is used up"),
            (1, "Throttling: Quota of 500 is used up"),
        ] {
            (0..times).for_each(|_| recent.note("pm", "Throttling", &text));
        }
        recent.note("muc", "Throttling", &"Throttling: Rate exceeded");
        let mut seen: Vec<_> =
            recent.all().iter().map(|it| (it.place.clone(), it.text.clone(), it.count)).collect();
        seen.sort();
        let of = |place: &str, text: &str, count| (place.to_owned(), text.to_owned(), count);
        let expected = [
            of("muc", "Throttling: Rate exceeded", 1),
            of("pm", "Throttling: Quota of 500 is used up", 3),
            of("pm", "Throttling: Rate exceeded", 3),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn texts_that_are_all_different_push_out_none_of_another_kind() {
        let recent = RecentErrors::default();
        recent.note("pm", "NotFound", &"first");
        for number in 0..100 {
            recent.note("events", "undecodable", &"x".repeat(number));
        }
        let all = recent.all();
        assert_eq!(all.len(), 1 + MOST_OF_A_KIND);
        assert!(all.iter().any(|it| it.kind == "NotFound"), "{all:#?}");
        assert_eq!(all[0].text.len(), 99, "the last one is there");
    }

    #[test]
    fn each_kind_is_kept_once_and_the_one_not_met_for_longest_makes_room() {
        let recent = RecentErrors::default();
        for number in 0..MOST {
            recent.note("pm", &format!("kind {number}"), &"try 1");
        }
        recent.note("pm", "kind 0", &"try 2");
        recent.note("pm", "one more", &"x".repeat(10_000));
        let all = recent.all();
        assert_eq!(
            (all.len(), &*all[0].kind, all[0].text.len()),
            (MOST, "one more", LONGEST + "…".len())
        );
        let again = all.iter().find(|it| it.kind == "kind 0").unwrap();
        assert_eq!((again.count, &*again.text), (2, "try 2"));
        assert!(all.iter().all(|it| it.kind != "kind 1"), "{all:#?}");
        assert!(Rc::ptr_eq(&all, &recent.all()), "nothing is copied while nothing is new");
    }
}

//! Determines the result of each event in a request from the answer, also from an answer that does not match the request.
//!
//! An event that the answer does not clearly accept counts as not published and is tried
//! again: a duplicate is better than a lost message.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::LONGEST_MESSAGE_ID;
use crate::outcome::{Fault, MessageId};

/// What became of the entries of one batch, which have their places in it as ids.
#[derive(Debug)]
pub(super) struct EntryResults {
    entries: Vec<Option<Result<MessageId, Fault>>>,
    /// Parts of the answer that name no entry, or one that has its answer already.
    surplus: usize,
}

impl EntryResults {
    /// Nothing is said yet of any of `entries`.
    pub(super) fn new(entries: usize) -> Self {
        Self { entries: vec![None; entries], surplus: 0 }
    }

    /// SNS says that it took this entry.
    pub(super) fn accepted(&mut self, id: &str, message_id: String) {
        self.put(id, id_of(message_id));
    }

    /// SNS says that it did not.
    pub(super) fn failed(&mut self, id: &str, fault: Fault) {
        self.put(id, Err(fault));
    }

    fn put(&mut self, id: &str, answer: Result<MessageId, Fault>) {
        let Some(entry) = place(id).and_then(|place| self.entries.get_mut(place)) else {
            self.surplus += 1;
            return;
        };
        match entry {
            None => *entry = Some(answer),
            Some(before) => {
                self.surplus += 1;
                if before.is_err() || answer.is_err() {
                    *before = Err(unanswered());
                }
            }
        }
    }

    /// An answer for each entry, in their order.
    pub(super) fn in_order(self, mismatches: &MismatchLog) -> Vec<Result<MessageId, Fault>> {
        let Self { entries, surplus } = self;
        let answers: Vec<_> =
            entries.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect();
        let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
        let unanswered = failed.filter(|fault| **fault == unanswered()).count();
        if surplus + unanswered > 0 {
            mismatches.note(surplus, unanswered);
        }
        answers
    }
}

/// The answer to a single publish.
pub(super) fn single(message_id: String, mismatches: &MismatchLog) -> Result<MessageId, Fault> {
    id_of(message_id).inspect_err(|_| mismatches.note(0, 1))
}

/// Empty: without an id nothing says that the message was accepted. One that is no UUID is not shown: it could
/// be anything.
fn id_of(id: String) -> Result<MessageId, Fault> {
    if id.is_empty() {
        return Err(unanswered());
    }
    let is_plain = id.len() <= LONGEST_MESSAGE_ID
        && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    Ok(MessageId(if is_plain { id } else { "…".to_owned() }))
}

/// `7`, and neither `07` nor `+7`, which were not asked about.
fn place(id: &str) -> Option<usize> {
    let is_plain = id == "0" || id.starts_with(|first: char| matches!(first, '1'..='9'));
    id.parse().ok().filter(|_| is_plain)
}

fn unanswered() -> Fault {
    Fault::unanswered("SNS's answer does not name the message")
}

/// After so long without one it is over, and the next is worth a line again.
const OVER: Duration = Duration::from_mins(1);

/// Says once that answers don't fit, until that is over.
#[derive(Debug, Default)]
pub(super) struct MismatchLog {
    last: Cell<Option<Instant>>,
}

impl MismatchLog {
    fn note(&self, surplus: usize, unanswered: usize) {
        let now = Instant::now();
        let goes_on = self.last.replace(Some(now)).is_some_and(|last| now - last < OVER);
        if goes_on {
            tracing::debug!(
                event = "answer_mismatch_again",
                surplus,
                unanswered,
                "another answer of SNS does not fit its request"
            );
            return;
        }
        tracing::warn!(
            event = "answer_mismatch",
            surplus,
            unanswered,
            "answer of SNS does not fit its request: the answer does not name each event once; events that \
             it does not plainly call accepted are tried again. Check for a proxy that changes answers. \
             Logged once, until a minute has passed without such an answer"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Scope;
    use crate::publish::memory::fault;

    /// `None`: not published.
    fn taken(id: Option<&str>) -> Result<MessageId, Fault> {
        id.map(|id| MessageId(id.to_owned())).ok_or_else(unanswered)
    }

    /// Three entries; `Some` is a message id, `None` a failure.
    fn answers(parts: &[(&str, Option<&str>)]) -> (Vec<Result<MessageId, Fault>>, bool) {
        let (mut entry_results, mismatches) = (EntryResults::new(3), MismatchLog::default());
        for (id, message_id) in parts {
            match message_id {
                Some(message_id) => entry_results.accepted(id, (*message_id).to_owned()),
                None => entry_results.failed(id, fault(Scope::Message)),
            }
        }
        let answers = entry_results.in_order(&mismatches);
        (answers, mismatches.last.get().is_none())
    }

    #[test]
    fn an_answer_that_names_each_entry_once_is_taken_as_it_is_in_the_entries_order() {
        let (answers, fits) = answers(&[("2", Some("c")), ("0", Some("a")), ("1", None)]);
        assert_eq!(answers, [taken(Some("a")), Err(fault(Scope::Message)), taken(Some("c"))]);
        assert!(fits);
    }

    #[test]
    fn what_is_not_plainly_accepted_counts_as_not_published() {
        let others = [("0", Some("a")), ("1", Some("b"))];
        for odd in [
            &[][..],
            &[("3", Some("c"))],
            &[("02", Some("c"))],
            &[("+2", Some("c"))],
            &[("", Some("c"))],
            &[("2", Some(""))],
            &[("2", Some("c")), ("2", None)],
            &[("2", None), ("2", Some("c"))],
            &[("2", None), ("2", None)],
        ] {
            let (answers, fits) = answers(&[&others, odd].concat());
            assert_eq!(answers, [taken(Some("a")), taken(Some("b")), taken(None)], "{odd:?}");
            assert!(!fits, "{odd:?}");
        }
    }

    #[test]
    fn what_is_called_accepted_twice_is_accepted() {
        let all = [("0", Some("a")), ("1", Some("b")), ("2", Some("c")), ("2", Some("d"))];
        let (answers, fits) = answers(&all);
        assert_eq!(answers, [taken(Some("a")), taken(Some("b")), taken(Some("c"))]);
        assert!(!fits);
    }

    #[test]
    fn a_single_publish_without_a_message_id_is_not_published() {
        let mismatches = MismatchLog::default();
        assert_eq!(single("a".to_owned(), &mismatches), taken(Some("a")));
        assert!(mismatches.last.get().is_none());
        assert_eq!(single(String::new(), &mismatches), taken(None));
        assert!(mismatches.last.get().is_some());
    }

    #[test]
    fn an_id_that_is_no_uuid_counts_as_one_and_is_not_shown() {
        let longest = "0".repeat(LONGEST_MESSAGE_ID);
        assert_eq!(id_of(longest.clone()), Ok(MessageId(longest.clone())));
        for odd in [format!("{longest}0"), "\u{1b}[31m".to_owned(), "Hi-Bob".to_owned()] {
            assert_eq!(id_of(odd), Ok(MessageId("…".to_owned())));
        }
    }
}

//! Dead letters, grouped by reason and error, in memory that does not grow with their number.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::letter::Letter;
use super::provenance::{LetterAuthor, Trust};
use crate::text::{VARIES, error_pattern};

/// Groups that are told apart; further errors share one for each reason.
const MOST_GROUPS: usize = 200;

/// Topics, or sources, that a group names.
const MOST_NAMES: usize = 10;

/// The error of the letters whose own would be a group too many.
const OTHERS: &str = "(further errors)";

/// All letters of one reason and one error.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Why they are here.
    pub reason: String,
    /// Whether a worker or RabbitMQ gave the reason.
    pub by: LetterAuthor,
    /// Whether it is known to be so.
    pub trust: Trust,
    /// The error; `…` stands for numbers and ids that are not the same in all.
    pub error: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of them died.
    pub oldest: Option<Timestamp>,
    /// When the last of them did.
    pub newest: Option<Timestamp>,
    /// How many have a time that is only claimed.
    pub claimed_times: u64,
    /// How many of each kind; `other` is what is no event that would be published.
    pub kinds: BTreeMap<&'static str, u64>,
    /// The topics chosen for them; of very many, some, with `…` for the others.
    pub topics: BTreeMap<String, u64>,
    /// The sources, or queues, that they came from; of very many, some, with `…` for the others.
    pub sources: BTreeMap<String, u64>,
    /// How many a replay sends nowhere without being told where: what they came from is no source's queue.
    pub astray: u64,
    /// The id of one of them, to be shown.
    pub example: String,
}

/// Groups letters as they come.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    groups: Vec<Group>,
    places: HashMap<(String, LetterAuthor, Trust, String), usize>,
}

impl Summary {
    /// Counts a letter in.
    pub fn add(&mut self, letter: &Letter) {
        let pattern = error_pattern(letter.error.as_deref().unwrap_or_default());
        let mut key = (letter.reason.clone(), letter.by, letter.trust, pattern);
        if !self.places.contains_key(&key) && self.groups.len() >= MOST_GROUPS {
            OTHERS.clone_into(&mut key.3);
        }
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            let error = if key.3 == OTHERS { Some(key.3) } else { letter.error.clone() };
            self.groups.push(Group::new(letter, error));
            self.groups.len() - 1
        });
        self.groups[place].add(letter);
    }

    /// The groups, the largest first.
    #[must_use]
    pub fn into_groups(self) -> Vec<Group> {
        let mut groups = self.groups;
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

impl Group {
    fn new(letter: &Letter, error: Option<String>) -> Self {
        Self {
            reason: letter.reason.clone(),
            by: letter.by,
            trust: letter.trust,
            astray: 0,
            error,
            count: 0,
            oldest: None,
            newest: None,
            claimed_times: 0,
            kinds: BTreeMap::new(),
            topics: BTreeMap::new(),
            sources: BTreeMap::new(),
            example: letter.id.to_string(),
        }
    }

    fn add(&mut self, letter: &Letter) {
        self.count += 1;
        self.astray += u64::from(!letter.is_at_home());
        self.claimed_times += u64::from(letter.failed_at_claimed);
        if let Some(time) = letter.failed_at {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
            self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        }
        if self.error != letter.error && self.error.as_deref() != Some(OTHERS) {
            self.error = letter.error.as_deref().map(error_pattern);
        }
        *self.kinds.entry(letter.content.kind.unwrap_or("other")).or_default() += 1;
        count(&mut self.topics, letter.topic.as_deref());
        count(&mut self.sources, letter.source.as_deref().or(letter.origin.queue.as_deref()));
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: Option<&str>) {
    let Some(mut name) = name else { return };
    if !names.contains_key(name) && names.len() >= MOST_NAMES {
        name = VARIES;
    }
    *names.entry(name.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_different_errors_take_a_bounded_number_of_groups() {
        let mut summary = Summary::default();
        let mut message = crate::rabbitmq::message::Message::default();
        let mut letter = Letter::read(&mut message, &super::super::content::Sources::default());
        for number in 0..MOST_GROUPS * 10 {
            letter.error = Some(format!("error {}", "x".repeat(number)));
            letter.topic = Some(format!("topic {number}"));
            summary.add(&letter);
        }
        let groups = summary.into_groups();
        assert_eq!(groups.len(), MOST_GROUPS + 1);
        let counted: u64 = groups.iter().map(|group| group.count).sum();
        assert_eq!(counted, MOST_GROUPS as u64 * 10);
        assert_eq!(groups[0].error.as_deref(), Some(OTHERS));
        assert_eq!(groups[0].topics.len(), MOST_NAMES + 1);
    }
}

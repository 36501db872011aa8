//! What became of each key's events: sent = published (distinct) + dead-lettered + lost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// Of an event that SNS took again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    pub key: usize,
    pub number: usize,
    /// Numbers of the requests that had brought it before.
    pub earlier: Vec<u64>,
    pub request: u64,
}

/// An event that SNS took for the first time after a later one of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtaken {
    pub key: usize,
    pub number: usize,
    /// The first of the later ones.
    pub by: usize,
    pub request: u64,
    pub by_request: u64,
}

/// Of a key, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub sent: usize,
    /// At least once.
    pub published: usize,
    /// And not published.
    pub dead: usize,
    /// Neither.
    pub lost: usize,
    pub overtaken: usize,
    pub repeats: usize,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.published += other.published;
        self.dead += other.dead;
        self.lost += other.lost;
        self.overtaken += other.overtaken;
        self.repeats += other.repeats;
    }
}

#[derive(Default)]
pub struct Account {
    keys: BTreeMap<usize, Key>,
    sent: usize,
    published: usize,
    pub repeats: Vec<Repeat>,
    pub overtaken: Vec<Overtaken>,
}

#[derive(Default)]
struct Key {
    sent: usize,
    /// The requests that brought each event.
    requests: BTreeMap<usize, Vec<u64>>,
    dead: BTreeSet<usize>,
    overtaken: usize,
    repeats: usize,
}

impl Account {
    /// The next event of a key is in the broker's hands.
    pub fn sent(&mut self, key: usize) {
        self.keys.entry(key).or_default().sent += 1;
        self.sent += 1;
    }

    /// SNS has taken an event; they are to be entered in the order in which it took them.
    pub fn published(&mut self, key: usize, number: usize, request: u64) {
        let of_key = self.keys.entry(key).or_default();
        if let Some(earlier) = of_key.requests.get_mut(&number) {
            self.repeats.push(Repeat { key, number, earlier: earlier.clone(), request });
            earlier.push(request);
            of_key.repeats += 1;
            return;
        }
        let later = of_key.requests.range(number + 1..);
        let first = later.map(|(by, requests)| (requests[0], *by)).min();
        if let Some((by_request, by)) = first {
            self.overtaken.push(Overtaken { key, number, by, request, by_request });
            of_key.overtaken += 1;
        }
        of_key.requests.insert(number, vec![request]);
        self.published += 1;
    }

    /// It is a dead letter.
    pub fn dead(&mut self, key: usize, number: usize) {
        self.keys.entry(key).or_default().dead.insert(number);
    }

    pub fn sent_count(&self) -> usize {
        self.sent
    }

    /// Distinct ones.
    pub fn published_count(&self) -> usize {
        self.published
    }

    pub fn of_keys(&self) -> impl Iterator<Item = (usize, Sums)> {
        self.keys.iter().map(|(key, of_key)| (*key, of_key.sums()))
    }

    pub fn of_all(&self) -> Sums {
        let mut all = Sums::default();
        self.of_keys().for_each(|(_, sums)| all += sums);
        all
    }

    /// Key and number of each.
    pub fn lost(&self) -> Vec<(usize, usize)> {
        let lost = |(key, of_key): (&usize, &Key)| {
            let key = *key;
            of_key.lost().map(|number| (key, number)).collect::<Vec<_>>()
        };
        self.keys.iter().flat_map(lost).collect()
    }
}

impl Key {
    fn lost(&self) -> impl Iterator<Item = usize> {
        let ended =
            |number: &usize| self.requests.contains_key(number) || self.dead.contains(number);
        (0..self.sent).filter(move |number| !ended(number))
    }

    fn sums(&self) -> Sums {
        let unpublished = |number: &&usize| !self.requests.contains_key(number);
        Sums {
            sent: self.sent,
            published: self.requests.len(),
            dead: self.dead.iter().filter(unpublished).count(),
            lost: self.lost().count(),
            overtaken: self.overtaken,
            repeats: self.repeats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two keys, 1 with three events and 2 with two.
    fn account(published: &[(usize, usize, u64)]) -> Account {
        let mut account = Account::default();
        for key in [1, 2, 1, 2, 1] {
            account.sent(key);
        }
        for &(key, number, request) in published {
            account.published(key, number, request);
        }
        account
    }

    #[test]
    fn what_came_in_each_keys_order_is_neither_lost_nor_overtaken() {
        let account = account(&[(2, 0, 1), (2, 1, 2), (1, 0, 3), (1, 1, 4), (1, 2, 5)]);
        assert_eq!(account.of_all(), Sums { sent: 5, published: 5, ..Sums::default() });
        assert_eq!((account.lost(), account.overtaken.len()), (vec![], 0));
    }

    #[test]
    fn an_event_that_never_came_is_lost_also_the_last_of_its_key() {
        let account = account(&[(1, 0, 1), (2, 0, 2), (1, 2, 3)]);
        assert_eq!(account.lost(), [(1, 1), (2, 1)]);
        let sums = Sums { sent: 5, published: 3, lost: 2, ..Sums::default() };
        assert_eq!(account.of_all(), sums);
        let of_2 = Sums { sent: 2, published: 1, lost: 1, ..Sums::default() };
        assert_eq!(account.of_keys().nth(1), Some((2, of_2)));
    }

    #[test]
    fn an_event_that_first_comes_after_a_later_one_of_its_key_is_overtaken_by_the_first_of_these() {
        let account = account(&[(2, 0, 1), (1, 2, 2), (1, 1, 3), (1, 0, 3), (2, 1, 4)]);
        let by_2 = |number| Overtaken { key: 1, number, by: 2, request: 3, by_request: 2 };
        assert_eq!(account.overtaken, [by_2(1), by_2(0)]);
        let sums = Sums { sent: 5, published: 5, overtaken: 2, ..Sums::default() };
        assert_eq!(account.of_all(), sums);
    }

    #[test]
    fn a_copy_is_a_repeat_and_overtakes_nothing() {
        let account = account(&[(1, 0, 1), (1, 1, 1), (1, 0, 2), (1, 1, 2), (1, 2, 3), (1, 0, 4)]);
        assert!(account.overtaken.is_empty());
        let last = Repeat { key: 1, number: 0, earlier: vec![1, 2], request: 4 };
        assert_eq!((account.repeats.len(), account.repeats.last()), (3, Some(&last)));
        assert_eq!((account.of_all().repeats, account.published_count()), (3, 3));
    }

    #[test]
    fn a_dead_letter_is_not_lost_and_counts_where_it_was_not_published_too() {
        let mut account = account(&[(1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 0, 4)]);
        account.dead(2, 1);
        account.dead(1, 0);
        let sums = Sums { sent: 5, published: 4, dead: 1, ..Sums::default() };
        assert_eq!(account.of_all(), sums);
    }
}

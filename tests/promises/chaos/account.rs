//! Where every event is: fed = published (distinct) + skipped + dead-lettered + still queued.

use std::collections::{BTreeMap, BTreeSet};

use super::events::{Place, number_of, place_of, poison_of};
use super::fleet::Fleet;
use crate::fake_sns::FakeSns;
use crate::poison::kinds::Ends;
use crate::support::raw::{RawDelivery, RawPublisher};
use crate::support::{Stand, number_in};

const RETRIES_EXHAUSTED: &str = "retries_exhausted";

/// What was found, by number of the event.
#[derive(Default)]
pub struct Account {
    fed: u32,
    /// How often, and behind which topic.
    published: BTreeMap<u32, (usize, String)>,
    skipped: BTreeSet<u32>,
    /// The reason of each letter.
    dead: BTreeMap<u32, Vec<String>>,
    queued: BTreeSet<u32>,
    /// What a letter does not say that it should, or says that it should not.
    wrong_letters: Vec<String>,
}

/// Each event counted once, in the first place where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Sums {
    pub published: usize,
    pub skipped: usize,
    pub dead: usize,
    pub queued: usize,
    /// Nowhere.
    pub lost: Vec<u32>,
}

impl Account {
    pub fn of(fed: u32) -> Self {
        Self { fed, ..Self::default() }
    }

    pub fn take_stock(&mut self, sns: &FakeSns, fleet: &Fleet) {
        self.skipped = fleet.skipped().into_iter().collect();
        self.published.clear();
        for message in sns.accepted() {
            let number = number_in(&serde_json::from_str(&message.body).unwrap());
            self.published.entry(number).or_insert((0, message.topic)).0 += 1;
        }
    }

    /// Empties the dead-letter queue into the account. Nothing there needs to be what a client can read.
    pub async fn take_dead_letters(&mut self, reader: &mut RawPublisher, stand: &Stand) {
        while let Some(letter) = reader.get(&stand.dead_letter_queue()).await {
            let (number, reason) = (number_in_raw(&letter), reason_of(&letter));
            // One that is out of retries is as any other event.
            if reason != RETRIES_EXHAUSTED
                && let Some(poison) = poison_of(number)
                && let Ends::Dead(expected) = &poison.ends
                && let Some(wrong) = expected.misses(&letter)
            {
                self.wrong_letters.push(format!("{number} ({}): {wrong}", poison.name));
            }
            self.dead.entry(number).or_default().push(reason);
        }
    }

    /// Empties what nobody consumes any more into the account.
    pub async fn take_queued(&mut self, reader: &mut RawPublisher, stand: &Stand) {
        for queue in [stand.queue(), stand.held_queue()] {
            while let Some(event) = reader.get(&queue).await {
                self.queued.insert(number_in_raw(&event));
            }
        }
    }

    pub fn wrong_letters(&self) -> &[String] {
        &self.wrong_letters
    }

    /// How much of what was fed is poison.
    pub fn poison(&self) -> usize {
        (0..self.fed).filter(|number| poison_of(*number).is_some()).count()
    }

    pub fn sums(&self) -> Sums {
        let mut sums = Sums { published: 0, skipped: 0, dead: 0, queued: 0, lost: Vec::new() };
        for number in 0..self.fed {
            if self.published.contains_key(&number) {
                sums.published += 1;
            } else if self.skipped.contains(&number) {
                sums.skipped += 1;
            } else if self.dead.contains_key(&number) {
                sums.dead += 1;
            } else if self.queued.contains(&number) {
                sums.queued += 1;
            } else {
                sums.lost.push(number);
            }
        }
        sums
    }

    /// What came to an end more than once: published again, dead-lettered again, or both.
    pub fn duplicates(&self) -> usize {
        let published: usize = self.published.values().map(|(count, _)| count - 1).sum();
        let dead: usize = self.dead.values().map(|reasons| reasons.len() - 1).sum();
        published + dead + self.dead.keys().filter(|it| self.published.contains_key(it)).count()
    }

    /// How many dead letters there are of each reason.
    pub fn reasons(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for reason in self.dead.values().flatten() {
            *reasons.entry(&**reason).or_default() += 1;
        }
        reasons
    }

    /// Events that are where their kind does not belong.
    pub fn misplaced(&self) -> Vec<u32> {
        let belongs = |number: u32| {
            let topic = self.published.get(&number).map(|(_, topic)| topic);
            let reasons = self.dead.get(&number).into_iter().flatten();
            match place_of(number) {
                Place::Behind(name) => {
                    // A fault of SNS may outlast the retries; nothing else excuses a dead letter.
                    topic.is_none_or(|topic| topic.ends_with(&format!("-{name}")))
                        && reasons.into_iter().all(|reason| reason == RETRIES_EXHAUSTED)
                        && !self.skipped.contains(&number)
                }
                Place::Skipped => topic.is_none() && reasons.count() == 0,
                Place::Dead(expected) => {
                    topic.is_none()
                        && reasons.into_iter().all(|reason| reason == expected)
                        && !self.skipped.contains(&number)
                }
            }
        };
        (0..self.fed).filter(|number| !belongs(*number)).collect()
    }
}

/// The broker's own letters have its reason instead of the worker's.
fn reason_of(letter: &RawDelivery) -> String {
    let reason = letter.text("event-pusher-reason");
    let brokers = || letter.text("x-first-death-reason");
    reason.or_else(brokers).unwrap_or_else(|| "unknown".to_owned())
}

fn number_in_raw(delivery: &RawDelivery) -> u32 {
    number_of(delivery.property("message_id"), &delivery.body)
}

/// Numbers in a report, with the kind of those that are poison: the first few of many.
pub fn few(numbers: &[u32]) -> String {
    let named = |number: &u32| match poison_of(*number) {
        Some(poison) => format!("{number} ({})", poison.name),
        None => number.to_string(),
    };
    let shown: Vec<_> = numbers.iter().take(50).map(named).collect();
    let more = if numbers.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

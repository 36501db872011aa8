//! Simulates a chat service: users come and go, write to contacts, and write in rooms.

use jiff::Timestamp;

use super::sample_texts;
use crate::cli::arguments::Mix;
use crate::event::EventKind;
use crate::schema::NativeEvent;

const NAMES: [&str; 32] = [
    "ann", "bob", "cem", "dana", "eve", "finn", "gül", "hugo", "ines", "jiří", "kim", "lena",
    "mia", "noor", "olga", "paul", "quinn", "rosa", "sam", "tove", "uma", "vik", "wen", "xin",
    "yara", "zoë", "amir", "bea", "carl", "dora", "emil", "frida",
];
const RESOURCES: [&str; 4] = ["phone", "desktop", "web", "tablet"];
const ROOMS: [&str; 8] =
    ["team", "lunch", "support", "random", "on-call", "release", "football", "book-club"];

/// How many others a user talks to.
const CONTACTS: usize = 12;

/// In a hundred messages, so many answer the one before.
const ANSWERS: u8 = 60;

/// Who there is.
#[derive(Debug)]
pub(super) struct People {
    pub(super) users: u32,
    pub(super) rooms: u32,
    pub(super) domain: String,
    pub(super) muc_host: String,
}

/// Events that follow from a seed, but for their times.
#[derive(Debug)]
pub(super) struct Traffic {
    random: fastrand::Rng,
    people: People,
    mix: Mix,
    online: Vec<bool>,
    /// Who wrote to whom last.
    last: Option<(usize, usize)>,
}

impl Traffic {
    pub(super) fn new(seed: u64, people: People, mix: Mix) -> Self {
        let online = vec![false; people.users as usize];
        Self { random: fastrand::Rng::with_seed(seed), people, mix, online, last: None }
    }

    /// The next event, which happens now.
    pub(super) fn next(&mut self) -> NativeEvent {
        let id = Some(format!("{:032x}", self.random.u128(..)));
        let timestamp = Some(Timestamp::now());
        match self.kind() {
            EventKind::Presence => {
                let user = self.random_user();
                self.online[user] = !self.online[user];
                let user_id = self.full(user).into();
                NativeEvent::Presence { user_id, present: self.online[user], id, timestamp }
            }
            EventKind::Chat => {
                let (from, to) = self.conversation();
                NativeEvent::Chat {
                    from_user_id: self.full(from).into(),
                    to_user_id: self.bare(to).into(),
                    message: sample_texts::message(&mut self.random),
                    id,
                    timestamp,
                }
            }
            EventKind::Groupchat => {
                let from = self.random_user();
                NativeEvent::Groupchat {
                    from_user_id: self.full(from).into(),
                    to_user_id: self.room().into(),
                    message: sample_texts::message(&mut self.random),
                    id,
                    timestamp,
                }
            }
        }
    }

    fn kind(&mut self) -> EventKind {
        let mut left = self.random.u32(0..self.mix.0.iter().sum());
        let drawn = EventKind::ALL.into_iter().find(|kind| {
            let share = self.mix.share(*kind);
            let is_it = left < share;
            left = left.saturating_sub(share);
            is_it
        });
        drawn.unwrap_or(EventKind::Chat)
    }

    /// The first are the most active.
    fn skewed(&mut self, count: usize) -> usize {
        let draw = self.random.usize(0..count);
        self.random.usize(0..=draw)
    }

    fn random_user(&mut self) -> usize {
        self.skewed(self.people.users as usize)
    }

    fn conversation(&mut self) -> (usize, usize) {
        let pair = match self.last {
            Some((from, to)) if self.random.u8(0..100) < ANSWERS => (to, from),
            _ => {
                let (from, users) = (self.random_user(), self.people.users as usize);
                let step = 1 + self.skewed(CONTACTS.min(users - 1));
                (from, (from + step) % users)
            }
        };
        self.last = Some(pair);
        pair
    }

    fn bare(&self, user: usize) -> String {
        let People { domain, .. } = &self.people;
        format!("{}@{domain}", numbered(&NAMES, user))
    }

    fn full(&self, user: usize) -> String {
        format!("{}/{}", self.bare(user), RESOURCES[user % 7 % RESOURCES.len()])
    }

    fn room(&mut self) -> String {
        let room = self.skewed(self.people.rooms as usize);
        format!("{}@{}", numbered(&ROOMS, room), self.people.muc_host)
    }
}

/// The names in turn, and after the last with numbers.
fn numbered(names: &[&str], index: usize) -> String {
    let name = names[index % names.len()];
    match index / names.len() {
        0 => name.to_owned(),
        round => format!("{name}{}", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn traffic(seed: u64, users: u32, mix: [u32; 3]) -> Traffic {
        let (domain, muc_host) = ("example.org".to_owned(), "muc.example.org".to_owned());
        Traffic::new(seed, People { users, rooms: 3, domain, muc_host }, Mix(mix))
    }

    fn without_time(event: NativeEvent) -> serde_json::Value {
        let mut event = serde_json::to_value(event).unwrap();
        event.as_object_mut().unwrap().remove("timestamp");
        event
    }

    #[test]
    fn the_same_seed_gives_the_same_events() {
        let (mut one, mut other) = (traffic(7, 50, [1, 1, 1]), traffic(7, 50, [1, 1, 1]));
        let mut third = traffic(8, 50, [1, 1, 1]);
        for _ in 0..100 {
            let event = without_time(one.next());
            assert_eq!(event, without_time(other.next()));
            assert_ne!(event, without_time(third.next()));
        }
    }

    #[test]
    fn the_mix_is_kept_and_nobody_talks_to_themselves() {
        for users in [2, 3, 1000] {
            let mut traffic = traffic(1, users, [30, 50, 20]);
            let mut counts = [0; 3];
            for _ in 0..10_000 {
                let event = traffic.next();
                counts[event.kind() as usize] += 1;
                if let NativeEvent::Chat { from_user_id, to_user_id, .. } = &event {
                    assert!(!from_user_id.0.starts_with(&format!("{}/", to_user_id.0)));
                }
            }
            for (count, share) in counts.into_iter().zip([3000, 5000, 2000_i32]) {
                let found: i32 = count;
                assert!((found - share).abs() < 300, "{counts:?}");
            }
        }
    }

    #[test]
    fn whoever_comes_goes_before_coming_again() {
        let mut traffic = traffic(3, 20, [1, 0, 0]);
        let mut online = BTreeSet::new();
        for _ in 0..1000 {
            let NativeEvent::Presence { user_id, present, .. } = traffic.next() else {
                panic!("presences only")
            };
            assert_eq!(present, online.insert(user_id.0.clone()));
            if !present {
                online.remove(&user_id.0);
            }
        }
    }
}

//! Many conversations at once, and what order means for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::fake_sns::Message;
use crate::support::Event;

/// So many keys, each with messages 0, 1, 2 and so on, in a random delivery order among keys.
pub struct Conversations {
    keys: usize,
    each: usize,
    /// Key and number of each event, in the order in which they are published to the queue.
    delivered: Vec<(usize, usize)>,
}

impl Conversations {
    /// The same seed gives the same conversations.
    pub fn new(keys: usize, each: usize, seed: u64) -> Self {
        let mut whose: Vec<_> = (0..keys).flat_map(|key| std::iter::repeat_n(key, each)).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut whose);
        let mut next = vec![0; keys];
        let number = |key: usize| {
            next[key] += 1;
            (key, next[key] - 1)
        };
        Self { keys, each, delivered: whose.into_iter().map(number).collect() }
    }

    /// The same where all say their first message, then all their second, and so on.
    pub fn in_turn(keys: usize, each: usize) -> Self {
        let delivered = (0..each).flat_map(|number| (0..keys).map(move |key| (key, number)));
        Self { keys, each, delivered: delivered.collect() }
    }

    pub fn count(&self) -> usize {
        self.delivered.len()
    }

    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.events_as(event_of)
    }

    /// The same with a routing key for each conversation.
    pub fn routed_events(&self) -> impl Iterator<Item = Event> {
        self.events_as(routed_event_of)
    }

    /// The same, each as the event that its key and number are given.
    pub fn events_as(
        &self,
        event_of: impl Fn(usize, usize) -> Event,
    ) -> impl Iterator<Item = Event> {
        self.delivered.iter().map(move |&(key, number)| event_of(key, number))
    }

    /// The place of a message in the order of delivery.
    pub fn index_of(&self, message: &Message) -> usize {
        let number = number_of(message);
        self.delivered.iter().position(|it| *it == number).unwrap()
    }

    pub fn have_all_come(&self, accepted: &[Message]) -> bool {
        distinct(accepted) == self.count()
    }

    /// All of it has come, and what came first of each key's messages is the order in which
    /// they were said.
    pub fn came_in_order(&self, accepted: &[Message]) {
        let mut keys: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (key, number) in firsts(accepted) {
            keys.entry(key).or_default().push(number);
        }
        for (key, numbers) in &keys {
            assert!(numbers.iter().copied().eq(0..self.each), "key {key} came as {numbers:?}");
        }
        assert_eq!(keys.len(), self.keys);
    }

    /// Whether a key's message came before one of another key that was delivered earlier.
    pub fn some_overtook(&self, accepted: &[Message]) -> bool {
        firsts(accepted) != self.delivered
    }
}

/// A message of a conversation. Even keys are chats, in which both sides speak, and odd ones rooms.
fn event_of(key: usize, number: usize) -> Event {
    let (one, other) = (format!("a{key}@localhost/phone"), format!("b{key}@localhost"));
    let (from, to) = if number.is_multiple_of(2) { (one, other) } else { (other, one) };
    let text = format!("{key} {number}");
    if key.is_multiple_of(2) {
        Event::chat(&from, &to, &text)
    } else {
        Event::groupchat(&from, &format!("r{key}@conference.localhost"), &text)
    }
}

/// The same with a routing key that tells the conversation.
pub fn routed_event_of(key: usize, number: usize) -> Event {
    event_of(key, number).routed(&format!("conversation-{key}"))
}

/// The same with a routing key that tells who speaks, as MongooseIM gives one.
pub fn spoken_event_of(key: usize, number: usize) -> Event {
    let speaker = if number.is_multiple_of(2) { 'a' } else { 'b' };
    event_of(key, number).routed(&format!("{speaker}{key}@localhost.chat_msg_sent"))
}

/// How often something came again although the answer to it was not lost.
pub fn repetitions(accepted: &[Message], lost: &BTreeSet<u64>) -> usize {
    let answered: Vec<_> =
        accepted.iter().filter(|message| !lost.contains(&message.request)).collect();
    answered.len() - distinct(answered.iter().copied())
}

/// How many there are, without what came again.
pub fn distinct<'a>(messages: impl IntoIterator<Item = &'a Message>) -> usize {
    messages.into_iter().map(number_of).collect::<BTreeSet<_>>().len()
}

/// What was accepted, without what had been before.
fn firsts(accepted: &[Message]) -> Vec<(usize, usize)> {
    let mut seen = BTreeSet::new();
    accepted.iter().map(number_of).filter(|number| seen.insert(*number)).collect()
}

/// Key and number of a message.
pub fn number_of(message: &Message) -> (usize, usize) {
    let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    let (key, number) = body["message"].as_str().unwrap().split_once(' ').unwrap();
    (key.parse().unwrap(), number.parse().unwrap())
}

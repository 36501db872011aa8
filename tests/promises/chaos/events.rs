//! What the storm's producer sends: events of every kind, and every kind of poison among them.

use std::sync::OnceLock;

use crate::poison::kinds::{self, Ends, Poison};
use crate::support::raw::Raw;
use crate::support::{End, event_of};

/// One message of so many is poison.
const POISONED: u32 = 20;

/// Where a message must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Behind(&'static str),
    Skipped,
    /// With this reason.
    Dead(&'static str),
}

/// The poison of a number, if its message is one: each kind in turn.
pub fn poison_of(number: u32) -> Option<&'static Poison> {
    static KINDS: OnceLock<Vec<Poison>> = OnceLock::new();
    let kinds = KINDS.get_or_init(kinds::all);
    // No other event with an end of its own has such a number.
    let is_poison = number % POISONED == 15;
    is_poison.then(|| &kinds[(number / POISONED) as usize % kinds.len()])
}

/// The message of a number, which is in its body and, where that is not the poison, is its id.
pub fn message_of(number: u32) -> Raw {
    let id = number.to_string();
    let message = if let Some(poison) = poison_of(number) {
        poison.message(&format!("user-{number}"))
    } else {
        let (event, _) = event_of(number);
        Raw::new(event.payload).routed(event.routing_key.as_bytes())
    };
    if message.has("message_id") { message } else { message.with("message_id", id.as_bytes()) }
}

pub fn place_of(number: u32) -> Place {
    match poison_of(number).map(|it| &it.ends) {
        Some(Ends::Published) => Place::Behind("presence"),
        Some(Ends::Dead(letter)) => Place::Dead(letter.reason),
        None => match event_of(number).1 {
            End::Behind(topic) => Place::Behind(topic),
            End::Skipped => Place::Skipped,
            End::DeadLettered => Place::Dead("undecodable"),
        },
    }
}

/// The number of a message that has come back.
pub fn number_of(id: Option<&[u8]>, body: &[u8]) -> u32 {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some(number) = id.and_then(|id| text(id).parse().ok()) {
        return number;
    }
    let body = text(body);
    let from = body.split("user-").nth(1).unwrap_or_default();
    let digits = from.split(|it: char| !it.is_ascii_digit()).next();
    digits.and_then(|it| it.parse().ok()).expect("a message came back without its number")
}

//! Restores the event from a dead letter.

#[cfg(test)]
mod tests;

use super::{Address, Target};
use crate::dead_letters::Found;
use crate::dead_letters::content::Sources;
use crate::dead_letters::letter::Letter;
use crate::dead_letters::provenance::LetterAuthor;
use crate::headers::{
    COVER, EXCHANGE, OF_A_DEAD_LETTER, OF_A_DEATH, PARKED, PARKED_PRIORITY, PRIORITY, REPLAY_ID,
    REPLAYS, ROUTING_KEY,
};
use crate::priority::OriginalPriority;
use crate::rabbitmq::message::{Headers, Message, Value};
use crate::signature::SigningKey;

/// What RabbitMQ adds to what it dead-letters, beside `x-death` itself.
const DEATHS: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// Where a letter is to go, or why not. What a letter says decides nothing that the configuration does not know: a
/// producer or an archive may have written it.
pub(super) fn address(
    letter: &Letter,
    target: &Target,
    sources: &Sources,
) -> Result<Address, String> {
    let origin = &letter.origin;
    let unknown = |what: &str, option: &str| {
        format!("the letter does not say which {what} it came from; name one with {option}")
    };
    let foreign = |what: &str, name: &str, option: &str| {
        format!(
            "{what} `{name}`, which the letter says it came from, belongs to no configured source; to send it there, add {option}"
        )
    };
    let straight = |queue: &str| Address { exchange: String::new(), routing_key: queue.to_owned() };
    match target {
        Target::Queue(queue) => Ok(straight(queue)),
        Target::SourceQueue => match &origin.queue {
            Some(queue) => match sources.queue(queue) {
                Some(queue) => Ok(straight(queue)),
                None => Err(foreign("queue", queue, "--to-queue QUEUE")),
            },
            None => Err(unknown("queue", "--to-queue QUEUE")),
        },
        Target::SourceExchange => match (&origin.exchange, &origin.routing_key) {
            (Some(exchange), Some(key)) if sources.has_exchange(exchange) => {
                Ok(Address { exchange: exchange.clone(), routing_key: key.clone() })
            }
            (Some(exchange), Some(_)) => {
                Err(foreign("exchange", exchange, "--to-exchange EXCHANGE"))
            }
            _ => Err(unknown("exchange", "--to-exchange EXCHANGE")),
        },
        Target::Exchange(exchange) => {
            let key = origin.routing_key.clone().unwrap_or_else(|| letter.routing_key.clone());
            Ok(Address { exchange: exchange.clone(), routing_key: key })
        }
    }
}

/// The event as it was published, with its count of replays raised. Straight to a queue it
/// takes along exchange and routing key, by which formats and dead letters go.
pub(super) fn revive(
    message: &mut Message,
    letter: &Letter,
    address: &Address,
    id: String,
    priority: Option<u8>,
) {
    message.move_harmful_properties();
    set_priority(message, priority);
    let headers = message.headers_mut();
    // Nor is any letter of a worker's parked: who claims so wants its headers moved.
    headers
        .retain(|name, _| !OF_A_DEAD_LETTER.contains(&name.as_str()) && !name.starts_with(PARKED));
    if letter.by == LetterAuthor::Broker {
        // RabbitMQ drops what it has dead-lettered in a circle, and reads that from here.
        headers.retain(|name, _| {
            name != "x-death"
                && !DEATHS.iter().any(|death| name.starts_with(death))
                && !name.starts_with(COVER)
        });
    }
    for name in OF_A_DEATH {
        if let Some(value) = headers.remove(&format!("{COVER}{name}")) {
            headers.entry(name.to_owned()).or_insert(value);
        }
    }
    headers.remove(EXCHANGE);
    headers.remove(ROUTING_KEY);
    if address.exchange.is_empty() {
        // Further routing keys, which would be further queues here.
        headers.remove("CC");
        headers.remove("BCC");
        if let (Some(exchange), Some(key)) = (&letter.origin.exchange, &letter.origin.routing_key) {
            headers.insert(EXCHANGE.to_owned(), Value::Text(exchange.clone()));
            headers.insert(ROUTING_KEY.to_owned(), Value::Text(key.clone()));
        }
    }
    headers.insert(REPLAYS.to_owned(), Value::I64(letter.replays.saturating_add(1)));
    headers.insert(REPLAY_ID.to_owned(), Value::Text(id));
}

/// Gives the event this priority, or else the one that it had before a replay gave it another. RabbitMQ, and workers of an older
/// version, make letters of parked events that have the priority of these.
fn set_priority(message: &mut Message, priority: Option<u8>) {
    let [replayed, parked] = [PRIORITY, PARKED_PRIORITY].map(|it| message.headers_mut().remove(it));
    let put_by = replayed.or(parked);
    let put_by = put_by.as_ref().and_then(Value::as_text).and_then(|text| text.parse().ok());
    let original = put_by.unwrap_or(OriginalPriority(message.properties.priority));
    message.properties.priority = priority.or(original.0);
    if priority.is_some() {
        let text = Value::Text(original.to_string());
        message.headers_mut().insert(PRIORITY.to_owned(), text);
    }
}

/// The headers that a letter would have if it were replayed straight to a queue now.
pub(in crate::dead_letters) fn revived_headers(found: &Found, key: Option<&SigningKey>) -> Headers {
    let properties = found.message.properties.clone();
    let mut message = Message { properties, ..Message::default() };
    let straight = Address { exchange: String::new(), routing_key: String::new() };
    revive(&mut message, &found.letter, &straight, String::new(), None);
    message.sign(key);
    message.properties.headers.unwrap_or_default()
}

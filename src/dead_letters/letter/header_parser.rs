//! Parses the headers that a worker or RabbitMQ wrote.

use jiff::Timestamp;

use super::super::provenance::{Death, LetterAuthor, Origin};
use crate::headers::{EXCHANGE, QUEUE, ROUTING_KEY, SORTED_EXCHANGE};
use crate::limits::LONGEST_SHORT;
use crate::rabbitmq::message::{Headers, Value};

/// Parses headers of which any may be missing or of a wrong type.
pub(super) struct HeaderParser<'a> {
    headers: &'a Headers,
    /// The names of those that are there and of a wrong type.
    pub(super) odd: Vec<String>,
}

impl<'a> HeaderParser<'a> {
    pub(super) const fn new(headers: &'a Headers) -> Self {
        Self { headers, odd: Vec::new() }
    }

    fn read<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = read(self.headers.get(name)?);
        if value.is_none() {
            self.odd.push(name.to_owned());
        }
        value
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |value| value.as_text().map(str::to_owned))
    }

    /// The name of an exchange or a queue, or a routing key.
    fn name(&mut self, name: &str) -> Option<String> {
        self.read(name, |value| as_name(value).map(str::to_owned))
    }

    pub(super) fn integer(&mut self, name: &str) -> Option<i64> {
        self.read(name, Value::as_integer)
    }

    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.read(name, |value| value.as_text()?.parse().ok())
    }

    /// Of what RabbitMQ dead-lettered, its own word; but what was replayed straight to its queue, or sorted into a partition, has kept where
    /// it first came from.
    pub(super) fn origin(
        &mut self,
        by: LetterAuthor,
        death: Option<&Death>,
        signed: Option<bool>,
    ) -> Origin {
        let (exchange, routing_key) = (self.name(EXCHANGE), self.name(ROUTING_KEY));
        let queue = self.name(QUEUE);
        let (Some(death), LetterAuthor::Broker) = (death, by) else {
            return Origin { exchange, routing_key, queue };
        };
        let (died_exchange, died_key) = self.published_before_death();
        let came_straight = died_exchange.as_deref() == Some("")
            && died_key.as_deref() == Some(death.queue.as_str());
        let came_sorted =
            died_exchange.as_deref().is_some_and(|it| is_sorted_into(it, &death.queue));
        let is_kept = (came_straight || came_sorted) && signed != Some(false);
        let (exchange, routing_key) = match (exchange, routing_key) {
            (Some(exchange), Some(key)) if is_kept => (Some(exchange), Some(key)),
            _ => (died_exchange, died_key),
        };
        Origin { exchange, routing_key, queue: Some(death.queue.clone()) }
    }

    pub(super) fn deaths(&mut self) -> Vec<Death> {
        let read = self.read("x-death", |value| match value {
            Value::Array(entries) => Some(entries.iter().filter_map(death).collect()),
            _ => None,
        });
        read.unwrap_or_default()
    }

    /// Exchange and routing key of the last death's entry.
    fn published_before_death(&self) -> (Option<String>, Option<String>) {
        let Some(Value::Array(entries)) = self.headers.get("x-death") else { return (None, None) };
        let Some(entry) = entries.iter().find(|entry| death(entry).is_some()) else {
            return (None, None);
        };
        let Value::Table(entry) = entry else { return (None, None) };
        let key = match entry.get("routing-keys") {
            Some(Value::Array(keys)) => keys.first().and_then(as_name),
            _ => None,
        };
        let exchange = entry.get("exchange").and_then(as_name);
        (exchange.map(str::to_owned), key.map(str::to_owned))
    }
}

/// RabbitMQ can't have given what is longer, and would not even understand it.
fn as_name(value: &Value) -> Option<&str> {
    value.as_text().filter(|name| name.len() <= LONGEST_SHORT)
}

/// Whether an exchange is, by its name, the one through which sorted events come to this partition.
fn is_sorted_into(exchange: &str, partition: &str) -> bool {
    let queue = exchange.strip_suffix(SORTED_EXCHANGE);
    queue.and_then(|it| partition.strip_prefix(it)).is_some_and(|rest| rest.starts_with('.'))
}

fn death(entry: &Value) -> Option<Death> {
    let Value::Table(entry) = entry else { return None };
    let text = |name: &str| entry.get(name).and_then(Value::as_text).map(str::to_owned);
    Some(Death {
        reason: text("reason")?,
        queue: entry.get("queue").and_then(as_name)?.to_owned(),
        count: entry.get("count").and_then(Value::as_integer).unwrap_or(1),
        time: match entry.get("time") {
            Some(Value::Timestamp(seconds)) => {
                i64::try_from(*seconds).ok().and_then(|it| Timestamp::from_second(it).ok())
            }
            _ => None,
        },
        by_broker: None,
    })
}

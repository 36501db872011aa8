//! Says in one line in which arguments an exchange or a queue that is there differs from what `run` would declare, and the ways out.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use lapin::types::{AMQPValue, FieldTable};

use super::arguments::{AUTO_DELETE, DURABLE, Difference, QUEUE_TYPE, QueueArguments};
use super::declared::{DEAD_LETTER_EXCHANGE, DEAD_LETTER_STRATEGY, DELIVERY_LIMIT};
use crate::config::{Key, Source};
use crate::outcome::SourceError;

/// What an exchange is beside its arguments, as RabbitMQ calls it.
pub(super) const TYPE: &str = "type";
const INTERNAL: &str = "internal";

/// A key of a source.
pub(super) fn key_of(source: &Source, name: &str) -> String {
    Key::from(["amqp", "sources", &source.name, name]).to_string()
}

/// What is to be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Exchange,
    Queue,
    /// Of dead letters: what it has can't be waited for.
    DeadLetterQueue,
}

/// In what something that is there differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deviation {
    pub(super) argument: String,
    there: There,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum There {
    Value(String),
    Nothing,
    /// RabbitMQ's words, which AMQP cuts after 255 bytes, had no room for it.
    Cut,
}

impl Deviation {
    fn new(argument: &str, there: There) -> Self {
        Self { argument: argument.to_owned(), there }
    }

    /// That of which RabbitMQ's refusal tells.
    fn told(said: &str) -> Option<Self> {
        let argument = Difference::argument_in(said)?;
        let there = match Difference::read(said).map(|it| it.current) {
            Some(Some((value, kind))) => There::Value(shown(value, kind)),
            Some(None) => There::Nothing,
            None => There::Cut,
        };
        Some(Self::new(argument, there))
    }
}

/// Of the key for the type of a queue.
const OF_ALL: &str = "for all queues";

/// What a delivery limit does to dead letters.
pub(super) const LIMITED: &str =
    "RabbitMQ drops letters that are browsed more often than its limit";

/// An exchange or a queue as `run` declares it.
#[derive(Debug, Clone)]
pub(super) struct Declaration<'a> {
    thing: Thing,
    name: &'a str,
    /// The key that has its name, in words.
    named_by: String,
    /// Arguments and attributes, as they are shown.
    values: BTreeMap<String, String>,
    /// The keys that decide some of them.
    keys: Vec<(&'static str, String)>,
}

impl<'a> Declaration<'a> {
    pub(super) fn new(thing: Thing, name: &'a str, named_by: impl Into<String>) -> Self {
        let (values, keys) = Default::default();
        let declaration = Self { thing, name, named_by: named_by.into(), values, keys };
        let declaration = declaration.fixed(DURABLE, "true").fixed(AUTO_DELETE, "false");
        if thing == Thing::Exchange { declaration.fixed(INTERNAL, "false") } else { declaration }
    }

    pub(super) const fn thing(&self) -> Thing {
        self.thing
    }

    /// With these arguments.
    pub(super) fn with_arguments(mut self, arguments: &FieldTable) -> Self {
        self.values.extend(shown_values(arguments));
        self
    }

    /// With this attribute, which a key decides.
    pub(super) fn with(
        self,
        attribute: &'static str,
        value: impl Into<String>,
        key: String,
    ) -> Self {
        self.fixed(attribute, value).decided_by(attribute, key)
    }

    /// With this attribute, which no key decides.
    pub(super) fn fixed(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.values.insert(attribute.to_owned(), value.into());
        self
    }

    /// This argument, where it is there, is decided by a key.
    pub(super) fn decided_by(mut self, argument: &'static str, key: impl Into<String>) -> Self {
        self.keys.push((argument, key.into()));
        self
    }

    /// In what a queue with these arguments differs, but for what goes with its type: a queue of that type would be declared `otherwise`.
    /// `cut` is an argument of which RabbitMQ has told nothing more.
    pub(super) fn deviations(
        &self,
        known: &QueueArguments,
        otherwise: &FieldTable,
        cut: Option<&str>,
    ) -> Vec<Deviation> {
        let mut there = shown_values(known.table());
        there.insert(DURABLE.to_owned(), known.is_durable().to_string());
        there.insert(AUTO_DELETE.to_owned(), known.is_auto_delete().to_string());
        let of_its_type = if there.get(QUEUE_TYPE) == self.values.get(QUEUE_TYPE) {
            None
        } else {
            Some(otherwise)
        };
        let of_its_type = of_its_type.map(shown_values);
        let goes_with_type = |name: &str| {
            name != QUEUE_TYPE
                && of_its_type.as_ref().is_some_and(|it| it.get(name) == there.get(name))
        };
        let differs = |name: &str| there.get(name) != self.values.get(name) || cut == Some(name);
        let names: BTreeSet<&String> = self.values.keys().chain(there.keys()).collect();
        let names = names.into_iter().filter(|it| differs(it) && !goes_with_type(it));
        let mut all: Vec<_> = names
            .map(|name| match there.get(name) {
                _ if cut == Some(name) => Deviation::new(name, There::Cut),
                Some(value) => Deviation::new(name, There::Value(value.clone())),
                None => Deviation::new(name, There::Nothing),
            })
            .collect();
        // The others may follow from that.
        all.sort_by_key(|it| it.argument != QUEUE_TYPE);
        all
    }

    /// The error in words for the operator, if it says that what is there differs.
    pub(super) fn explain(&self, error: SourceError) -> SourceError {
        error.reworded(|said| match Deviation::told(&said) {
            Some(deviation) => {
                let is_limited =
                    deviation.argument == DELIVERY_LIMIT && self.thing == Thing::DeadLetterQueue;
                self.line(&[deviation], is_limited.then_some(LIMITED))
            }
            None => said,
        })
    }

    /// What differs, and the ways out. `harm` is what would happen if it were used as it is.
    pub(super) fn line(&self, all: &[Deviation], harm: Option<&str>) -> String {
        let adopt = match harm {
            Some(harm) => format!("don't use it as it is, since {harm}; either leave it to others"),
            None => self.adopt(all),
        };
        let (kind, migrate) = match self.thing {
            Thing::Exchange => (
                "exchange",
                "delete it with all its bindings, and `run` declares it and its own anew",
            ),
            Thing::Queue => ("queue", "delete it when it is empty, and `run` declares it anew"),
            Thing::DeadLetterQueue => {
                ("queue", "move its letters away, delete it, and `run` declares it anew")
            }
        };
        let differences: Vec<_> = all.iter().map(|it| self.difference(it)).collect();
        let (Self { name, named_by, .. }, differences) = (self, differences.join(", "));
        format!(
            "{kind} `{name}` exists with other arguments than `run` would declare: {differences}; {adopt}, or migrate ({migrate}), or \
             choose another name ({named_by}): \"A queue that exists with other arguments\" in docs/own-queues.md"
        )
    }

    fn difference(&self, Deviation { argument, there }: &Deviation) -> String {
        let there = match there {
            There::Value(value) => format!("{argument} = {value}"),
            There::Nothing => format!("no {argument}"),
            There::Cut => format!("another {argument}"),
        };
        match (self.values.get(argument), self.key_of(argument)) {
            (Some(value), Some(key)) => format!("{there} instead of {value} ({key})"),
            (Some(value), None) => format!("{there} instead of {value}"),
            (None, _) => format!("{there} instead of none"),
        }
    }

    /// How to use it as it is.
    fn adopt(&self, all: &[Deviation]) -> String {
        let is_of_other_type = all.iter().any(|it| it.argument == QUEUE_TYPE);
        let set: Option<Vec<_>> = all.iter().map(|it| self.setting(it, is_of_other_type)).collect();
        match set {
            Some(set) => {
                format!("either adopt it ({}, or amqp.declare = false)", set.join(" and "))
            }
            None => "either adopt it (amqp.declare = false)".to_owned(),
        }
    }

    /// The setting with which `run` would declare what is there.
    fn setting(
        &self,
        Deviation { argument, there }: &Deviation,
        is_of_other_type: bool,
    ) -> Option<String> {
        let There::Value(value) = there else { return None };
        // Only quorum queues have these: its type is another one, which RabbitMQ has not told.
        let is_of_quorum = [DELIVERY_LIMIT, DEAD_LETTER_STRATEGY].contains(&&**argument);
        if is_of_quorum && !is_of_other_type && !self.values.contains_key(argument) {
            return self.key_of(QUEUE_TYPE).map(|key| format!("{key} = \"quorum\" {OF_ALL}"));
        }
        let key = self.key_of(argument).filter(|_| can_be_set(argument, value))?;
        Some(match &**argument {
            QUEUE_TYPE => format!("{key} = {value} {OF_ALL}"),
            _ => format!("{key} = {value}"),
        })
    }

    fn key_of(&self, argument: &str) -> Option<&str> {
        self.keys.iter().find(|(name, _)| *name == argument).map(|(_, key)| &**key)
    }
}

/// Whether the key for this argument can have this value.
fn can_be_set(argument: &str, value: &str) -> bool {
    match argument {
        QUEUE_TYPE => matches!(value, "\"quorum\"" | "\"classic\""),
        TYPE => matches!(value, "\"topic\"" | "\"direct\"" | "\"fanout\"" | "\"headers\""),
        DELIVERY_LIMIT => value.parse().is_ok_and(|limit: u32| limit > 0),
        DEAD_LETTER_EXCHANGE => value != "\"\"",
        _ => true,
    }
}

/// A value that RabbitMQ has told, of a type that it perhaps has told, too.
fn shown(value: &str, kind: &str) -> String {
    let is_plain = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
    if kind == "longstr" || (kind.is_empty() && !is_plain) {
        return quoted(value);
    }
    value.to_owned()
}

fn shown_values(arguments: &FieldTable) -> BTreeMap<String, String> {
    arguments.inner().iter().map(|(name, it)| (name.to_string(), shown_value(it))).collect()
}

fn shown_value(ours: &AMQPValue) -> String {
    match ours {
        AMQPValue::LongString(text) => quoted(&String::from_utf8_lossy(text.as_bytes())),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Boolean(set) => set.to_string(),
        _ => "a value of another type".to_owned(),
    }
}

/// A text as it is shown.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

//! All layers in one, and what is wrong in any of them.
//!
//! Nothing here fails: what is wrong is noted, and the default stands in for it, so that all the rest is looked at
//! too. The result is thrown away if anything was noted.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{Config, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::key::{Key, Origin};
use super::layer::Layer;
use super::problem::{Problem, Problems};
use super::value::{is_unset, texts};
use super::{rules, schema};

#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Every key that applies has a value, which has its origin.
    config: Config,
    /// Keys that are wrong in some layer.
    faulty: BTreeSet<Key>,
    problems: Vec<Problem>,
    /// Unset keys, and the topics whose ARNs can't be built without them.
    missing: BTreeMap<Key, BTreeSet<Key>>,
}

impl Merged {
    /// Checks each value that applies by itself.
    pub(super) fn new(config: Config, faulty: BTreeSet<Key>, problems: Vec<Problem>) -> Self {
        let mut merged = Self { config, faulty, problems, ..Self::default() };
        let all = merged.values().into_iter();
        let broken: Vec<_> = all
            .flat_map(|(key, value)| {
                rules::broken(&key, value).into_iter().map(move |it| (key.clone(), it))
            })
            .collect();
        for (key, (wrong, remedy)) in broken {
            merged.problem(&key, wrong, remedy);
        }
        merged
    }

    /// `Ok` if nothing is wrong.
    pub(super) fn finish(mut self) -> Result<Self, Problems> {
        for (key, topics) in std::mem::take(&mut self.missing) {
            if !self.is_sound(&key) {
                continue;
            }
            let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
            let (arns, names) =
                if topics.len() == 1 { ("ARN", "a whole ARN") } else { ("ARNs", "whole ARNs") };
            let wrong =
                format!("is unset, but needed to build the {arns} of {}", topics.join(", "));
            self.problem(&key, wrong, format!("set it, or give {names}"));
        }
        Problems::none_in(std::mem::take(&mut self.problems))?;
        Ok(self)
    }

    /// The value, or table, at `key`.
    pub(super) fn value(&self, key: &Key) -> Option<&Value> {
        key.segments().iter().try_fold(&self.config.cache, |at, name| match &at.kind {
            ValueKind::Table(table) => table.get(*name),
            _ => None,
        })
    }

    /// All values, by key.
    pub(super) fn values(&self) -> BTreeMap<Key, &Value> {
        fn collect<'a>(key: &Key, value: &'a Value, values: &mut BTreeMap<Key, &'a Value>) {
            match &value.kind {
                ValueKind::Table(table) => {
                    table.iter().for_each(|(name, it)| collect(&key.child(name), it, values));
                }
                _ => drop(values.insert(key.clone(), value)),
            }
        }
        let mut values = BTreeMap::new();
        collect(&Key::default(), &self.config.cache, &mut values);
        values
    }

    /// The text at `key`; `None` if it is empty.
    pub(super) fn text(&self, key: &Key) -> Option<String> {
        let text = texts(self.value(key)?).concat();
        Some(text).filter(|it| !it.is_empty())
    }

    /// The names that users chose directly below `group`.
    pub(super) fn names_in(&self, group: &Key) -> BTreeSet<String> {
        match self.value(group).map(|it| &it.kind) {
            Some(ValueKind::Table(table)) => table.keys().cloned().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// What the program works with: the default for what is wrong, and for what is unset unless it may be.
    pub(super) fn applying(&self, key: &Key) -> Option<Value> {
        let is_given =
            |it: &&Value| !matches!(&it.kind, ValueKind::String(text) if text.is_empty());
        let value = self.value(key).filter(|_| self.is_sound(key));
        let unset = value.is_some_and(|it| is_unset(it) && schema::is_optional(key));
        let default = schema::default_of(key).filter(|_| !unset);
        value.filter(is_given).or(default.filter(is_given)).cloned()
    }

    /// Notes what is wrong with a key, together with its value and origin.
    pub(super) fn problem(
        &mut self,
        key: &Key,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let origin = self.value(key).map_or(Origin::Default, Origin::of);
        let mut problem = Problem::new(&origin, key.clone(), wrong, remedy);
        if let Some(value) = self.value(key) {
            problem = problem.with_value(value);
        }
        self.faulty.insert(key.clone());
        self.problems.push(problem);
    }

    /// Notes that `topic` can't do without the unset `key`.
    pub(super) fn missing(&mut self, key: &Key, topic: &Key) {
        self.missing.entry(key.clone()).or_default().insert(topic.clone());
    }

    /// Whether nothing was wrong with any of these, so that something can be said about
    /// them together.
    pub(super) fn sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.is_sound(&Key::from(*key)))
    }

    /// Whether nothing was wrong with it.
    pub(super) fn is_sound(&self, key: &Key) -> bool {
        !self.faulty.contains(key)
    }
}

/// Reads values as one of the types of the settings.
pub(super) fn read<T: DeserializeOwned>(values: BTreeMap<Key, Value>) -> Result<T, Problems> {
    let layer = Layer { values, ..Layer::default() };
    layer.collect().and_then(|table| Value::from(table).try_deserialize()).map_err(|error| {
        // Its `Display` quotes the value.
        let key = match &error {
            ::config::ConfigError::Type { key, .. } => key.as_deref().map(Key::from),
            ::config::ConfigError::At { key, .. } => key.as_deref().map(Key::from),
            _ => None,
        };
        let remedy = "report it, with this key's kind of value";
        Problems::from(Problem::new(&Origin::Default, key, "is not as its type asks", remedy))
    })
}

//! All layers in one, by the `config` crate: defaults, then files, then the environment; and what is wrong in any.
//!
//! Nothing here fails: what is wrong is noted, and the default stands in for it, so that all the rest is looked at
//! too. The result is thrown away if anything was noted.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{Config, ConfigError, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::faults::Faults;
use super::inputs::Inputs;
use super::key::{Key, Origin};
use super::layer::Layer;
use super::problem::{Problem, Problems};
use super::settings::EmptiedTopic;
use super::value::{at, is_unset, leaves, names, texts};
use super::{environment, file, rules, schema, topics};
use crate::address;

pub(super) struct Merged {
    /// Every key that applies has a value, which has its origin.
    config: Config,
    pub(super) faults: Faults,
    problems: Vec<Problem>,
    /// Values under names that are none, which are never shown: they may be secrets.
    guessed: BTreeSet<(Key, Origin)>,
    /// Unset keys, and the topics whose ARNs can't be built without them.
    missing: BTreeMap<Key, BTreeSet<Key>>,
    pub(super) emptied_topics: Vec<EmptiedTopic>,
}

impl Merged {
    /// Reads the layers, puts each over those below it, and checks each value that applies by itself. `unread` is what
    /// could not be read of the inputs.
    pub(super) fn of(inputs: &Inputs, unread: Vec<Problem>) -> Self {
        let files = inputs.files.iter().enumerate();
        let files = files.map(|(order, (name, text))| file::read(order, name, text));
        let mut layers: Vec<Layer> = files.collect();
        let variables = environment::read(&inputs.environment, &unread);
        let emptied_topics = topics::emptied(&layers, &variables);
        layers.push(variables);
        let is_file = |it: &Problem| matches!(it.origin, Origin::File { .. });
        let is_unread = unread.iter().any(is_file);
        let mut faults = Faults::default();
        faults.is_unread = is_unread;
        let (mut problems, mut guessed) = (unread, BTreeSet::new());
        let mut builder = Config::builder().add_source(defaults(&layers));
        for mut layer in layers {
            faults.extend(std::mem::take(&mut layer.faults));
            problems.append(&mut layer.problems);
            guessed.extend(std::mem::take(&mut layer.guessed));
            builder = builder.add_source(layer);
        }
        let Ok(config) = builder.build() else {
            unreachable!("a layer that has been read gives what it has")
        };
        let missing = BTreeMap::new();
        let mut merged = Self { config, faults, problems, guessed, missing, emptied_topics };
        for (key, value) in leaves(Key::default(), &merged.config.cache.clone()) {
            if merged.faults.above(&key, &Origin::of(value)).is_some() {
                // It does not apply.
                continue;
            }
            for (wrong, remedy) in rules::broken(&key, value) {
                merged.problem(&key, wrong, remedy);
            }
        }
        merged
    }

    /// All that is wrong.
    pub(super) fn into_problems(mut self) -> (Faults, Vec<Problem>) {
        for (key, topics) in std::mem::take(&mut self.missing) {
            if self.is_unset(&key) {
                let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
                let (arns, names) =
                    if topics.len() == 1 { ("ARN", "a whole ARN") } else { ("ARNs", "whole ARNs") };
                let topics = topics.join(", ");
                let wrong = format!("is unset, but needed to build the {arns} of {topics}");
                self.problem(&key, wrong, format!("set it, or give {names}"));
            }
        }
        (self.faults, self.problems)
    }

    /// The value, or table, at `key`.
    pub(super) fn value(&self, key: &Key) -> Option<&Value> {
        at(&self.config.cache, key)
    }

    /// All values, by key.
    pub(super) fn values(&self) -> BTreeMap<Key, &Value> {
        leaves(Key::default(), &self.config.cache)
    }

    /// The text at `key`; `None` if it is empty.
    pub(super) fn text(&self, key: &Key) -> Option<String> {
        let text = texts(self.value(key)?).concat();
        Some(text).filter(|it| !it.is_empty())
    }

    /// The names that users chose directly below `group`.
    pub(super) fn names_in(&self, group: &Key) -> BTreeSet<String> {
        names(&self.config.cache, group).into_iter().map(str::to_owned).collect()
    }

    /// What the program works with: the default for what is wrong, and for what is unset unless it may be.
    pub(super) fn applying(&self, key: &Key) -> Option<Value> {
        let is_given = |it: &&Value| !is_unset(it) || texts(it).is_empty();
        let value = self.value(key).filter(|_| self.is_sound(key));
        let unset = value.is_some_and(|it| is_unset(it) && schema::is_optional(key));
        let default = schema::default_of(key).filter(|_| !unset);
        let value = value.filter(is_given).or(default.filter(is_given))?;
        match &value.kind {
            ValueKind::String(text) => {
                address::checked(schema::format(key).unwrap_or_default(), text)
                    .ok()
                    .map(Value::from)
            }
            _ => Some(value.clone()),
        }
    }

    /// Notes what is wrong with a key, together with its value and origin.
    pub(super) fn problem(
        &mut self,
        key: &Key,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let value = self.value(key);
        let origin = value.map_or(Origin::Default, Origin::of);
        let shown = value.filter(|_| !self.is_guessed(key, &origin));
        let problem = Problem::new(&origin, key.clone(), wrong, remedy).with_value(shown);
        self.faults.note(key.clone(), &origin);
        self.problems.push(problem);
    }

    /// Whether the value stands under a name that is none.
    pub(super) fn is_guessed(&self, key: &Key, origin: &Origin) -> bool {
        self.guessed.contains(&(key.clone(), origin.clone()))
    }

    /// Notes that `topic` can't do without the unset `key`.
    pub(super) fn missing(&mut self, key: &Key, topic: &Key) {
        self.missing.entry(key.clone()).or_default().insert(topic.clone());
    }

    /// Whether nothing was wrong with any of these keys.
    pub(super) fn are_sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.is_sound(&Key::from(*key)))
    }

    /// Whether nothing was wrong with it, so that something can be said about its value.
    pub(super) fn is_sound(&self, key: &Key) -> bool {
        self.faults.is_sound(key)
    }

    /// Whether somebody gives it, be it wrongly.
    pub(super) fn is_given(&self, key: &Key) -> bool {
        let origin = self.value(key).map_or(Origin::Default, Origin::of);
        self.value(key).is_some_and(|it| !is_unset(it)) || self.faults.above(key, &origin).is_some()
    }

    /// Where it is given, be it wrongly.
    pub(super) fn origin(&self, key: &Key) -> Origin {
        let origin = self.value(key).map_or(Origin::Default, Origin::of);
        self.faults.above(key, &origin).cloned().unwrap_or(origin)
    }

    /// Whether it is known that nobody gives it.
    pub(super) fn is_unset(&self, key: &Key) -> bool {
        !self.is_given(key) && !self.faults.is_unread
    }

    /// Whether a layer has the key, be it to unset it.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.value(key).is_some() || !self.is_sound(key)
    }
}

/// What applies below the layers of users. Where these have sources, only those exist, with the default source's
/// values for what they leave out.
fn defaults(users: &[Layer]) -> Layer {
    let mut defaults = Layer::default();
    let (group, uri) = (Key::from("amqp.sources"), Key::from("amqp.uri"));
    let template = group.child(schema::DEFAULT_SOURCE);
    let sources: BTreeSet<&str> = users.iter().flat_map(|it| names(&it.tree, &group)).collect();
    for (key, value) in schema::defaults() {
        if key.is_within(&template) && !sources.is_empty() {
            for name in &sources {
                defaults.set(&group.child(name).child(key.last()), (*value).clone());
            }
        } else {
            defaults.set(key, (*value).clone());
        }
    }
    let given = |key: &Key| users.iter().rev().find_map(|layer| at(&layer.tree, key));
    if given(&uri).is_none() && given(&Key::from("amqp.uris")).is_some_and(|it| !is_unset(it)) {
        // The default must not stand beside what the user gave in its place.
        defaults.set(&uri, Value::from(""));
    }
    defaults
}

/// Reads values as one of the types of the settings.
pub(super) fn read<T: DeserializeOwned>(values: BTreeMap<Key, Value>) -> Result<T, Problems> {
    let mut layer = Layer::default();
    for (key, value) in values {
        layer.set(&key, value);
    }
    layer.tree.try_deserialize().map_err(|error| {
        let wrong = match error {
            // Its `Display` quotes the value.
            ConfigError::Type { expected, key, .. } => format!("{key:?} must be {expected}"),
            other => other.to_string(),
        };
        let remedy = "report it: the rules of this key let through what its type refuses";
        Problems::from(Problem::new(&Origin::Default, None, wrong, remedy))
    })
}

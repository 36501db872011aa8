//! What one layer gives: a source of the `config` crate, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ::config::{ConfigError, Map, Source, Value, ValueKind};

use super::domain;
use super::key::{Key, Origin};
use super::problem::Problem;
use super::schema;
use super::suggest;

/// What a layer gives, all of it of the kinds that the keys have.
#[derive(Clone, Default)]
pub(super) struct Layer {
    pub(super) values: BTreeMap<Key, Value>,
    /// The groups it names, which may be empty: that a source exists is a setting too.
    pub(super) groups: BTreeSet<Key>,
    /// Keys it gives wrongly, so that nothing is concluded from the value that stands instead.
    pub(super) faulty: BTreeSet<Key>,
    pub(super) problems: Vec<Problem>,
}

impl Layer {
    /// The key `name` below `parent`, with names that a user chooses in their one normal form.
    pub(super) fn child(&mut self, parent: &Key, name: &str, origin: &Origin) -> Option<Key> {
        let normal = match parent.segments().as_slice() {
            ["hosts"] => domain::normalise(name),
            ["amqp", "sources"] => source_name(name),
            _ if schema::names_domains(parent) => domain::normalise_pattern(name),
            _ => Ok(name.to_owned()),
        };
        match normal {
            Ok(name) => Some(parent.child(&name)),
            Err(wrong) => {
                let remedy = "correct the name";
                self.problems.push(Problem::new(origin, parent.child(name), wrong, remedy));
                None
            }
        }
    }

    /// Takes a value in.
    pub(super) fn set(&mut self, key: Key, value: ValueKind, origin: &Origin) {
        if let Some(earlier) = self.values.get(&key) {
            let wrong = format!("is given twice; the other is {}", Origin::of(earlier));
            self.fault(Problem::new(origin, key, wrong, "remove one of them"));
            return;
        }
        self.values.insert(key, Value::new(Some(&origin.to_tag()), value));
    }

    /// Takes note of a key that is known but wrongly given.
    pub(super) fn fault(&mut self, problem: Problem) {
        self.faulty.extend(problem.key.clone());
        self.problems.push(problem);
    }

    /// Takes note of a key that doesn't exist. Its value is never shown: it may be a secret
    /// under a misspelt name.
    pub(super) fn unknown(&mut self, key: &Key, origin: &Origin, is_group: bool) {
        let noun = if is_group { "group of keys" } else { "key" };
        let (wrong, remedy) = match (schema::shared_key(key), suggest::nearest(key, is_group)) {
            (Some(shared), _) => {
                let own = schema::HOST_KEYS.join(", ");
                let remedy = format!("set {shared} for all hosts; a host overrides only {own}");
                ("is for [sns] only".to_owned(), remedy)
            }
            (None, nearest) => {
                let nearest = nearest.map(|it| match origin {
                    Origin::Environment(_) => it.environment_name(),
                    _ => it.to_string(),
                });
                let remedy = nearest.map_or_else(
                    || "remove it; config/default.toml has every key that exists".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                (format!("is not a known {noun}"), remedy)
            }
        };
        self.problems.push(Problem::new(origin, key.clone(), wrong, remedy));
    }

    /// The names that users chose directly below `group`.
    pub(super) fn names_in(&self, group: &Key) -> BTreeSet<String> {
        let depth = group.segments().len();
        let keys = self.values.keys().chain(&self.groups).filter(|key| key.is_within(group));
        keys.filter_map(|key| key.segments().get(depth).map(|name| (*name).to_owned())).collect()
    }
}

/// A source's name is a label in metrics and a level in the names of environment variables, which are read in
/// lower case. The schema has the same rule as a pattern.
fn source_name(name: &str) -> Result<String, String> {
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(usual) {
        return Err(
            "is not a source's name, which is lower-case letters, digits, `-` and `_`".to_owned()
        );
    }
    Ok(name.to_owned())
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut root = Map::new();
        for group in &self.groups {
            table(&mut root, &group.segments());
        }
        for (key, value) in &self.values {
            if let [groups @ .., name] = key.segments().as_slice() {
                table(&mut root, groups).insert((*name).to_owned(), value.clone());
            }
        }
        Ok(root)
    }
}

/// The table at `path`, made where it is not there yet.
fn table<'a>(root: &'a mut Map<String, Value>, path: &[&str]) -> &'a mut Map<String, Value> {
    path.iter().fold(root, |table, name| {
        let entry =
            table.entry((*name).to_owned()).or_insert_with(|| Map::<_, Value>::new().into());
        match &mut entry.kind {
            ValueKind::Table(table) => table,
            _ => unreachable!("the schema says which keys are groups"),
        }
    })
}

/// Only the keys: values may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

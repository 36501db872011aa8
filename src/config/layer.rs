//! A layer: what a file or the environment gives, as a source of the `config` crate, and what is wrong with it.

use std::collections::BTreeSet;
use std::fmt;

use ::config::{ConfigError, Map, Source, Value, ValueKind};

use super::key::{Key, Origin};
use super::problem::Problem;
use super::schema::{self, Place};
use super::suggest;
use super::value::{Kind, at, table};
use crate::address;

#[derive(Clone, Default)]
pub(super) struct Layer {
    /// The values that are of the kinds which their keys have.
    pub(super) tree: Value,
    /// Keys it gives wrongly, so that nothing is concluded from the value that stands instead.
    pub(super) faulty: BTreeSet<Key>,
    pub(super) problems: Vec<Problem>,
}

impl Layer {
    /// The key `name` below `parent`, with names that a user chooses in their one normal form.
    pub(super) fn child(&mut self, parent: &Key, name: &str, origin: &Origin) -> Option<Key> {
        let normal = match parent.segments().as_slice() {
            ["hosts"] => address::normalise(name),
            ["amqp", "sources"] => address::source_name(name),
            _ if schema::names_domains(parent) => address::normalise_pattern(name),
            _ => Ok(name.to_owned()),
        };
        let noted = normal.map_err(|wrong| {
            let key = parent.child(name);
            self.problems.push(Problem::new(origin, key, wrong, "correct the name"));
        });
        noted.ok().map(|name| parent.child(&name))
    }

    /// Takes a value in if it is of its key's kind. `read` gives what it is then, nil for nothing; `what` says what
    /// it is in itself; and it is `shown` if it is of another kind.
    pub(super) fn give(
        &mut self,
        key: Key,
        origin: &Origin,
        what: Option<&str>,
        shown: Option<&Value>,
        read: impl FnOnce(&Kind) -> Option<ValueKind>,
    ) {
        let not = what.map(|what| format!(", not {what}")).unwrap_or_default();
        let in_variable = matches!(origin, Origin::Environment(_));
        match schema::place(&key) {
            None => self.unknown(&key, origin, what == Some("a group of keys")),
            Some(Place::Group) => {
                let remedy = if in_variable {
                    format!("set a key of it: {}", key.child("…").environment_name())
                } else {
                    format!("write [{key}], and the keys below it")
                };
                let wrong = format!("must be a group of keys{not}");
                self.fault(Problem::new(origin, key, wrong, remedy));
            }
            Some(Place::Leaf(kind)) => match (read(kind), at(&self.tree, &key)) {
                (Some(ValueKind::Nil), _) => {}
                (Some(_), Some(earlier)) => {
                    let wrong = format!("is given twice; the other is {}", Origin::of(earlier));
                    self.fault(Problem::new(origin, key, wrong, "remove one of them"));
                }
                (Some(value), None) => {
                    let value = trimmed(value, schema::format(&key).unwrap_or_default());
                    self.set(&key, Value::new(Some(&origin.tag()), value));
                }
                (None, _) => {
                    let wrong = format!("must be {}{not}", kind.name);
                    let problem = Problem::new(origin, key, wrong, kind.remedy(in_variable));
                    self.fault(problem.with_value(shown));
                }
            },
        }
    }

    pub(super) fn set(&mut self, key: &Key, value: Value) {
        if let [groups @ .., name] = key.segments().as_slice() {
            table(&mut self.tree, groups).insert((*name).to_owned(), value);
        }
    }

    /// Takes note of a key that is known but wrongly given.
    fn fault(&mut self, problem: Problem) {
        self.faulty.extend(problem.key.clone());
        self.problems.push(problem);
    }

    /// Takes note of a key that doesn't exist. Its value is never shown: it may be a secret
    /// under a misspelt name.
    fn unknown(&mut self, key: &Key, origin: &Origin, is_group: bool) {
        let (wrong, remedy) = if let Some(shared) = schema::shared_key(key) {
            let own = schema::HOST_KEYS.join(", ");
            let remedy = format!("set {shared} for all hosts; a host overrides only {own}");
            ("is for [sns] only", remedy)
        } else {
            let remedy = match (suggest::nearest(key, is_group), origin) {
                (Some(it), Origin::Environment(_)) => {
                    format!("did you mean `{}`?", it.environment_name())
                }
                (Some(it), _) => format!("did you mean `{it}`?"),
                _ => "remove it; config/default.toml has every key that exists".to_owned(),
            };
            let wrong =
                if is_group { "is not a known group of keys" } else { "is not a known key" };
            (wrong, remedy)
        };
        self.problems.push(Problem::new(origin, key.clone(), wrong, remedy));
    }
}

fn trimmed(value: ValueKind, format: &str) -> ValueKind {
    match value {
        ValueKind::String(text) => address::trimmed(format, &text).into(),
        ValueKind::Array(items) => {
            let trimmed = |it: Value| Value::new(None, trimmed(it.kind, format));
            ValueKind::Array(items.into_iter().map(trimmed).collect())
        }
        other => other,
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(match &self.tree.kind {
            ValueKind::Table(table) => table.clone(),
            _ => Map::new(),
        })
    }
}

/// Without the values, which may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layer(***)")
    }
}

//! A layer: what a file or the environment gives, as a source of the `config` crate, and what is wrong with it.

use std::fmt;

use ::config::{ConfigError, Map, Source, Value, ValueKind};

use super::faults::Faults;
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
    pub(super) faults: Faults,
    pub(super) problems: Vec<Problem>,
    /// Keys whose values stand under names that are none.
    pub(super) guessed: Vec<(Key, Origin)>,
}

/// How sure it is that a value is that of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// The key is written there.
    Plainly,
    /// A name is written there that is none, and this is the nearest one. Where the key stands elsewhere in the layer,
    /// that counts.
    ByNearestName,
}

impl Layer {
    /// The key `name` below `parent`, with names that a user chooses in their one normal form. One that has none is kept
    /// as it is, so that what is below it is looked at, too.
    pub(super) fn child(&mut self, parent: &Key, name: &str, origin: &Origin) -> Key {
        let normal = match parent.segments().as_slice() {
            ["hosts"] => address::normalise(name),
            ["amqp", "sources"] => address::source_name(name),
            ["admin", "tokens"] => address::operator_name(name),
            _ if schema::names_domains(parent) => address::normalise_pattern(name),
            _ => Ok(name.to_owned()),
        };
        let name = normal.unwrap_or_else(|wrong| {
            let key = parent.child(name);
            self.problems.push(Problem::new(origin, key, wrong, "correct the name"));
            name.to_owned()
        });
        parent.child(&name)
    }

    /// Takes a value in if it is of its key's kind. `read` gives what it is then, nil for nothing; `what` says what
    /// it is in itself; and it is `shown` if it is of another kind. Returns the key that was most likely meant, if there is
    /// no such key.
    pub(super) fn give(
        &mut self,
        (key, given): (&Key, Given),
        origin: &Origin,
        what: Option<&str>,
        shown: Option<&Value>,
        read: impl FnOnce(&Kind) -> Option<ValueKind>,
    ) -> Option<Key> {
        let not = what.map(|what| format!(", not {what}")).unwrap_or_default();
        let in_variable = matches!(origin, Origin::Environment(_));
        let is_guess = given == Given::ByNearestName;
        let earlier = at(&self.tree, key).map(Origin::of);
        match schema::place(key) {
            None => return self.unknown(key, origin, what == Some("a group of keys")),
            Some(_) if is_guess && (earlier.is_some() || !self.faults.is_sound(key)) => {}
            Some(Place::Group) => {
                let remedy = if in_variable {
                    format!("set a key of it: {}", key.child("…").environment_name())
                } else {
                    format!("write [{key}], and the keys below it")
                };
                let wrong = format!("must be a group of keys{not}");
                self.fault(Problem::new(origin, key.clone(), wrong, remedy));
            }
            Some(Place::Leaf(kind)) => match (read(kind), earlier) {
                (Some(ValueKind::Nil), _) => {}
                (Some(_), Some(earlier)) => {
                    let wrong = format!("is given twice; the other is {earlier}");
                    self.fault(Problem::new(origin, key.clone(), wrong, "remove one of them"));
                }
                (Some(value), None) => {
                    if is_guess {
                        self.guessed.push((key.clone(), origin.clone()));
                    }
                    let value = trimmed(value, schema::format(key).unwrap_or_default());
                    self.set(key, Value::new(Some(&origin.tag()), value));
                }
                (None, _) => {
                    let wrong = format!("must be {}{not}", kind.name);
                    let problem =
                        Problem::new(origin, key.clone(), wrong, kind.remedy(in_variable));
                    // Under a misspelt name it may be a secret.
                    self.fault(problem.with_value(shown.filter(|_| !is_guess)));
                }
            },
        }
        None
    }

    pub(super) fn set(&mut self, key: &Key, value: Value) {
        if let [groups @ .., name] = key.segments().as_slice() {
            table(&mut self.tree, groups).insert((*name).to_owned(), value);
        }
    }

    /// Takes note of a key that is known but wrongly given.
    pub(super) fn fault(&mut self, problem: Problem) {
        if let Some(key) = &problem.key {
            self.faults.note(key.clone(), &problem.origin);
        }
        self.problems.push(problem);
    }

    /// Takes note of a key that doesn't exist. Its value is never shown: it may be a secret
    /// under a misspelt name. Returns the key that was most likely meant.
    fn unknown(&mut self, key: &Key, origin: &Origin, is_group: bool) -> Option<Key> {
        let (wrong, remedy, meant) = if let Some(shared) = schema::shared_key(key) {
            let own = schema::HOST_KEYS.join(", ");
            let remedy = format!("set {shared} for all hosts; a host overrides only {own}");
            ("is for [sns] only", remedy, None)
        } else {
            let meant = suggest::nearest(key, is_group);
            let remedy = match (&meant, origin) {
                (Some(it), Origin::Environment(_)) => {
                    format!("did you mean `{}`?", it.environment_name())
                }
                (Some(it), _) => format!("did you mean `{it}`?"),
                _ => "remove it; config/default.toml has every key that exists".to_owned(),
            };
            let wrong =
                if is_group { "is not a known group of keys" } else { "is not a known key" };
            (wrong, remedy, meant)
        };
        self.problems.push(Problem::new(origin, key.clone(), wrong, remedy));
        meant.filter(|it| !suggest::names_another(it, key))
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

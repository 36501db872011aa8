//! The tree that both forms of MongooseIM's configuration are read into.

use std::collections::BTreeSet;

use event_pusher_core::nearest::nearest_word;

use super::names::Level;
use super::writer::Unsupported;

/// A value and the line that it stands on, from 1.
#[derive(Clone)]
pub(super) struct Node {
    pub value: Value,
    pub line: usize,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// Of a kind that no option read here has.
    Other,
}

/// Options. Each is taken once; what nobody took is told, so that nothing is dropped in silence.
#[derive(Clone)]
pub(super) struct Table {
    /// What it is called in messages.
    pub path: String,
    pub line: usize,
    pub entries: Vec<(String, Node)>,
    /// The names that were looked for, so that a misspelt one can be told from others.
    asked: Vec<String>,
}

/// Stands for the name of something that has none.
pub(super) const NAMELESS: &str = "(no name)";

impl Table {
    pub(super) fn new(path: impl Into<String>, line: usize) -> Self {
        Self { path: path.into(), line, entries: Vec::new(), asked: Vec::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        if !self.asked.iter().any(|it| it == key) {
            self.asked.push(key.to_owned());
        }
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// A group of options. Erlang writes an empty one as it writes an empty list.
    pub(super) fn take_table(&mut self, key: &str) -> Option<Self> {
        let node = self.take(key)?;
        match node.value {
            Value::Table(table) => Some(table),
            Value::List(items) if items.is_empty() => {
                Some(Self::new(format!("{}.{key}", self.path), node.line))
            }
            _ => {
                // Put back, it is told as what nobody took.
                self.entries.push((key.to_owned(), node));
                None
            }
        }
    }

    /// A text; an empty one counts as none.
    pub(super) fn take_text(
        &mut self,
        key: &str,
        unsupported: &mut Vec<Unsupported>,
    ) -> Option<String> {
        let node = self.take(key)?;
        match node.value {
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
            // Erlang takes any term for an account's id.
            Value::Integer(number) => Some(number.to_string()),
            _ => self.wrong(key, node.line, "is not a text", unsupported),
        }
    }

    pub(super) fn take_number(
        &mut self,
        key: &str,
        unsupported: &mut Vec<Unsupported>,
    ) -> Option<i64> {
        let node = self.take(key)?;
        match node.value {
            Value::Integer(number) => Some(number),
            _ => self.wrong(key, node.line, "is not a whole number", unsupported),
        }
    }

    pub(super) fn take_flag(
        &mut self,
        key: &str,
        unsupported: &mut Vec<Unsupported>,
    ) -> Option<bool> {
        let node = self.take(key)?;
        match node.value {
            Value::Flag(flag) => Some(flag),
            _ => self.wrong(key, node.line, "is neither true nor false", unsupported),
        }
    }

    fn wrong<T>(
        &self,
        key: &str,
        line: usize,
        why: &str,
        unsupported: &mut Vec<Unsupported>,
    ) -> Option<T> {
        unsupported.push(Unsupported::new(line, format!("{}.{key}", self.path), why));
        None
    }

    /// Reports what nobody took. Of the values nothing is shown: they may be secrets.
    pub(super) fn finish(self, unsupported: &mut Vec<Unsupported>) {
        let known: Vec<_> = self.asked.iter().map(String::as_str).collect();
        for (name, node) in &self.entries {
            let why = match nearest_word(name, &known) {
                Some(word) if word == name => TWICE.to_owned(),
                Some(word) => format!("is no option that is known here; did you mean {word}?"),
                None => "is no option that is known here".to_owned(),
            };
            unsupported.push(Unsupported::new(node.line, self.full_name(name), why));
        }
    }

    /// Reports what nobody took of a level that has much besides events: names that look like those that are read are
    /// unsupported, the others are not read.
    pub(super) fn finish_level(
        self,
        level: &Level,
        unsupported: &mut Vec<Unsupported>,
        not_read: &mut BTreeSet<String>,
    ) {
        for (name, node) in &self.entries {
            let full = self.full_name(name);
            let why = if self.asked.contains(name) {
                TWICE.to_owned()
            } else if name == NAMELESS {
                "is no option".to_owned()
            } else if let Some(meant) = level.meant(name) {
                misplaced(meant)
            } else {
                not_read.insert(full);
                continue;
            };
            unsupported.push(Unsupported::new(node.line, full, why));
        }
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

const TWICE: &str = "stands twice, or is of another kind than this option";

/// Why an option is not read whose name looks like one that is.
pub(super) fn misplaced(meant: &str) -> String {
    format!("is no name that is read here; did you mean {meant}?")
}

//! The tree that both forms of MongooseIM's configuration are read into.

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
}

impl Table {
    pub(super) fn new(path: impl Into<String>, line: usize) -> Self {
        Self { path: path.into(), line, entries: Vec::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
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

    /// Tells what nobody took. Of the values nothing is shown: they may be secrets.
    pub(super) fn finish(self, unsupported: &mut Vec<Unsupported>) {
        for (name, node) in self.entries {
            let why = "is no option that is known here, or stands twice, or is of another kind";
            unsupported.push(Unsupported::new(node.line, format!("{}.{name}", self.path), why));
        }
    }
}

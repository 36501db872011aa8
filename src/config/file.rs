//! The layer of one TOML file.

use ::config::{Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::key::{Key, Origin};
use super::layer::Layer;
use super::problem::Problem;
use super::schema::{self, Place};
use super::value::{Kind, described, from_toml};

/// Reads a file's text. What is wrong with it is in the layer's problems; of a file with
/// an error of syntax nothing else is read.
pub(super) fn read(order: usize, name: &str, text: &str) -> Layer {
    let mut file = File { order, name, text, layer: Layer::default() };
    match DeTable::parse(text) {
        Ok(table) => file.walk(&Key::default(), table.get_ref()),
        Err(error) => file.syntax_error(&error),
    }
    file.layer
}

struct File<'a> {
    order: usize,
    name: &'a str,
    text: &'a str,
    layer: Layer,
}

impl File<'_> {
    fn walk(&mut self, parent: &Key, table: &DeTable<'_>) {
        for (name, value) in table {
            let origin = self.origin(name.span().start);
            let Some(key) = self.layer.child(parent, name.get_ref(), &origin) else {
                continue;
            };
            match (schema::place(&key), value.get_ref()) {
                (Some(Place::Group), DeValue::Table(table)) => {
                    self.layer.groups.insert(key.clone());
                    self.walk(&key, table);
                }
                (Some(Place::Group), other) => {
                    let wrong = format!("must be a group of keys, not {}", described(other));
                    let remedy = format!("write [{key}], and the keys below it");
                    self.layer.fault(Problem::new(&origin, key, wrong, remedy));
                }
                (Some(Place::Leaf(kind)), value) => self.leaf(key, kind, value, &origin),
                (None, other) => self.layer.unknown(&key, &origin, other.is_table()),
            }
        }
    }

    fn leaf(&mut self, key: Key, kind: Kind, value: &DeValue<'_>, origin: &Origin) {
        let given = match (kind, from_toml(value)) {
            #[expect(clippy::cast_precision_loss, reason = "no such number is allowed")]
            (Kind::Number, Some(ValueKind::I64(whole))) => Some(ValueKind::from(whole as f64)),
            (_, given) => given,
        };
        match given {
            Some(value) if Kind::of(&value) == Some(kind) => self.layer.set(key, value, origin),
            converted => {
                let wrong = format!("must be {kind}, not {}", described(value));
                let mut problem = Problem::new(origin, key, wrong, kind.remedies()[0]);
                if let Some(value) = converted {
                    problem = problem.with_value(&Value::new(None, value));
                }
                self.layer.fault(problem);
            }
        }
    }

    /// The parser's own rendering would print the line, and with it what may be a secret.
    fn syntax_error(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(self.text.len(), |span| span.start);
        let (line, column) = line_and_column(self.text, at);
        let origin = Origin::File {
            order: self.order,
            name: self.name.to_owned(),
            line: Some(line),
            column: Some(column),
        };
        let wrong = format!("is not valid TOML: {}", error.message().replace('\n', " "));
        let remedy = "correct the line; texts stand in quotes, and a key stands once in its group";
        self.layer.problems.push(Problem::new(&origin, None, wrong, remedy));
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File {
            order: self.order,
            name: self.name.to_owned(),
            line: Some(line_and_column(self.text, at).0),
            column: None,
        }
    }
}

/// Where the byte at `at` stands: the line, and the column in characters, both from 1.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

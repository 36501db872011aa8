//! The layer of one TOML file.

use toml::de::{DeTable, DeValue};

use super::key::{Key, Origin};
use super::layer::Layer;
use super::problem::Problem;
use super::schema::{self, Place};
use super::value::{self, described};
use crate::text::line_and_column;

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
        for (name, given) in table {
            let origin = self.origin(name.span().start, false);
            let Some(key) = self.layer.child(parent, name.get_ref(), &origin) else {
                continue;
            };
            match given.get_ref() {
                DeValue::Table(table) if schema::place(&key) == Some(Place::Group) => {
                    value::table(&mut self.layer.tree, &key.segments());
                    self.walk(&key, table);
                }
                other => {
                    let what = Some(described(other));
                    let value = value::read(given.clone()).filter(|_| !other.is_datetime());
                    self.layer.give(key, &origin, what, value.as_ref(), |kind| {
                        value.as_ref().and_then(|it| kind.read_toml(&it.kind))
                    });
                }
            }
        }
    }

    /// The parser's own rendering would print the line, and with it what may be a secret.
    fn syntax_error(&mut self, error: &toml::de::Error) {
        let origin = self.origin(error.span().map_or(self.text.len(), |span| span.start), true);
        let wrong = format!("is not valid TOML: {}", error.message().replace('\n', " "));
        let remedy = "correct the line; texts stand in quotes, and a key stands once in its group";
        self.layer.problems.push(Problem::new(&origin, None, wrong, remedy));
    }

    fn origin(&self, at: usize, with_column: bool) -> Origin {
        let (line, column) = line_and_column(self.text, at);
        Origin::File {
            order: self.order,
            name: self.name.to_owned(),
            line: Some(line),
            column: with_column.then_some(column),
        }
    }
}

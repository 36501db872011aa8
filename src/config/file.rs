//! The layer of one TOML file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Origin};
use super::layer::{Given, Layer};
use super::problem::Problem;
use super::schema::{self, Place};
use super::value::{self, described};

/// Reads a file's text. What is wrong with it is in the layer's problems; of a file with
/// an error of syntax nothing else is read.
pub(super) fn read(order: usize, name: &str, text: &str) -> Layer {
    let mut file = File { order, name, lines: Lines::of(text), layer: Layer::default() };
    match DeTable::parse(text) {
        Ok(table) => {
            let mut misnamed = file.walk(&Key::default(), table.get_ref(), Given::Plainly);
            // What stands under a misspelt name is looked at as well, once all that has its own name is known.
            while let Some((meant, origin, value)) = misnamed.pop() {
                misnamed.extend(file.take(&meant, &origin, value, Given::ByNearestName));
            }
        }
        Err(error) => file.syntax_error(&error),
    }
    file.layer
}

struct File<'a> {
    order: usize,
    name: &'a str,
    lines: Lines<'a>,
    layer: Layer,
}

/// A value under a name that is none, and the key that was most likely meant.
type Misnamed<'t, 'i> = (Key, Origin, &'t Spanned<DeValue<'i>>);

/// A text and where its lines begin. Searched and not counted for each key, which would take the square of the keys.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let after_each = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_each).collect() }
    }

    /// The line of the byte at `at`, and its column in characters, both from 1.
    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

impl File<'_> {
    fn walk<'t, 'i>(
        &mut self,
        parent: &Key,
        table: &'t DeTable<'i>,
        given: Given,
    ) -> Vec<Misnamed<'t, 'i>> {
        let mut misnamed = Vec::new();
        for (name, value) in table {
            let origin = self.origin(name.span().start, false);
            let key = self.layer.child(parent, name.get_ref(), &origin);
            misnamed.extend(self.take(&key, &origin, value, given));
        }
        misnamed
    }

    fn take<'t, 'i>(
        &mut self,
        key: &Key,
        origin: &Origin,
        value: &'t Spanned<DeValue<'i>>,
        given: Given,
    ) -> Vec<Misnamed<'t, 'i>> {
        let other = match value.get_ref() {
            DeValue::Table(table) if schema::place(key) == Some(Place::Group) => {
                value::table(&mut self.layer.tree, &key.segments());
                return self.walk(key, table, given);
            }
            other => other,
        };
        let what = Some(described(other));
        let read = value::read(value.clone()).filter(|_| !other.is_datetime());
        let meant = self.layer.give((key, given), origin, what, read.as_ref(), |kind| {
            read.as_ref().and_then(|it| kind.read_toml(&it.kind))
        });
        meant.map(|meant| (meant, origin.clone(), value)).into_iter().collect()
    }

    /// The parser's own rendering would print the line, and with it what may be a secret.
    fn syntax_error(&mut self, error: &toml::de::Error) {
        let origin =
            self.origin(error.span().map_or(self.lines.text.len(), |span| span.start), true);
        let wrong = format!("is not valid TOML: {}", error.message().replace('\n', " "));
        let remedy = "correct the line; texts stand in quotes, and a key stands once in its group";
        self.layer.faults.is_unread = true;
        self.layer.problems.push(Problem::new(&origin, None, wrong, remedy));
    }

    fn origin(&self, at: usize, with_column: bool) -> Origin {
        let (line, column) = self.lines.line_and_column(at);
        Origin::File {
            order: self.order,
            name: self.name.to_owned(),
            line: Some(line),
            column: with_column.then_some(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::line_and_column;

    #[test]
    fn lines_and_columns_are_those_of_a_count_from_the_start() {
        for text in ["", "\n", "a = 1\r\n\nbü = 2\n", "no end"] {
            let lines = Lines::of(text);
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                assert_eq!(
                    lines.line_and_column(at),
                    line_and_column(text, at),
                    "{at} in {text:?}"
                );
            }
        }
    }
}

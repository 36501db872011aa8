//! Compares results of samples with the expected ones.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use serde_json::{Map, Value};

use super::samples::{Lines, SampleLocation};
use super::text::{BAD, GOOD, events};
use crate::text::printable;

/// Where a sample stands on its line is for people: a comment more before it changes nothing.
const NOT_COMPARED: &str = "line";

/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// Characters that are shown before the first that differs.
const BEFORE: usize = 40;

/// The expectations of a file, in its order.
#[derive(Debug)]
pub(super) struct Expectations {
    name: String,
    left: VecDeque<Expected>,
    compared: u64,
    different: u64,
}

#[derive(Debug)]
struct Expected {
    line: u64,
    fields: Map<String, Value>,
}

impl Expectations {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = printable(&path.display().to_string(), false);
        let mut left = VecDeque::new();
        for line in Lines::open(path)? {
            let (line, text) = line?;
            let remedy = "write one JSON object per line, as `try --json` prints them";
            let fields = serde_json::from_slice(&text)
                .map_err(|error| format!("{name}:{line}: {error}; {remedy}"))?;
            left.push_back(Expected { line, fields });
        }
        Ok(Self { name, left, compared: 0, different: 0 })
    }

    /// How what was found at a location differs from what is expected there, if it does.
    pub(super) fn compare(&mut self, location: &SampleLocation, found: &Value) -> Option<String> {
        self.compared += 1;
        let where_found = printable(&location.to_string(), false);
        let Some(Expected { line, fields }) = self.take(location) else {
            self.different += 1;
            let found = shown(Some(found), 0);
            return Some(format!(
                "{BAD}✗{BAD:#} {where_found}: not in the expected file\n    found {found}"
            ));
        };
        let mut differences = Vec::new();
        differ("", &Value::Object(fields), found, &mut differences);
        if differences.is_empty() {
            return None;
        }
        self.different += 1;
        let title = format!("{BAD}✗{BAD:#} {where_found} (expected at {}:{line})", self.name);
        Some(format!("{title}\n{}", differences.join("\n")))
    }

    /// Lines follow each other as their expectations do; a file has the one that names it.
    fn take(&mut self, location: &SampleLocation) -> Option<Expected> {
        let index = match location {
            SampleLocation::Line(_) => 0,
            SampleLocation::File(name) => {
                let is_its = |it: &Expected| it.fields.get("file").is_some_and(|file| file == name);
                self.left.iter().position(is_its)?
            }
        };
        self.left.remove(index)
    }

    /// The last word, and whether all was as expected.
    pub(super) fn conclude(self) -> (String, bool) {
        let Self { name, left, compared, different } = self;
        let mut lines = Vec::new();
        for Expected { line, .. } in &left {
            lines
                .push(format!("{BAD}✗{BAD:#} {name}:{line}: expected, but there is no such event"));
        }
        let good = different == 0 && left.is_empty();
        lines.push(if good {
            format!("{GOOD}✓{GOOD:#} {}, all as expected", events(compared))
        } else {
            let missing = match left.len() {
                0 => String::new(),
                missing => format!(", {missing} missing"),
            };
            format!("{BAD}✗{BAD:#} {}: {different} not as expected{missing}", events(compared))
        });
        (lines.join("\n"), good)
    }
}

/// Adds a paragraph for each field that differs, by its path.
fn differ(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for name in names {
                let path = match path {
                    "" if name == NOT_COMPARED => continue,
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                match (expected.get(name), found.get(name)) {
                    (Some(expected), Some(found)) => differ(&path, expected, found, differences),
                    (expected, found) => differences.push(difference(&path, expected, found)),
                }
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => differences.push(difference(path, Some(expected), Some(found))),
    }
}

fn difference(path: &str, expected: Option<&Value>, found: Option<&Value>) -> String {
    let text = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
    let (one, other) = (text(expected), text(found));
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    let from = same.count().saturating_sub(BEFORE);
    let (expected, found) = (shown(expected, from), shown(found, from));
    let path = printable(path, false);
    format!("    {path}\n      expected {expected}\n      found    {found}")
}

/// A value, or of a long one the part where it gets interesting.
fn shown(value: Option<&Value>, from: usize) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    let length = text.chars().count();
    if length <= SHOWN {
        return printable(&text, false);
    }
    let from = from.min(length - 1);
    let part: String = text.chars().skip(from).take(SHOWN).collect();
    let (before, after) =
        (if from > 0 { "…" } else { "" }, if from + SHOWN < length { "…" } else { "" });
    format!("{before}{}{after}", printable(&part, false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(expected: &Value, found: &Value) -> Vec<String> {
        let mut differences = Vec::new();
        differ("", expected, found, &mut differences);
        differences
    }

    #[test]
    fn a_difference_names_its_field_and_both_values() {
        let expected =
            json!({"line": 1, "outcome": "published", "body": {"message": "Hi"}, "a": 1});
        let found = json!({"line": 7, "outcome": "published", "body": {"message": "Ho"}, "b": [2]});
        let expected = differences(&expected, &found);
        assert_eq!(
            expected,
            [
                "    a\n      expected 1\n      found    nothing",
                "    b\n      expected nothing\n      found    [2]",
                "    body.message\n      expected \"Hi\"\n      found    \"Ho\"",
            ]
        );
    }

    #[test]
    fn of_long_values_the_part_that_differs_is_shown() {
        let long = "x".repeat(5000);
        let found =
            differences(&json!({"m": format!("{long}a")}), &json!({"m": format!("{long}b")}));
        assert!(found[0].contains("xxa\"") && found[0].contains("xxb\""), "{found:?}");
        assert!(found[0].chars().count() < 300, "{found:?}");
        assert_eq!(differences(&json!({"m": long}), &json!({"m": long})), [""; 0]);
    }
}

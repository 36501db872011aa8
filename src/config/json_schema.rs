//! The configuration as a JSON Schema, so that editors complete and check it: what the types of the settings say,
//! and of each key the default and the meaning that `config/default.toml` has.

use std::collections::BTreeMap;

use ::config::{Value, ValueKind};
use serde_json::{Map, Value as Json, json};

use super::key::Key;
use super::schema::{self, DEFAULT_SOURCE, DEFAULTS, Reference};
use super::value::texts;

/// What is of use to the program only, or said better by `config/default.toml`.
const INTERNAL: [&str; 6] = ["default", "description", "format", "oneOf", "required", "title"];

/// The schema of a configuration file.
#[must_use]
pub fn json_schema() -> Json {
    let rows = schema::reference().into_iter();
    let comments: BTreeMap<_, _> =
        rows.map(|Reference { key, comment, .. }| (key, comment)).collect();
    let root = schema::node(&Key::default()).unwrap_or(&Json::Null);
    let mut root = described(&Key::default(), root, &comments);
    root["title"] = json!("Configuration of event-pusher-sns");
    root["description"] = json!(headline());
    root
}

/// What the default configuration says of itself.
fn headline() -> String {
    let lines = DEFAULTS.lines().skip_while(|line| !line.starts_with("# "));
    let lines = lines.map_while(|line| line.strip_prefix("# "));
    lines.collect::<Vec<_>>().join(" ")
}

/// A key, or a group with all that is below it, in the words of `config/default.toml`.
fn described(key: &Key, node: &Json, comments: &BTreeMap<String, String>) -> Json {
    let mut schema = without_internal(node);
    schema.insert("type".to_owned(), json!(schema::types(node)[0]));
    schema.extend(schema::words(node).map(|words| ("enum".to_owned(), json!(words))));
    if let Some(Json::String(pattern)) = schema.get_mut("pattern") {
        // An empty text is an unset one.
        *pattern = format!("^$|{pattern}");
    }
    if let Some(items) = schema.get_mut("items") {
        *items = without_internal(items).into();
    }
    if let Some(Json::Object(properties)) = schema.get_mut("properties") {
        for (name, node) in properties {
            *node = described(&key.child(name), node, comments);
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
    } else if let Some(each) = schema.get_mut("additionalProperties") {
        // Of names that are users', those of sources have one in the file.
        *each = described(&key.child(DEFAULT_SOURCE), each, comments);
    }
    // A host takes over what [sns] has, not the default.
    let default = schema::defaults().get(key).map(|it| ("default".to_owned(), json(it)));
    let name = schema::shared_key(key).as_ref().unwrap_or(key).to_string();
    let comment = comments.get(&name).map(|it| ("description".to_owned(), json!(it)));
    schema.extend(default.into_iter().chain(comment));
    schema.into()
}

fn without_internal(node: &Json) -> Map<String, Json> {
    let mut words = node.as_object().cloned().unwrap_or_default();
    words.retain(|word, _| !INTERNAL.contains(&word.as_str()));
    words
}

fn json(value: &Value) -> Json {
    match value.kind {
        ValueKind::I64(number) => json!(number),
        ValueKind::Float(number) => json!(number),
        ValueKind::Boolean(flag) => json!(flag),
        ValueKind::Array(_) => json!(texts(value)),
        _ => json!(texts(value).concat()),
    }
}

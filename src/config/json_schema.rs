//! The configuration as a JSON Schema, so that editors complete and check it.
//!
//! Names, kinds, defaults and meanings are those of `config/default.toml`; what a value may be is what
//! the readers ask of it. So a new key is in the schema as soon as it can be read.

use std::collections::BTreeMap;

use ::config::ValueKind;
use serde_json::{Map, Value as Json, json};

use super::key::Key;
use super::layer;
use super::layers::Merged;
use super::reader::{Reader, Rule};
use super::schema::{self, DEFAULT_SOURCE, HOST_KEYS, Reference};
use super::value::{Kind, texts};
use super::{Config, DEFAULTS, Inputs, layers};

/// The schema of a configuration file.
#[must_use]
pub fn json_schema() -> Json {
    let mut read = Reader::new(defaults());
    // What is wrong with the defaults, as that no plugin is registered, is not asked here.
    drop(Config::read(&mut read, &[]));
    let writer = Writer {
        rules: read.into_rules(),
        comments: schema::reference()
            .into_iter()
            .map(|Reference { key, comment, .. }| (key, comment))
            .collect(),
    };
    let mut root = writer.group(&Key::default());
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Configuration of event-pusher-sns");
    root["description"] = json!(headline());
    root
}

fn defaults() -> Merged {
    layers::merge(&Inputs::default())
}

/// What the default configuration says of itself.
fn headline() -> String {
    let lines = DEFAULTS.lines().skip_while(|line| !line.starts_with("# "));
    let lines = lines.map_while(|line| line.strip_prefix("# "));
    lines.collect::<Vec<_>>().join(" ")
}

struct Writer {
    rules: BTreeMap<Key, Rule>,
    comments: BTreeMap<String, String>,
}

impl Writer {
    /// A table with the keys that are known below `parent`.
    fn group(&self, parent: &Key) -> Json {
        let depth = parent.segments().len();
        let mut properties = Map::new();
        for key in schema::defaults().keys().filter(|key| key.is_within(parent)) {
            let segments = key.segments();
            let child = parent.child(segments[depth]);
            let is_leaf = segments.len() == depth + 1;
            properties.entry(segments[depth]).or_insert_with(|| {
                if is_leaf { self.leaf(key) } else { self.named_or_group(&child) }
            });
        }
        // Tables without keys of their own: their names are users'.
        for key in self.comments.keys().map(|key| Key::from(key.as_str())) {
            let is_child = key.is_within(parent) && key.segments().len() == depth + 1;
            if is_child && !schema::defaults().contains_key(&key) {
                properties.insert(key.last().to_owned(), self.named_or_group(&key));
            }
        }
        self.table(parent, &json!({"properties": properties, "additionalProperties": false}))
    }

    /// A table below which users choose the names, or one whose keys are known.
    fn named_or_group(&self, key: &Key) -> Json {
        let each = match key.segments().as_slice() {
            ["amqp", "sources"] => self.group(&key.child(DEFAULT_SOURCE)),
            ["sns", "muc_topics"] => json!({"type": "string"}),
            ["hosts"] => self.host(),
            _ => return self.group(key),
        };
        let mut table = json!({"additionalProperties": each});
        if *key == Key::from("amqp.sources") {
            table["propertyNames"] = json!({"pattern": layer::SOURCE_NAME});
        }
        self.table(key, &table)
    }

    fn host(&self) -> Json {
        let overrides = HOST_KEYS.iter().map(|name| {
            let key = Key::from(["sns", name]);
            let schema = if schema::defaults().contains_key(&key) {
                self.leaf(&key)
            } else {
                self.named_or_group(&key)
            };
            ((*name).to_owned(), without_default(schema))
        });
        let sns = json!({
            "type": "object",
            "properties": overrides.collect::<Map<_, _>>(),
            "additionalProperties": false,
        });
        json!({"type": "object", "properties": {"sns": sns}, "additionalProperties": false})
    }

    fn table(&self, key: &Key, schema: &Json) -> Json {
        let mut table = schema.clone();
        table["type"] = json!("object");
        if let Some(comment) = self.comments.get(&key.to_string()) {
            table["description"] = json!(comment);
        }
        table
    }

    fn leaf(&self, key: &Key) -> Json {
        let default = &schema::defaults()[key];
        let mut leaf = match Kind::of(&default.kind).unwrap_or(Kind::Text) {
            Kind::Text => json!({"type": "string"}),
            Kind::Integer => json!({"type": "integer"}),
            Kind::Number => json!({"type": "number"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        };
        leaf["default"] = match &default.kind {
            ValueKind::I64(number) => json!(number),
            ValueKind::Float(number) => json!(number),
            ValueKind::Boolean(flag) => json!(flag),
            ValueKind::Array(_) => json!(texts(default)),
            _ => json!(texts(default)[0]),
        };
        if let Some(comment) = self.comments.get(&key.to_string()) {
            leaf["description"] = json!(comment);
        }
        match self.rules.get(key) {
            Some(Rule::Range(range)) => {
                leaf["minimum"] = json!(range.start());
                leaf["maximum"] = json!(range.end());
            }
            // An empty text is an unset one: the default applies.
            Some(Rule::Words(words)) => leaf["enum"] = json!(words),
            Some(Rule::Pattern(pattern)) if Kind::of(&default.kind) == Some(Kind::List) => {
                leaf["items"]["pattern"] = json!(pattern);
            }
            Some(Rule::Pattern(pattern)) => leaf["pattern"] = json!(format!("^$|{pattern}")),
            None => {}
        }
        leaf
    }
}

/// A host takes over what [sns] has, not the default.
fn without_default(mut schema: Json) -> Json {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("default");
    }
    schema
}

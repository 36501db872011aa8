//! What the schema asks of a value, besides its kind.

use ::config::{Value, ValueKind};
use serde_json::Value as Json;

use super::key::Key;
use super::schema;
use super::value::{is_unset, texts};
use crate::address;
use crate::nearest::did_you_mean;

/// What is wrong with a value, as the end of a sentence, and what to do about it.
pub(super) type Broken = (String, String);

/// Every rule that the value of a key breaks.
pub(super) fn broken(key: &Key, value: &Value) -> Vec<Broken> {
    let Some(node) = schema::node(key) else {
        return Vec::new();
    };
    let format = schema::format(key);
    // An empty text is an unset one, except for a name.
    let is_asked = !is_unset(value) || matches!(format, Some("name" | "queue"));
    let texts = if is_asked { texts(value) } else { Vec::new() };
    let by_format = format.into_iter().flat_map(|format| {
        let entries = texts.iter().enumerate();
        entries.flat_map(move |(index, text)| {
            let is_of_many = format == "amqp-uri" && matches!(value.kind, ValueKind::Array(_));
            let entry =
                if is_of_many { format!("in its entry {}, ", index + 1) } else { String::new() };
            let faults = address::faults(format, text).into_iter();
            faults.map(move |(wrong, remedy)| (format!("{entry}{wrong}"), remedy.into_owned()))
        })
    });
    range(node, value).into_iter().chain(word(node, &texts)).chain(by_format).collect()
}

fn range(node: &Json, value: &Value) -> Option<Broken> {
    let number = match value.kind {
        #[expect(clippy::cast_precision_loss, reason = "no limit is as large as that")]
        ValueKind::I64(whole) => whole as f64,
        ValueKind::Float(number) => number,
        _ => return None,
    };
    let (least, most) = (&node["minimum"], &node["maximum"]);
    let range = least.as_f64()?..=most.as_f64()?;
    let why = node["$comment"].as_str().unwrap_or_default();
    (!range.contains(&number)).then(|| {
        (format!("must be from {least} to {most}: {why}"), "give a number in that range".to_owned())
    })
}

fn word(node: &Json, texts: &[&str]) -> Option<Broken> {
    let (words, text) = (schema::words(node)?, texts.first()?);
    let wrong = format!("must be one of {}", words.join(", "));
    (!words.contains(text)).then(|| (wrong, did_you_mean(text, &words)))
}

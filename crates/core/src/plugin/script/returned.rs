//! Converts the results of a script to metadata and attributes.

use rhai::{Dynamic, Engine, Map};
use serde_json::{Number, Value as Json};

use crate::limits::{DEEPEST_METADATA, LONGEST_SHOWN_NAME};
use crate::plugin::{AttributeValue, Attributes, Metadata};

/// The map that a function gave; `()` is an empty one, as an `if` without `else` gives it.
fn entries(engine: &Engine, said: Dynamic) -> Result<Map, String> {
    if said.is_unit() {
        return Ok(Map::new());
    }
    let given = described(engine, &said);
    said.try_cast::<Map>()
        .ok_or_else(|| format!("{given}, where it is to give a map, such as #{{ kind: \"chat\" }}"))
}

/// The attributes that a function gave.
///
/// # Errors
///
/// What else it gave: the rest of a sentence.
pub(super) fn attributes(engine: &Engine, said: Dynamic) -> Result<Attributes, String> {
    let attribute = |value: Dynamic| {
        if let Ok(number) = value.as_int() {
            Ok(number.into())
        } else if let Ok(number) = value.as_float() {
            Ok(number.into())
        } else if value.is_string() {
            Ok(value.into_string().unwrap_or_default().into())
        } else {
            let given = described(engine, &value);
            value.try_cast::<rhai::Blob>().map(AttributeValue::Binary).ok_or(given)
        }
    };
    let mut attributes = Attributes::default();
    for (name, value) in entries(engine, said)? {
        let value = attribute(value).map_err(|given| {
            let name = shown(&name);
            format!("{given} as the attribute `{name}`, which is to be a text, a number or a blob")
        })?;
        attributes.set(name.as_str(), value);
    }
    Ok(attributes)
}

/// The metadata that a function gave.
///
/// # Errors
///
/// As above.
pub(super) fn metadata(engine: &Engine, said: Dynamic) -> Result<Metadata, String> {
    let mut metadata = Metadata::new();
    for (name, value) in entries(engine, said)? {
        let json = json(engine, value, 1)
            .map_err(|given| format!("{given} in the field `{}`", shown(&name)))?;
        metadata.insert(name.into(), json);
    }
    Ok(metadata)
}

/// The value as JSON.
///
/// # Errors
///
/// What JSON does not have.
fn json(engine: &Engine, value: Dynamic, depth: usize) -> Result<Json, String> {
    if depth > DEEPEST_METADATA {
        return Err(format!("maps and arrays more than {DEEPEST_METADATA} deep in each other"));
    }
    if value.is_unit() {
        return Ok(Json::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        let number = Number::from_f64(number).map(Json::Number);
        return number.ok_or_else(|| "a number that JSON does not have".to_owned());
    }
    if value.is_string() || value.is_char() {
        return Ok(value.to_string().into());
    }
    if value.is_array() {
        let items = value.into_array().unwrap_or_default();
        return items.into_iter().map(|it| json(engine, it, depth + 1)).collect();
    }
    if value.is_map() {
        let map = value.cast::<Map>();
        let entries =
            map.into_iter().map(|(name, it)| Ok((name.into(), json(engine, it, depth + 1)?)));
        return entries.collect::<Result<Metadata, String>>().map(Json::Object);
    }
    Err(format!("{}, which JSON does not have,", described(engine, &value)))
}

/// What a value is, without itself.
pub(super) fn described(engine: &Engine, value: &Dynamic) -> String {
    match engine.map_type_name(value.type_name()) {
        "()" => "nothing".to_owned(),
        "i64" | "f64" => "a number".to_owned(),
        "string" => "a text".to_owned(),
        "bool" => "true or false".to_owned(),
        name => format!("a value of type `{name}`"),
    }
}

/// As much of a name as an error may show; it may come from the event.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST_SHOWN_NAME).flat_map(char::escape_debug).collect()
}

//! Reads JSON objects, for every format.
//!
//! Its visitors accept every kind of value, which [`Object`](super::object::Object) then checks. So serde
//! makes no errors of its own, which would quote the value; `serde_json` only
//! reports errors of syntax, including depth (127 levels).

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

use super::error::{DecodeError, Problem};
use super::field::{Field, JsonType};
use super::locate;
use super::payload::Payload;
use crate::limits::MOST_JSON_VALUES;

/// Reads all of `payload`, which must be one JSON object in which no key stands twice, and may be a part of a larger
/// one.
pub(super) fn read(payload: Payload<'_>) -> Result<Members<'_>, DecodeError> {
    let text = payload.text();
    let content = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let start = text.len() - content.len();
    let seed = ValueSeed { count: &Cell::new(0) };
    if content.is_empty() {
        return Err(payload.error(Problem::Empty { expected: "JSON object" }, start));
    }
    if !content.starts_with('{') {
        let found = whole(payload, seed)?.kind();
        return Err(payload.error(Problem::NotAnObject(found), start));
    }
    let members = whole(payload, MembersSeed(seed))?;
    if seed.has_too_many() {
        return Err(payload.error(Problem::TooManyValues, start));
    }
    if let Some((index, field)) = members.twice {
        let offset = locate::members(text).nth(index).map_or(start, |member| member.value.start);
        let problem = field.map_or(Problem::UnknownTwice, Problem::KnownTwice);
        return Err(payload.error(problem, offset));
    }
    Ok(members)
}

/// Reads all of `payload` as one value.
fn whole<'a, S: DeserializeSeed<'a>>(
    payload: Payload<'a>,
    seed: S,
) -> Result<S::Value, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_str(payload.text());
    let read = seed.deserialize(&mut deserializer);
    read.and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| payload.json_error(&error))
}

/// The value of a known field, of whatever kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldValue<'a> {
    /// A string, borrowed from the payload unless it had escapes.
    Text(Cow<'a, str>),
    /// Anything else.
    Other(Value),
}

impl FieldValue<'_> {
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Other(value) => value,
        }
    }

    pub(super) const fn kind(&self) -> JsonType {
        match self {
            Self::Text(_) | Self::Other(Value::String(_)) => JsonType::String,
            Self::Other(Value::Null) => JsonType::Null,
            Self::Other(Value::Bool(_)) => JsonType::Boolean,
            Self::Other(Value::Number(_)) => JsonType::Number,
            Self::Other(Value::Array(_)) => JsonType::Array,
            Self::Other(Value::Object(_)) => JsonType::Object,
        }
    }
}

/// Reads a value of whatever kind.
///
/// Not `serde_json`'s own `Value`: where any crate asks for its feature `raw_value`, that takes an object
/// with a certain key for JSON within a string, to be read anew, and so lets a text nest without bound.
#[derive(Clone, Copy)]
struct ValueSeed<'c> {
    /// Values that were read, those within others among them.
    count: &'c Cell<usize>,
}

impl ValueSeed<'_> {
    fn has_too_many(self) -> bool {
        self.count.get() > MOST_JSON_VALUES
    }

    fn count(self) {
        self.count.set(self.count.get() + 1);
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = FieldValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.count();
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = FieldValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(FieldValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(FieldValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(FieldValue::Other(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(FieldValue::Other(Value::Null))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(FieldValue::Other(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(FieldValue::Other(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(FieldValue::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item.into_value());
            if self.has_too_many() {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(FieldValue::Other(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key()? {
            members.insert(name, map.next_value_seed(self)?.into_value());
            if self.has_too_many() {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(FieldValue::Other(members.into()))
    }
}

/// The members of the outermost object.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub known: [Option<FieldValue<'a>>; Field::ALL.len()],
    pub unknown: Map<String, Value>,
    /// The first member whose key had stood before, and the field if it is a known one.
    twice: Option<(usize, Option<Field>)>,
}

/// Reads the outermost object, with its values by this seed.
struct MembersSeed<'c>(ValueSeed<'c>);

impl<'de> DeserializeSeed<'de> for MembersSeed<'_> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersSeed<'_> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        let mut index = 0;
        while let Some(key) = map.next_key::<Key<'_>>()? {
            let (field, before) = match key {
                Key::Known(field) => {
                    let value = map.next_value_seed(self.0)?;
                    (Some(field), members.known[field as usize].replace(value).is_some())
                }
                Key::Unknown(name) => {
                    let value = map.next_value_seed(self.0)?.into_value();
                    (None, members.unknown.insert(name.into_owned(), value).is_some())
                }
            };
            if before {
                members.twice.get_or_insert((index, field));
            }
            index += 1;
            if self.0.has_too_many() {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(members)
    }
}

/// A key of the outermost object.
enum Key<'a> {
    Known(Field),
    Unknown(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Field::named(name).map_or(Key::Unknown(Cow::Borrowed(name)), Key::Known))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Field::named(name).map_or_else(|| Key::Unknown(Cow::Owned(name.to_owned())), Key::Known))
    }
}

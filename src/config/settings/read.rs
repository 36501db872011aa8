//! How serde reads what has no type of its own: durations, limits, formats.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use url::Url;

use crate::event::Format;

pub(super) fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_secs)
}

/// A limit; 0 is none.
pub(super) fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(from).map(|it| Some(it).filter(|limit| *limit > 0.0))
}

/// A priority; -1 is none.
pub(super) fn priority<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    i64::deserialize(from).map(|it| u8::try_from(it).ok())
}

/// A URL that is whole: the rules have seen to that.
pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    Url::parse(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

pub(super) fn format<'de, D: Deserializer<'de>>(from: D) -> Result<Format, D::Error> {
    Format::named(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("is no format"))
}

/// The formats by the names that they have here.
pub(super) fn formats(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Format::NAMED.map(|(name, _)| name)})
}

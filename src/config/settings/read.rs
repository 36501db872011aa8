//! How serde reads what has no type of its own: durations, endpoints, domains, sources.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use url::Url;

use super::amqp::Source;
use crate::config::{domain, endpoint};
use crate::event::Format;

fn parsed<'de, D: Deserializer<'de>, T, E: Display>(
    from: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

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

pub(super) fn endpoint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    parsed(from, endpoint::parse).map(Some)
}

pub(super) fn collector<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    parsed(from, endpoint::collector).map(Some)
}

pub(super) fn domain_pattern<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    parsed(from, domain::normalise_pattern)
}

pub(super) fn format<'de, D: Deserializer<'de>>(from: D) -> Result<Format, D::Error> {
    parsed(from, |text| {
        let named = Format::NAMED.iter().find(|(name, _)| *name == text);
        named.map(|(_, format)| *format).ok_or("is no format")
    })
}

/// The formats by the names that they have here.
pub(super) fn formats(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Format::NAMED.map(|(name, _)| name)})
}

/// A table by name as a list.
pub(super) fn sources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Source>, D::Error> {
    let sources = BTreeMap::<String, Source>::deserialize(from)?;
    Ok(sources.into_iter().map(|(name, source)| Source { name, ..source }).collect())
}

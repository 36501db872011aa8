//! `CloudEvents` 1.0 by their AMQP binding, with a native event as data.
//!
//! In structured mode the payload is the event format in JSON; in binary mode it is the data,
//! and the attributes are headers. The SDK for Rust (cloudevents-sdk 0.9.0) has no AMQP binding
//! and would bring chrono, snafu, uuid and hostname for what is little more than a table of
//! names, so the attributes are read here.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::envelope::MediaType;
use super::error::{DecodeError, Problem};
use super::field::Field;
use super::object::Object;
use super::{Decoded, Envelope, EventKind, mend};
use crate::outcome::SkipReason;

/// Each followed by the attribute's name. JMS clients can't write the colon.
const HEADER_PREFIXES: [&str; 2] = ["cloudEvents_", "cloudEvents:"];

pub(super) fn decode(envelope: &Envelope) -> Result<Decoded<'_>, DecodeError> {
    match envelope.media_type() {
        MediaType::ForeignCloudEvent => Err(DecodeError::without_position(Problem::CloudEventForm)),
        MediaType::Xml | MediaType::Other if is_in_headers(envelope) => {
            Attributes::of_headers(envelope)?.event(Object::read(&envelope.payload))
        }
        // A structured event without its content type is told by its shape.
        _ => decode_object(Object::read(&envelope.payload)?),
    }
}

/// Whether the headers speak of binary mode.
pub(super) fn is_in_headers(envelope: &Envelope) -> bool {
    header(envelope, Field::SpecVersion.name()).is_some()
}

/// Whether an object without any content type is an event in structured mode: it has all that
/// such an event must have, and nothing that makes it a native one.
pub(super) fn recognises(object: &Object<'_>) -> bool {
    let required = [Field::SpecVersion, Field::Id, Field::Source, Field::Type];
    required.into_iter().all(|field| object.has(field))
        && !object.has(Field::UserId)
        && !object.has(Field::FromUserId)
}

/// An event in structured mode.
pub(super) fn decode_object(mut object: Object<'_>) -> Result<Decoded<'_>, DecodeError> {
    let attributes = Attributes::of_object(&mut object)?;
    if let Some(encoded) = object.take_text(Field::DataBase64)? {
        let within = |error| object.error(Field::DataBase64, Problem::InBase64(Box::new(error)));
        let data = base64_simd::STANDARD
            .decode_to_vec(encoded.as_bytes())
            .map_err(|_| object.error(Field::DataBase64, Problem::NotBase64))?;
        let read =
            |data: &[u8]| attributes.clone().event(Object::read(data)).map(Decoded::into_owned);
        return read(&data)
            .or_else(|error| mend::read_again(&data, error, |data| read(&data)))
            .map_err(within);
    }
    attributes.event(object.take_object(Field::Data))
}

#[derive(Clone)]
struct Attributes<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    kind: Cow<'a, str>,
    time: Option<Timestamp>,
    /// Optional attributes and extensions.
    others: Map<String, Value>,
}

impl<'a> Attributes<'a> {
    fn of_object(object: &mut Object<'a>) -> Result<Self, DecodeError> {
        if object.require_text(Field::SpecVersion)? != "1.0" {
            return Err(object.error(Field::SpecVersion, Problem::SpecVersion));
        }
        Ok(Self {
            id: object.require_text(Field::Id)?,
            source: object.require_text(Field::Source)?,
            kind: object.require_text(Field::Type)?,
            time: object.take_time(Field::Time)?,
            others: object.take_others(),
        })
    }

    fn of_headers(envelope: &'a Envelope) -> Result<Self, DecodeError> {
        let refuse = DecodeError::without_position;
        let require = |field: Field| match header(envelope, field.name()) {
            None => Err(refuse(Problem::HeaderMissing(field))),
            Some("") => Err(refuse(Problem::HeaderEmpty(field))),
            Some(value) => Ok(Cow::Borrowed(value)),
        };
        if require(Field::SpecVersion)? != "1.0" {
            return Err(refuse(Problem::HeaderSpecVersion));
        }
        let time = header(envelope, Field::Time.name()).map(str::parse).transpose();
        let mut others = Map::new();
        for (name, value) in attributes_in_headers(envelope) {
            if others.insert(name.to_owned(), value.into()).is_some() {
                return Err(refuse(Problem::HeaderTwice));
            }
        }
        for field in [Field::SpecVersion, Field::Id, Field::Source, Field::Type, Field::Time] {
            others.remove(field.name());
        }
        Ok(Self {
            id: require(Field::Id)?,
            source: require(Field::Source)?,
            kind: require(Field::Type)?,
            time: time.map_err(|_| refuse(Problem::HeaderTime))?,
            others,
        })
    }

    /// The event that the data is. What is neither by its own type nor by the attribute one of
    /// ours may have any data.
    fn event(self, data: Result<Object<'a>, DecodeError>) -> Result<Decoded<'a>, DecodeError> {
        // `com.example.chat` is a chat: the attribute is to begin with the producer's domain.
        let told = self.kind.rsplit('.').next().and_then(EventKind::named);
        let mut data = match (data, told) {
            (Err(_), None) => return Ok(Decoded::Skip(SkipReason::UnsupportedType)),
            (data, _) => data?,
        };
        let named = data.take_text(Field::Type)?;
        let Some(kind) = named.map_or(told, |name| EventKind::named(&name)) else {
            return Ok(Decoded::Skip(SkipReason::UnsupportedType));
        };
        let time = match self.time {
            None => data.take_time(Field::Timestamp)?,
            some => some,
        };
        let mut decoded = data.into_event(kind, Some(self.id.clone()), time)?;
        if let Decoded::Event(event) = &mut decoded {
            let meta = event.meta_mut();
            let mut others = self.others;
            let traceparent = others.get("traceparent").and_then(Value::as_str);
            meta.traceparent = traceparent.map(|text| Cow::Owned(text.to_owned()));
            others.insert(Field::Type.name().to_owned(), self.kind.into());
            others.insert(Field::Source.name().to_owned(), self.source.clone().into());
            meta.metadata.insert("cloudevent".to_owned(), others.into());
            meta.source = Some(self.source);
        }
        Ok(decoded)
    }
}

fn header<'a>(envelope: &'a Envelope, attribute: &str) -> Option<&'a str> {
    attributes_in_headers(envelope).find(|(name, _)| *name == attribute).map(|(_, value)| value)
}

fn attributes_in_headers(envelope: &Envelope) -> impl Iterator<Item = (&str, &str)> {
    envelope.headers.iter().filter_map(|(name, value)| {
        let attribute = HEADER_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
        Some((attribute, value.as_str()))
    })
}

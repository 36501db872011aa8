//! A JSON object with access to known fields by name and kind.

use std::borrow::Cow;
use std::ops::Range;

use jid::Jid;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::{DecodeError, Problem};
use super::field::{Field, JsonType};
use super::json::{FieldValue, Members};
use super::payload::Payload;
use super::{
    Decoded, Event, EventKind, Message, MessageKind, Meta, Presence, address, json, locate,
};
use crate::outcome::SkipReason;

/// An object from which a format takes what it knows. What nobody takes is metadata.
pub(super) struct Object<'a> {
    payload: Payload<'a>,
    known: [Option<FieldValue<'a>>; Field::ALL.len()],
    unknown: Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Reads a payload, which must be one JSON object in UTF-8.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, DecodeError> {
        Self::of(Payload::read(payload)?)
    }

    fn of(payload: Payload<'a>) -> Result<Self, DecodeError> {
        let Members { known, unknown, .. } = json::read(payload)?;
        Ok(Self { payload, known, unknown })
    }

    /// Whether the field is there and not `null`.
    pub(super) fn has(&self, field: Field) -> bool {
        self.known[field as usize].as_ref().is_some_and(|value| value.kind() != JsonType::Null)
    }

    pub(super) fn take_text(&mut self, field: Field) -> Result<Option<Cow<'a, str>>, DecodeError> {
        match self.take(field) {
            None => Ok(None),
            Some(FieldValue::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_kind(field, JsonType::String, other.kind())),
        }
    }

    /// A text that must be there and must not be empty.
    pub(super) fn require_text(&mut self, field: Field) -> Result<Cow<'a, str>, DecodeError> {
        match self.take_text(field)? {
            None => Err(self.lacks(Problem::Missing(field))),
            Some(text) if text.is_empty() => Err(self.error(field, Problem::EmptyText(field))),
            Some(text) => Ok(text),
        }
    }

    /// An object in this one, read anew, so that its fields have their places and their texts are
    /// borrowed.
    pub(super) fn take_object(&mut self, field: Field) -> Result<Self, DecodeError> {
        match self.take(field) {
            None => Err(self.lacks(Problem::Missing(field))),
            Some(read) if read.kind() == JsonType::Object => {
                // It may be large.
                drop(read);
                let range = self.locate(field).unwrap_or_default();
                Self::of(self.payload.part(range))
            }
            Some(other) => Err(self.wrong_kind(field, JsonType::Object, other.kind())),
        }
    }

    /// What nobody has taken yet, but for a `CloudEvent`'s data.
    pub(super) fn take_others(&mut self) -> Map<String, Value> {
        let mut others = std::mem::take(&mut self.unknown);
        let known = Field::ALL.into_iter().zip(&mut self.known);
        for (field, value) in known {
            if !matches!(field, Field::Data | Field::DataBase64) {
                insert(&mut others, field, value.take());
            }
        }
        others
    }

    pub(super) fn take_time(&mut self, field: Field) -> Result<Option<Timestamp>, DecodeError> {
        let Some(text) = self.take_text(field)? else { return Ok(None) };
        // jiff's own error quotes the value.
        let time = text.parse().map_err(|_| self.error(field, Problem::Time(field)))?;
        Ok(Some(time))
    }

    /// The event of this kind. Its fields are validated even if there is no text to publish:
    /// what is malformed goes where an operator sees it.
    pub(super) fn into_event(
        mut self,
        kind: EventKind,
        id: Option<Cow<'a, str>>,
        timestamp: Option<Timestamp>,
    ) -> Result<Decoded<'a>, DecodeError> {
        let kind = match kind {
            EventKind::Presence => {
                let user = self.take_jid(Field::UserId)?;
                let present = self.take_bool(Field::Present)?;
                let meta = self.into_meta(id, timestamp);
                return Ok(Decoded::Event(Event::Presence(Presence { user, present, meta })));
            }
            EventKind::Chat => MessageKind::Chat,
            EventKind::Groupchat => MessageKind::Groupchat,
        };
        let from = self.take_jid(Field::FromUserId)?;
        let to = self.take_jid(Field::ToUserId)?;
        let Some(body) = self.take_text(Field::Message)? else {
            return Ok(Decoded::Skip(SkipReason::NoText));
        };
        let meta = self.into_meta(id, timestamp);
        Ok(Decoded::Event(Event::Message(Message { kind, from, to, body, meta })))
    }

    /// An error about what the object lacks, which is known at its closing brace.
    pub(super) fn lacks(&self, problem: Problem) -> DecodeError {
        let brace = self.payload.text().trim_end().len() - 1;
        self.payload.error(problem, brace)
    }

    fn take(&mut self, field: Field) -> Option<FieldValue<'a>> {
        self.known[field as usize].take().filter(|value| value.kind() != JsonType::Null)
    }

    fn take_bool(&mut self, field: Field) -> Result<bool, DecodeError> {
        match self.take(field) {
            None => Err(self.lacks(Problem::Missing(field))),
            Some(FieldValue::Other(Value::Bool(value))) => Ok(value),
            Some(other) => Err(self.wrong_kind(field, JsonType::Boolean, other.kind())),
        }
    }

    fn take_jid(&mut self, field: Field) -> Result<Jid, DecodeError> {
        let Some(text) = self.take_text(field)? else {
            return Err(self.lacks(Problem::Missing(field)));
        };
        address::parse(&text)
            .map_err(|error| self.error(field, Problem::Jid { field, why: error.to_string() }))
    }

    fn into_meta(self, id: Option<Cow<'a, str>>, timestamp: Option<Timestamp>) -> Meta<'a> {
        let mut metadata = self.unknown;
        for (field, value) in Field::ALL.into_iter().zip(self.known) {
            insert(&mut metadata, field, value);
        }
        Meta { id, timestamp, metadata, ..Meta::default() }
    }

    fn wrong_kind(&self, field: Field, expected: JsonType, found: JsonType) -> DecodeError {
        self.error(field, Problem::WrongKind { field, expected, found })
    }

    pub(super) fn error(&self, field: Field, problem: Problem) -> DecodeError {
        self.payload.error(problem, self.locate(field).map_or(0, |value| value.start))
    }

    /// Where the field's value stands.
    fn locate(&self, field: Field) -> Option<Range<usize>> {
        locate::members(self.payload.text())
            .find(|member| member.is(field.name()))
            .map(|member| member.value)
    }
}

/// Makes a field metadata, if it is there and not `null`.
fn insert(metadata: &mut Map<String, Value>, field: Field, value: Option<FieldValue<'_>>) {
    if let Some(value) = value.filter(|it| it.kind() != JsonType::Null) {
        metadata.insert(field.name().to_owned(), value.into_value());
    }
}

//! A JSON object whose known fields are asked for by name and kind.

use std::borrow::Cow;
use std::fmt;

use jid::Jid;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::{DecodeError, Position, Problem};
use super::json::FieldValue;
use super::{Decoded, Event, EventKind, Message, MessageKind, Meta, Presence, address, locate};
use crate::outcome::SkipReason;

/// The fields that some format knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    UserId,
    Present,
    FromUserId,
    ToUserId,
    Message,
    Id,
    Timestamp,
}

impl Field {
    pub(super) const ALL: [Self; 8] = [
        Self::Type,
        Self::UserId,
        Self::Present,
        Self::FromUserId,
        Self::ToUserId,
        Self::Message,
        Self::Id,
        Self::Timestamp,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::UserId => "user_id",
            Self::Present => "present",
            Self::FromUserId => "from_user_id",
            Self::ToUserId => "to_user_id",
            Self::Message => "message",
            Self::Id => "id",
            Self::Timestamp => "timestamp",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kinds of JSON value: all that an error may say about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// An object from which a format takes what it knows. What nobody takes is metadata.
pub(super) struct Object<'a> {
    text: &'a str,
    known: [Option<FieldValue<'a>>; Field::ALL.len()],
    unknown: Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) const fn new(
        text: &'a str,
        known: [Option<FieldValue<'a>>; Field::ALL.len()],
        unknown: Map<String, Value>,
    ) -> Self {
        Self { text, known, unknown }
    }

    /// Whether the field is there and not `null`.
    pub(super) fn has(&self, field: Field) -> bool {
        self.known[field as usize].as_ref().is_some_and(|value| value.kind() != Kind::Null)
    }

    pub(super) fn take_text(&mut self, field: Field) -> Result<Option<Cow<'a, str>>, DecodeError> {
        match self.take(field) {
            None => Ok(None),
            Some(FieldValue::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_kind(field, Kind::String, other.kind())),
        }
    }

    pub(super) fn take_timestamp(&mut self) -> Result<Option<Timestamp>, DecodeError> {
        let Some(text) = self.take_text(Field::Timestamp)? else { return Ok(None) };
        // jiff's own error quotes the value.
        let timestamp =
            text.parse().map_err(|_| self.error(Field::Timestamp, Problem::Timestamp))?;
        Ok(Some(timestamp))
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
        let brace = self.text.trim_end().len() - 1;
        DecodeError::new(problem, Position::of(self.text.as_bytes(), brace))
    }

    fn take(&mut self, field: Field) -> Option<FieldValue<'a>> {
        self.known[field as usize].take().filter(|value| value.kind() != Kind::Null)
    }

    fn take_bool(&mut self, field: Field) -> Result<bool, DecodeError> {
        match self.take(field) {
            None => Err(self.lacks(Problem::Missing(field))),
            Some(FieldValue::Other(Value::Bool(value))) => Ok(value),
            Some(other) => Err(self.wrong_kind(field, Kind::Boolean, other.kind())),
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
            let value = match value {
                None | Some(FieldValue::Other(Value::Null)) => continue,
                Some(FieldValue::Text(text)) => Value::String(text.into_owned()),
                Some(FieldValue::Other(value)) => value,
            };
            metadata.insert(field.name().to_owned(), value);
        }
        Meta { id, timestamp, metadata }
    }

    fn wrong_kind(&self, field: Field, expected: Kind, found: Kind) -> DecodeError {
        self.error(field, Problem::WrongKind { field, expected, found })
    }

    fn error(&self, field: Field, problem: Problem) -> DecodeError {
        let offset = locate::members(self.text)
            .find(|member| member.is(field.name()))
            .map_or(0, |member| member.value_offset);
        DecodeError::new(problem, Position::of(self.text.as_bytes(), offset))
    }
}

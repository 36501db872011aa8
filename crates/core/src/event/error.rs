//! Errors of decoding. Their texts never contain a value or an unknown key, which users
//! wrote: errors appear in logs and headers.

use std::fmt;

use thiserror::Error;

use super::field::{Field, JsonType};
use super::xml_fault::Fault;
use crate::limits::{LONGEST_PAYLOAD, MOST_JSON_VALUES};
use crate::outcome::{DeadLetter, Reason};

/// Why a payload is not an event: one line with the position, the error and, if useful, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    problem: Problem,
    position: Option<Position>,
}

impl DecodeError {
    pub(super) const fn new(problem: Problem, position: Position) -> Self {
        Self { problem, position: Some(position) }
    }

    /// For what the payload has no part in.
    pub(super) const fn without_position(problem: Problem) -> Self {
        Self { problem, position: None }
    }

    /// Where in the payload it was found, if it was found in the payload.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether it is about the JSON text itself.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.problem, Problem::Json(_))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for DeadLetter {
    fn from(error: DecodeError) -> Self {
        Self { reason: Reason::Undecodable, error: error.to_string(), attempts: 0, topic: None }
    }
}

/// A place in a payload, as editors count: from one, and columns in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From one.
    pub line: usize,
    /// Bytes from the beginning of the line, from one.
    pub column: usize,
}

impl Position {
    /// Of the byte at `offset`.
    pub(super) fn of(payload: &[u8], offset: usize) -> Self {
        let newline = |byte: &u8| *byte == b'\n';
        let lines = payload[..offset].split(newline);
        let begun = payload[..offset].rsplit(newline).next().unwrap_or_default();
        Self { line: lines.count(), column: begun.len() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What can be wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Unreadable(Box<str>),
    #[error("the payload is empty; an event is one {expected}")]
    Empty { expected: &'static str },
    #[error("it has {bytes} bytes, and more than {} are not read", LONGEST_PAYLOAD)]
    TooLong { bytes: usize },
    #[error("it has more than {} values, and no more are read", MOST_JSON_VALUES)]
    TooManyValues,
    #[error("the payload is UTF-16; send UTF-8")]
    Utf16,
    #[error("the payload is compressed with gzip; send it as it is")]
    Gzip,
    #[error("the payload is not UTF-8; the first bad byte is at offset {offset}")]
    NotUtf8 { offset: usize },
    #[error("the payload is not JSON: {0}")]
    Json(String),
    #[error("the payload must be a JSON object, found {0}")]
    NotAnObject(JsonType),
    #[error("`{0}` stands twice; remove one")]
    KnownTwice(Field),
    #[error("a key stands twice; remove one")]
    UnknownTwice,
    #[error("`{field}` must be {expected}, found {found}")]
    WrongKind { field: Field, expected: JsonType, found: JsonType },
    #[error("`{0}` is missing")]
    Missing(Field),
    #[error(
        "`type` is missing; a native event is of type \"presence\", \"chat\" or \"groupchat\", \
         and MongooseIM's are told by exchange and routing key"
    )]
    TypeMissing,
    #[error("`{field}` is no JID: {why}")]
    Jid { field: Field, why: String },
    #[error(
        "`{0}` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine digits of a second at \
         most"
    )]
    Time(Field),
    #[error(
        "nothing tells the kind of this event: the routing key{} is none of `chat_msg_sent`, \
         `groupchat_msg_sent`, `chat_msg_recv` and `groupchat_msg_recv`, the exchange is not \
         `presence`, and the object lacks `user_id` or `present`; keep MongooseIM's default \
         names, or give the source the format mongooseim-chat or mongooseim-groupchat",
        suffix.as_ref().map(|suffix| format!("'s end `{suffix}`")).unwrap_or_default()
    )]
    KindUnknown { suffix: Option<String> },
    #[error("the payload is not one XML stanza: {0}")]
    Xml(#[from] Fault),
    #[error("the stanza has no `{0}`")]
    NoAttribute(&'static str),
    #[error("the stanza's `{attribute}` is no JID: {why}")]
    AttributeNoJid { attribute: &'static str, why: String },
    #[error(
        "a CloudEvent of this content type is not read; send application/cloudevents+json, one \
         event a message, or the attributes as headers"
    )]
    CloudEventForm,
    #[error("`specversion` must be \"1.0\"")]
    SpecVersion,
    #[error("`{0}` must not be empty")]
    EmptyText(Field),
    #[error("the header `cloudEvents_{0}` is missing")]
    HeaderMissing(Field),
    #[error("the header `cloudEvents_{0}` must not be empty")]
    HeaderEmpty(Field),
    #[error("the header `cloudEvents_specversion` must be 1.0")]
    HeaderSpecVersion,
    #[error(
        "the header `cloudEvents_time` must be an RFC 3339 time such as 2026-01-31T09:30:00Z, with nine \
         digits of a second at most"
    )]
    HeaderTime,
    #[error("a CloudEvents attribute stands twice among the headers; remove one")]
    HeaderTwice,
    #[error("`data_base64` is not base64")]
    NotBase64,
    #[error("in what `data_base64` encodes: {0}")]
    InBase64(Box<DecodeError>),
}

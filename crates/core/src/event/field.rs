//! The JSON fields that the formats use, and the kinds of JSON values.

use std::fmt;

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
    SpecVersion,
    Source,
    Time,
    Data,
    DataBase64,
}

impl Field {
    pub(super) const ALL: [Self; 13] = [
        Self::Type,
        Self::UserId,
        Self::Present,
        Self::FromUserId,
        Self::ToUserId,
        Self::Message,
        Self::Id,
        Self::Timestamp,
        Self::SpecVersion,
        Self::Source,
        Self::Time,
        Self::Data,
        Self::DataBase64,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::UserId => "user_id",
            Self::Present => "present",
            Self::FromUserId => "from_user_id",
            Self::ToUserId => "to_user_id",
            Self::Message => "message",
            Self::Id => "id",
            Self::Timestamp => "timestamp",
            Self::SpecVersion => "specversion",
            Self::Source => "source",
            Self::Time => "time",
            Self::Data => "data",
            Self::DataBase64 => "data_base64",
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
pub(super) enum JsonType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for JsonType {
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

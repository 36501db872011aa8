//! A message of the broker, and its lossless form as a line of JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::headers::{ACQUIRED_COUNT, DELIVERY_COUNT, EXPIRATION, SIGNATURE, USER_ID};
use crate::signature::SigningKey;
use crate::text::{base64_text, exact};

/// The headers of a message, or a table within them.
pub type Headers = BTreeMap<String, Value>;

/// A message: everything but its position in the queue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// The exchange that it was last published to.
    pub exchange: String,
    /// The routing key that it was last published with.
    pub routing_key: String,
    /// The AMQP properties, headers among them.
    pub properties: Properties,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// Why its properties were not read, so that there are none but what they were as bytes. An archive does not have this.
    pub unread: Option<String>,
}

/// The properties of AMQP 0-9-1. `None` means absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are AMQP's own, and so are their meanings")]
pub struct Properties {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_mode: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
}

/// A header's value, in one of the types that AMQP has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Value {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(#[serde(with = "exact")] f32),
    F64(#[serde(with = "exact")] f64),
    Decimal {
        scale: u8,
        value: u32,
    },
    /// Seconds since 1970.
    Timestamp(u64),
    ShortText(String),
    /// A long string that is UTF-8.
    Text(String),
    /// A long string that is not.
    Binary(#[serde(with = "base64_text")] Vec<u8>),
    /// RabbitMQ's own type for bytes.
    Bytes(#[serde(with = "base64_text")] Vec<u8>),
    Array(Vec<Self>),
    Table(Headers),
    Void,
}

impl Value {
    /// A text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::ShortText(text) => Some(text),
            _ => None,
        }
    }

    /// As it is signed: integers as text, whatever their types, since brokers change these.
    pub(crate) fn signed(&self) -> Vec<u8> {
        match self {
            Self::Text(text) | Self::ShortText(text) => text.clone().into_bytes(),
            Self::Binary(bytes) | Self::Bytes(bytes) => bytes.clone(),
            other => match other.as_integer() {
                Some(number) => number.to_string().into_bytes(),
                None => serde_json::to_vec(other).unwrap_or_default(),
            },
        }
    }

    /// A number, where it is an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        Some(match *self {
            Self::I8(it) => it.into(),
            Self::U8(it) => it.into(),
            Self::I16(it) => it.into(),
            Self::U16(it) => it.into(),
            Self::I32(it) => it.into(),
            Self::U32(it) => it.into(),
            Self::I64(it) => it,
            _ => return None,
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Message {
    /// A header, where it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.properties.headers.as_ref()?.get(name)
    }

    /// The headers, to be changed.
    pub(crate) fn headers_mut(&mut self) -> &mut Headers {
        self.properties.headers.get_or_insert_default()
    }

    /// Takes away what a queue writes into what it delivers: it is not the message's own, and
    /// differs with every look. Returns how often the message was delivered before.
    pub(crate) fn take_counts(&mut self) -> Option<u64> {
        let headers = self.properties.headers.as_mut()?;
        // RabbitMQ 4 has both: attempts that failed, and all.
        let failed = headers.remove(DELIVERY_COUNT);
        let acquired = headers.remove(ACQUIRED_COUNT);
        if headers.is_empty() {
            self.properties.headers = None;
        }
        u64::try_from(failed.or(acquired)?.as_integer()?).ok()
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        // Headers of a dead letter take about as much as this, in many small pieces.
        const HEADERS: usize = 2048;
        self.body.len() + HEADERS
    }

    /// Whether what is ours of its headers is signed by this key.
    pub(crate) fn is_signed(&self, key: &SigningKey) -> bool {
        let signature = self.header(SIGNATURE).and_then(Value::as_text);
        let header = |name: &str| self.header(name).map(Value::signed);
        let id = self.properties.message_id.as_deref();
        signature.is_some_and(|it| key.verifies(it.as_bytes(), header, id))
    }

    /// Signs what is ours of its headers; takes a signature off that no longer is one.
    pub(crate) fn sign(&mut self, key: Option<&SigningKey>) {
        self.headers_mut().remove(SIGNATURE);
        if let Some(key) = key {
            let header = |name: &str| self.header(name).map(Value::signed);
            let signature = key.sign(header, self.properties.message_id.as_deref());
            self.headers_mut().insert(SIGNATURE.to_owned(), Value::Text(signature));
        }
    }

    /// Moves what would hurt a copy that this program publishes into headers: a user id other than the
    /// connection's is refused, and what expires would vanish from among the dead letters.
    pub(crate) fn move_harmful_properties(&mut self) {
        let properties = &mut self.properties;
        let hurting =
            [(EXPIRATION, properties.expiration.take()), (USER_ID, properties.user_id.take())];
        for (name, value) in hurting {
            if let Some(value) = value {
                self.headers_mut().insert(name.to_owned(), Value::Text(value));
            }
        }
    }
}

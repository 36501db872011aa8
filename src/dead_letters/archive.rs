//! The file format of exports: a header line, one line of JSON for each letter, and a
//! last line with their number and a checksum, so that a file that was cut or edited is detected.

mod read;
mod write;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use read::{ArchiveError, ArchiveReader};
pub use write::Writer;

use crate::rabbitmq::message::{Message, Properties};
use crate::text::base64_text;

/// What the first line says.
const FORMAT: &str = "event-pusher-sns dead letters";
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    version: u32,
    queue: String,
}

/// One dead letter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArchiveLine {
    /// The id in full: all the rest but the exchange goes into it.
    sha256: String,
    exchange: String,
    routing_key: String,
    properties: Properties,
    body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Text(String),
    Base64(#[serde(with = "base64_text")] Vec<u8>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    letters: u64,
    /// Of all lines before.
    sha256: String,
}

impl From<Vec<u8>> for Body {
    fn from(body: Vec<u8>) -> Self {
        String::from_utf8(body).map_or_else(|error| Self::Base64(error.into_bytes()), Self::Text)
    }
}

impl From<ArchiveLine> for Message {
    fn from(line: ArchiveLine) -> Self {
        let ArchiveLine { exchange, routing_key, properties, body, .. } = line;
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Base64(bytes) => bytes,
        };
        Self { exchange, routing_key, properties, body, unread: None }
    }
}

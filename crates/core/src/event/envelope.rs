//! A delivery before decoding.

/// A delivery as it came from the broker, without what is needed to settle it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The exchange to which the producer published.
    pub exchange: String,
    /// The routing key with which it was published.
    pub routing_key: String,
    /// The AMQP property `content_type`.
    pub content_type: Option<String>,
    /// The AMQP property `message_id`.
    pub message_id: Option<String>,
    /// The AMQP headers that are a text, a number, a flag or a time, by name. Values are in the
    /// form that `CloudEvents` calls canonical: decimal, `true` or `false`, RFC 3339.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub payload: Vec<u8>,
    /// Why this is no event, whatever the body: something by which events are read was not UTF-8, and
    /// has been replaced.
    pub unreadable: Option<Box<str>>,
}

/// What tells structured mode, as a prefix: `CloudEvents`' AMQP binding, section 3.
const CLOUD_EVENT: &str = "application/cloudevents";

/// What a content type says about how to read a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    Xml,
    CloudEvent,
    /// Of `CloudEvents`, but not in JSON or not a single one.
    ForeignCloudEvent,
    /// Nothing that a decoder must know.
    Other,
}

impl Envelope {
    /// The header of this name, which is as the producer spelt it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// By the content type; its parameters, such as `charset`, make no difference.
    pub(super) fn media_type(&self) -> MediaType {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &&str| media_type.eq_ignore_ascii_case(known);
        let begin = media_type.get(..CLOUD_EVENT.len()).unwrap_or_default();
        if ["application/xml", "text/xml", "application/xmpp+xml"].iter().any(is) {
            MediaType::Xml
        } else if [CLOUD_EVENT, "application/cloudevents+json"].iter().any(is) {
            MediaType::CloudEvent
        } else if begin.eq_ignore_ascii_case(CLOUD_EVENT) {
            MediaType::ForeignCloudEvent
        } else {
            MediaType::Other
        }
    }
}

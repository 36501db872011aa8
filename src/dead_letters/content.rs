//! Decodes the event in a dead letter with its source's current format.

use std::panic::AssertUnwindSafe;

use serde::Serialize;

use super::provenance::Origin;
use crate::config::{Amqp, Source};
use crate::event::{self, Decoded, Envelope, Event, Format, bare};
use crate::headers::PREFIX;
use crate::rabbitmq::headers::amqp_message::header_texts;
use crate::rabbitmq::message::Message;
use crate::signature::SigningKey;

/// Kind and JIDs of an event; all `None` if the body is not an event that is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Content {
    /// `presence`, `chat` or `groupchat`.
    pub kind: Option<&'static str>,
    /// The bare JID of the user who came, went or wrote.
    pub from: Option<String>,
    /// The bare JID of the user, or the room, that it is for.
    pub to: Option<String>,
}

/// The configured sources, by their queues, and the key by which their workers sign.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    all: Vec<Source>,
    key: Option<SigningKey>,
}

impl Sources {
    /// All that the configuration names.
    #[must_use]
    pub fn new(amqp: &Amqp) -> Self {
        Self { all: amqp.sources.clone(), key: amqp.signing_key.clone() }
    }

    /// What signs letters and replays, if anything does.
    pub(crate) const fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// Whether this is a source's exchange.
    pub(crate) fn has_exchange(&self, exchange: &str) -> bool {
        self.all.iter().any(|source| source.exchange == exchange)
    }

    fn of(&self, queue: Option<&str>) -> Option<&Source> {
        self.all.iter().find(|source| queue.is_some_and(|it| source.owns(it)))
    }

    /// The queue by which a source takes what is replayed; that of its partitions is the source's own.
    pub(crate) fn queue(&self, queue: &str) -> Option<&str> {
        self.of(Some(queue)).map(|source| source.queue.as_str())
    }

    pub(crate) fn name(&self, queue: Option<&str>) -> Option<&str> {
        self.of(queue).map(|source| source.name.as_str())
    }

    /// `auto` for what comes from nowhere that is configured.
    pub(crate) fn format(&self, queue: Option<&str>) -> Format {
        self.of(queue).map(|source| source.format).unwrap_or_default()
    }
}

impl Content {
    pub(crate) fn of(message: &mut Message, origin: &Origin, sources: &Sources) -> Self {
        let format = sources.format(origin.queue.as_deref());
        with_envelope(message, origin, None, |envelope| {
            // What panicked once may do so again, and one letter must not hide the others.
            let decode = AssertUnwindSafe(|| match event::decode(envelope, format) {
                Ok(Decoded::Event(event)) => Self::of_event(&event),
                _ => Self::default(),
            });
            std::panic::catch_unwind(decode).unwrap_or_else(|_| {
                crate::panics::caught();
                Self::default()
            })
        })
    }

    fn of_event(event: &Event<'_>) -> Self {
        Self {
            kind: Some(event.kind_label()),
            from: Some(bare(event.sender()).to_owned()),
            to: match event {
                Event::Message(message) => Some(bare(&message.to).to_owned()),
                Event::Presence(_) => None,
            },
        }
    }
}

/// The message as a worker would take it, were it replayed; `unreadable` says why it would be no event, if so. The body
/// is lent, not copied.
pub(crate) fn with_envelope<T>(
    message: &mut Message,
    origin: &Origin,
    unreadable: Option<Box<str>>,
    read: impl FnOnce(&Envelope) -> T,
) -> T {
    let chosen =
        |told: &Option<String>, delivered: &String| told.as_ref().unwrap_or(delivered).clone();
    let envelope = Envelope {
        exchange: chosen(&origin.exchange, &message.exchange),
        routing_key: chosen(&origin.routing_key, &message.routing_key),
        content_type: message.properties.content_type.clone(),
        message_id: message.properties.message_id.clone(),
        // Ours are no event's, and are most of what a dead letter has.
        headers: header_texts(
            message
                .properties
                .headers
                .iter()
                .flatten()
                .filter(|(name, _)| !name.starts_with(PREFIX)),
        ),
        payload: std::mem::take(&mut message.body),
        // What is replayed is as it was mended, and so need not be mended again.
        unreadable,
    };
    let read = read(&envelope);
    message.body = envelope.payload;
    read
}

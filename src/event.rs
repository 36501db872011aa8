//! From an [`Envelope`] to an [`Event`]: one file for each input format.

mod address;
mod error;
mod json;
mod locate;
mod mongooseim;
mod native;
mod object;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use jid::Jid;
use jiff::Timestamp;

pub(crate) use self::address::bare;
use self::error::Problem;
pub use self::error::{DecodeError, Position};
use self::object::Field;
use crate::outcome::SkipReason;

/// Reads a delivery as an event. Texts are borrowed from it where they need no unescaping.
///
/// # Errors
///
/// If the payload is no event of this format. The error is one line that shows nothing of the
/// payload but where in it the trouble is.
pub fn decode(envelope: &Envelope, format: Format) -> Result<Decoded<'_>, DecodeError> {
    match format {
        Format::Native => native::decode(json::read(&envelope.payload)?),
        Format::Mongooseim => mongooseim::decode(envelope),
        Format::Auto => decode_auto(envelope),
    }
}

/// A `type` makes an event native whatever its routing key, since a producer may choose any;
/// so here, unlike in `mongooseim`, even what may be a received message is read first.
fn decode_auto(envelope: &Envelope) -> Result<Decoded<'_>, DecodeError> {
    if envelope.is_xml() {
        return Err(DecodeError::without_position(Problem::Xml));
    }
    let object = json::read(&envelope.payload)?;
    if !object.has(Field::Type) && mongooseim::recognises(envelope, &object) {
        mongooseim::decode_object(envelope, object)
    } else {
        native::decode(object)
    }
}

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
    /// The body, byte for byte.
    pub payload: Vec<u8>,
}

impl Envelope {
    /// By its content type; parameters such as `charset` make no difference.
    fn is_xml(&self) -> bool {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        ["application/xml", "text/xml", "application/xmpp+xml"]
            .iter()
            .any(|xml| media_type.eq_ignore_ascii_case(xml))
    }
}

/// How a source's payloads are to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Decided for every delivery: by content type, then by shape.
    #[default]
    Auto,
    /// A JSON object with a `type`.
    Native,
    /// What MongooseIM's RabbitMQ backend sends: no type, the routing key tells the kind.
    Mongooseim,
}

/// What a decoder makes of an envelope that it understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Something that may be published.
    Event(Event<'a>),
    /// Something that is never published.
    Skip(SkipReason),
}

/// A chat event. Texts borrow from the payload where they need no unescaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A user came or went.
    Presence(Presence<'a>),
    /// A user sent a message.
    Message(Message<'a>),
}

impl Event<'_> {
    /// Which kind of notification it asks for.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Presence(_) => EventKind::Presence,
            Self::Message(message) => match message.kind {
                MessageKind::Chat => EventKind::Chat,
                MessageKind::Groupchat => EventKind::Groupchat,
            },
        }
    }

    /// The label of its kind, under which metrics count it.
    #[must_use]
    pub const fn kind_label(&self) -> &'static str {
        self.kind().label()
    }

    /// The user who came, went or wrote.
    #[must_use]
    pub const fn sender(&self) -> &Jid {
        match self {
            Self::Presence(presence) => &presence.user,
            Self::Message(message) => &message.from,
        }
    }

    /// The sender's domain, normalised: the XMPP host by which routing is chosen.
    #[must_use]
    pub fn host(&self) -> &str {
        self.sender().domain().as_str()
    }

    /// The producer's id of the event.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.meta().id.as_deref()
    }

    /// What else the producer said.
    #[must_use]
    pub const fn meta(&self) -> &Meta<'_> {
        match self {
            Self::Presence(presence) => &presence.meta,
            Self::Message(message) => &message.meta,
        }
    }
}

/// The kinds of event that are published: a closed set, so that metrics stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A user came or went.
    Presence,
    /// A message to one user.
    Chat,
    /// A message to a room.
    Groupchat,
}

impl EventKind {
    /// All of the set.
    pub const ALL: [Self; 3] = [Self::Presence, Self::Chat, Self::Groupchat];

    /// The name under which users meet it: the native format's `type` and the metrics' `kind`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Chat => "chat",
            Self::Groupchat => "groupchat",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A user's availability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence<'a> {
    /// Whose, as a full or bare JID.
    pub user: Jid,
    /// `true`: available.
    pub present: bool,
    /// What else the producer said.
    pub meta: Meta<'a>,
}

/// A message that a user sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// To one user or to a room.
    pub kind: MessageKind,
    /// The sender.
    pub from: Jid,
    /// The recipient: a user, or a room of a MUC host.
    pub to: Jid,
    /// The text, which may be empty.
    pub body: Cow<'a, str>,
    /// What else the producer said.
    pub meta: Meta<'a>,
}

/// The XMPP message types that are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// `chat`: from one user to another.
    Chat,
    /// `groupchat`: to a room (MUC).
    Groupchat,
}

impl MessageKind {
    /// Its name in XMPP.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Groupchat => "groupchat",
        }
    }
}

/// Optional parts that any event may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The producer's id of the event.
    pub id: Option<Cow<'a, str>>,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// All keys of the object that the format gives no meaning, for plugins.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

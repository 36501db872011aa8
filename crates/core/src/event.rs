//! Decodes an [`Envelope`] into an [`Event`]: one file for each input format.

mod address;
mod auto;
mod cloudevents;
mod envelope;
mod error;
mod field;
mod json;
mod kinds;
mod locate;
mod mend;
mod mongooseim;
mod native;
mod object;
mod owned;
mod payload;
#[cfg(test)]
mod tests;
mod xml;
mod xml_fault;
mod xmpp;

use std::borrow::Cow;
use std::fmt;

use jid::Jid;
use jiff::Timestamp;

pub use self::address::bare;
pub use self::envelope::Envelope;
pub use self::error::{DecodeError, Position};
use crate::outcome::SkipReason;

/// Reads a delivery as an event. Texts are borrowed from it where they need no unescaping.
///
/// # Errors
///
/// If the payload is no event of this format. The error is one line that shows nothing of the
/// payload but where in it the trouble is.
pub fn decode(envelope: &Envelope, format: Format) -> Result<Decoded<'_>, DecodeError> {
    if let Some(why) = &envelope.unreadable {
        return Err(DecodeError::without_position(error::Problem::Unreadable(why.clone())));
    }
    read(envelope, format).or_else(|error| {
        mend::read_again(&envelope.payload, error, |payload| {
            read(&Envelope { payload, ..envelope.clone() }, format).map(Decoded::into_owned)
        })
    })
}

fn read(envelope: &Envelope, format: Format) -> Result<Decoded<'_>, DecodeError> {
    match format {
        Format::Native => native::decode(object::Object::read(&envelope.payload)?),
        Format::Mongooseim => mongooseim::decode(envelope),
        Format::MongooseimChat => mongooseim::decode_sent(envelope, EventKind::Chat),
        Format::MongooseimGroupchat => mongooseim::decode_sent(envelope, EventKind::Groupchat),
        Format::Xmpp => xmpp::decode(&envelope.payload),
        Format::CloudEvents => cloudevents::decode(envelope),
        Format::Auto => auto::decode(envelope),
    }
}

/// The input format of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Decided for every delivery: by content type and headers, then by shape.
    #[default]
    Auto,
    /// A JSON object with a `type`.
    Native,
    /// What MongooseIM's RabbitMQ backend sends: no type, the routing key tells the kind.
    Mongooseim,
    /// The same from its exchange for messages between users, where that has topics of other
    /// names: only what users sent must be bound.
    MongooseimChat,
    /// The same from its exchange for messages to rooms.
    MongooseimGroupchat,
    /// One raw XMPP stanza.
    Xmpp,
    /// `CloudEvents` 1.0, in structured or binary mode, with a native event as data.
    CloudEvents,
}

impl Format {
    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(it, _)| *it == name).map(|(_, format)| format)
    }

    /// Whether it gives no event an id. Source: MongooseIM's `mod_event_pusher_rabbit`.
    #[must_use]
    pub const fn is_without_ids(self) -> bool {
        matches!(self, Self::Mongooseim | Self::MongooseimChat | Self::MongooseimGroupchat)
    }

    /// All of them, by the names that the configuration gives them.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("auto", Self::Auto),
        ("native", Self::Native),
        ("mongooseim", Self::Mongooseim),
        ("mongooseim-chat", Self::MongooseimChat),
        ("mongooseim-groupchat", Self::MongooseimGroupchat),
        ("xmpp", Self::Xmpp),
        ("cloudevents", Self::CloudEvents),
    ];
}

/// The result of a decoder: an event, or the reason to skip it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is returned")]
pub enum Decoded<'a> {
    /// Something that may be published.
    Event(Event<'a>),
    /// Something that is never published.
    Skip(SkipReason),
}

impl<'a> Decoded<'a> {
    /// The event, if it is one.
    #[must_use]
    pub const fn event(&self) -> Option<&Event<'a>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Skip(_) => None,
        }
    }
}

/// A chat event. Texts borrow from the payload where they need no unescaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A user came or went.
    Presence(Presence<'a>),
    /// A user sent a message.
    Message(Message<'a>),
}

impl<'a> Event<'a> {
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

    pub(crate) const fn meta_mut(&mut self) -> &mut Meta<'a> {
        match self {
            Self::Presence(presence) => &mut presence.meta,
            Self::Message(message) => &mut message.meta,
        }
    }

    /// What else the producer said.
    #[must_use]
    pub const fn meta(&self) -> &Meta<'a> {
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

    fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

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

/// The presence of a user.
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
    /// Within what `id` is the only one of its kind, where the format says so: a `CloudEvent`'s
    /// `source`.
    pub source: Option<Cow<'a, str>>,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// The W3C `traceparent` that came within the event, as it came. One that came as an AMQP
    /// header is in the [`Envelope`].
    pub traceparent: Option<Cow<'a, str>>,
    /// All that the format gives no meaning, for plugins.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Taken as it passed a server, which may have been on its way from a room to an occupant
    /// and not from a user.
    pub in_transit: bool,
    /// Parts of the payload were replaced to read it: lone surrogates by U+FFFD, or numbers beyond a double by `null`.
    pub is_mended: bool,
}

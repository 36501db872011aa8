//! Decodes the events of MongooseIM's RabbitMQ backend.
//!
//! Its objects have no type. Messages go out under `user@host.` and one of four topics, which
//! tell kind and direction; presences under the bare JID, to an exchange of their own. Further
//! keys may be added by the server's own modules, `timestamp` as a number among them, so
//! `type`, `id` and `timestamp` have no meaning here: they are metadata like any other.

use super::error::{DecodeError, Problem};
use super::field::Field;
use super::object::Object;
use super::{Decoded, Envelope, EventKind};
use crate::outcome::SkipReason;

/// What exchange and routing key say about an event, before its payload is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoutingHint {
    Sent(EventKind),
    Received,
    Unknown,
}

/// Received messages are half of the traffic: they are skipped unread.
pub(super) fn decode(envelope: &Envelope) -> Result<Decoded<'_>, DecodeError> {
    match hint_of(envelope) {
        RoutingHint::Received => Ok(Decoded::Skip(SkipReason::Received)),
        _ => decode_object(envelope, Object::read(&envelope.payload)?),
    }
}

/// From an exchange of one kind, whatever its topics are called. Those of received messages are
/// known by their default names only.
pub(super) fn decode_sent(
    envelope: &Envelope,
    kind: EventKind,
) -> Result<Decoded<'_>, DecodeError> {
    match hint_of(envelope) {
        RoutingHint::Received => Ok(Decoded::Skip(SkipReason::Received)),
        _ => Object::read(&envelope.payload)?.into_event(kind, None, None),
    }
}

/// Whether anything says that this is an event of MongooseIM's.
pub(super) fn recognises(envelope: &Envelope, object: &Object<'_>) -> bool {
    hint_of(envelope) != RoutingHint::Unknown || looks_like_presence(object)
}

pub(super) fn decode_object<'a>(
    envelope: &Envelope,
    object: Object<'a>,
) -> Result<Decoded<'a>, DecodeError> {
    match hint_of(envelope) {
        RoutingHint::Received => Ok(Decoded::Skip(SkipReason::Received)),
        RoutingHint::Sent(kind) => object.into_event(kind, None, None),
        RoutingHint::Unknown if looks_like_presence(&object) => {
            object.into_event(EventKind::Presence, None, None)
        }
        RoutingHint::Unknown => {
            Err(object.lacks(Problem::KindUnknown { suffix: showable(envelope) }))
        }
    }
}

fn hint_of(envelope: &Envelope) -> RoutingHint {
    routing_hint(&envelope.exchange, &envelope.routing_key)
}

pub(super) fn routing_hint(exchange: &str, routing_key: &str) -> RoutingHint {
    match suffix(routing_key) {
        Some("chat_msg_sent") => RoutingHint::Sent(EventKind::Chat),
        Some("groupchat_msg_sent") => RoutingHint::Sent(EventKind::Groupchat),
        Some("chat_msg_recv" | "groupchat_msg_recv") => RoutingHint::Received,
        _ if exchange == "presence" => RoutingHint::Sent(EventKind::Presence),
        _ => RoutingHint::Unknown,
    }
}

fn suffix(routing_key: &str) -> Option<&str> {
    routing_key.rsplit_once('.').map(|(_, suffix)| suffix)
}

fn looks_like_presence(object: &Object<'_>) -> bool {
    object.has(Field::UserId) && object.has(Field::Present)
}

/// The routing key's end, for an error. The rest of it is a user's JID.
fn showable(envelope: &Envelope) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    suffix(&envelope.routing_key)
        .filter(|suffix| (1..=64).contains(&suffix.len()) && suffix.chars().all(is_plain))
        .map(str::to_owned)
}

//! Decodes the project's own format: a JSON object with a `type`.

use super::error::{DecodeError, Problem};
use super::field::Field;
use super::object::Object;
use super::{Decoded, EventKind};
use crate::outcome::SkipReason;

/// A type that is not published is skipped as it is: its other fields follow rules that this
/// format doesn't know.
pub(super) fn decode(mut object: Object<'_>) -> Result<Decoded<'_>, DecodeError> {
    let Some(kind) = object.take_text(Field::Type)? else {
        return Err(object.lacks(Problem::TypeMissing));
    };
    let Some(kind) = EventKind::named(&kind) else {
        return Ok(Decoded::Skip(SkipReason::UnsupportedType));
    };
    let id = object.take_text(Field::Id)?;
    let timestamp = object.take_time(Field::Timestamp)?;
    object.into_event(kind, id, timestamp)
}

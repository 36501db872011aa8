//! Detects the format of a delivery: by content type, else by headers, else by the body.

use super::envelope::MediaType;
use super::error::DecodeError;
use super::field::Field;
use super::object::Object;
use super::{Decoded, Envelope, cloudevents, mongooseim, native, xmpp};

pub(super) fn decode(envelope: &Envelope) -> Result<Decoded<'_>, DecodeError> {
    match envelope.media_type() {
        MediaType::Xml => return xmpp::decode(&envelope.payload),
        MediaType::CloudEvent | MediaType::ForeignCloudEvent => {
            return cloudevents::decode(envelope);
        }
        MediaType::Other => {}
    }
    if cloudevents::is_in_headers(envelope) {
        return cloudevents::decode(envelope);
    }
    if looks_like_xml(&envelope.payload) {
        return xmpp::decode(&envelope.payload);
    }
    let object = Object::read(&envelope.payload)?;
    if cloudevents::recognises(&object) {
        cloudevents::decode_object(object)
    } else if !object.has(Field::Type) && mongooseim::recognises(envelope, &object) {
        mongooseim::decode_object(envelope, object)
    } else {
        // A `type` makes an event native whatever its routing key, since a producer may choose
        // any; so here, unlike in `mongooseim`, even what may be a received message is read.
        native::decode(object)
    }
}

/// No JSON begins like this.
fn looks_like_xml(payload: &[u8]) -> bool {
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    payload.trim_ascii_start().starts_with(b"<")
}

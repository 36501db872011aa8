//! Events that own their data.

use std::borrow::Cow;

use super::{Decoded, Event, Message, Meta, Presence};

impl Decoded<'_> {
    /// The same, known to be of a payload in which parts were replaced.
    pub(super) fn into_mended(self) -> Decoded<'static> {
        let mut decoded = self.into_owned();
        if let Decoded::Event(event) = &mut decoded {
            event.meta_mut().is_mended = true;
        }
        decoded
    }

    pub(super) fn into_owned(self) -> Decoded<'static> {
        match self {
            Self::Event(Event::Presence(Presence { user, present, meta })) => {
                let meta = meta.into_owned();
                Decoded::Event(Event::Presence(Presence { user, present, meta }))
            }
            Self::Event(Event::Message(Message { kind, from, to, body, meta })) => {
                let (body, meta) = (owned(body), meta.into_owned());
                Decoded::Event(Event::Message(Message { kind, from, to, body, meta }))
            }
            Self::Skip(reason) => Decoded::Skip(reason),
        }
    }
}

impl Meta<'_> {
    fn into_owned(self) -> Meta<'static> {
        let Self { id, source, timestamp, traceparent, metadata, in_transit, is_mended } = self;
        Meta {
            id: id.map(owned),
            source: source.map(owned),
            timestamp,
            traceparent: traceparent.map(owned),
            metadata,
            in_transit,
            is_mended,
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

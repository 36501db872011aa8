//! Events that own their data.

use std::borrow::Cow;

use super::{Decoded, Event, Message, Meta, Presence};

impl Decoded<'_> {
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
        let Self { id, source, timestamp, traceparent, metadata, in_transit } = self;
        Meta {
            id: id.map(owned),
            source: source.map(owned),
            timestamp,
            traceparent: traceparent.map(owned),
            metadata,
            in_transit,
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

//! One raw stanza. Sources: RFC 6120 and 6121, and the extensions that are named below.
//!
//! A stanza is read to its end before it is judged, so that broken XML is never skipped.

use std::borrow::Cow;

use jid::Jid;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::{DecodeError, Problem};
use super::xml::{Attribute, Element, Namespace, Xml, XmlToken};
use super::{Decoded, Event, Message, MessageKind, Meta, Presence, address};
use crate::outcome::SkipReason;

pub(super) fn decode(payload: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let mut xml = Xml::new(payload)?;
    let stanza = Stanza::read(&mut xml)?;
    stanza.judge(&xml)
}

/// What of a stanza may matter.
struct Stanza<'a> {
    root: Element<'a>,
    kind: Option<Cow<'a, str>>,
    from: Option<Address<'a>>,
    to: Option<Address<'a>>,
    body: Option<Cow<'a, str>>,
    /// The chosen body has no `xml:lang`, so that no other is better.
    body_is_plain: bool,
    /// Holds another stanza, as forwarded ones and carbon copies do.
    is_copy: bool,
    delayed_since: Option<Timestamp>,
    metadata: Map<String, Value>,
}

/// An attribute's value, and where it stands.
type Address<'a> = (Cow<'a, str>, usize);

/// The text of which child is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collecting {
    Nothing,
    Body,
    Metadata(&'static str),
}

impl<'a> Stanza<'a> {
    fn read(xml: &mut Xml<'a>) -> Result<Self, DecodeError> {
        let mut stanza = Self::open(xml)?;
        let mut collecting = Collecting::Nothing;
        let mut text: Option<Cow<'a, str>> = None;
        let mut depth = 1;
        while let Some(step) = xml.next()? {
            match step {
                XmlToken::Open(element) => {
                    depth += 1;
                    if depth == 2 {
                        collecting = stanza.child(element, xml);
                    }
                }
                XmlToken::Text(_) if depth != 2 || collecting == Collecting::Nothing => {}
                XmlToken::Text(more) => match &mut text {
                    None => text = Some(more),
                    Some(text) => text.to_mut().push_str(&more),
                },
                XmlToken::Close => {
                    if depth == 2 {
                        stanza.collect(collecting, text.take().unwrap_or_default());
                    }
                    depth -= 1;
                }
            }
        }
        Ok(stanza)
    }

    fn open(xml: &mut Xml<'a>) -> Result<Self, DecodeError> {
        let Some(XmlToken::Open(root)) = xml.next()? else {
            // A document begins with an element, or is none.
            return Err(xml.error(Problem::Empty { expected: "XML stanza" }, 0));
        };
        let value = |name| xml.attributes().get(name).map(|it| (it.value.clone(), it.offset));
        let mut metadata = Map::new();
        for (name, key) in [("id", "id"), ("xml:lang", "lang")] {
            if let Some((text, _)) = value(name) {
                metadata.insert(key.to_owned(), text.into_owned().into());
            }
        }
        Ok(Self {
            root,
            kind: value("type").map(|(text, _)| text),
            from: value("from"),
            to: value("to"),
            body: None,
            body_is_plain: false,
            is_copy: false,
            delayed_since: None,
            metadata,
        })
    }

    /// Takes what a child's tag says; of its text, what is told to be collected.
    fn child(&mut self, child: Element<'a>, xml: &Xml<'a>) -> Collecting {
        let attribute = |name| xml.attributes().get(name).map(|it: &Attribute<'_>| &*it.value);
        match (child.namespace, child.name) {
            (Namespace::Forward, "forwarded") | (Namespace::Carbons, "sent" | "received") => {
                self.is_copy = true;
            }
            (Namespace::Delay, "delay") => {
                // Anybody may have written one; what can't be read is none. Each server that
                // kept the stanza may have added its own, so the earliest is the first.
                let stamp = attribute("stamp").and_then(|stamp| stamp.parse().ok());
                self.delayed_since = self.delayed_since.into_iter().chain(stamp).min();
            }
            (Namespace::StanzaId, "origin-id") => {
                if let Some(id) = attribute("id") {
                    self.metadata.insert("origin_id".to_owned(), id.into());
                }
            }
            (namespace, name) if self.root.namespace.is_of_child(namespace) => {
                let is_plain = attribute("xml:lang").is_none();
                return self.child_of_stanza(name, is_plain);
            }
            _ => {}
        }
        Collecting::Nothing
    }

    fn child_of_stanza(&mut self, name: &str, is_plain: bool) -> Collecting {
        match name {
            "body" if self.body.is_none() || (is_plain && !self.body_is_plain) => {
                self.body_is_plain = is_plain;
                Collecting::Body
            }
            "subject" => Collecting::Metadata("subject"),
            "thread" => Collecting::Metadata("thread"),
            "show" => Collecting::Metadata("show"),
            "status" => Collecting::Metadata("status"),
            "priority" => Collecting::Metadata("priority"),
            _ => Collecting::Nothing,
        }
    }

    fn collect(&mut self, collecting: Collecting, text: Cow<'a, str>) {
        match collecting {
            Collecting::Nothing => {}
            Collecting::Body => self.body = Some(text),
            Collecting::Metadata(key) => {
                let entry = self.metadata.entry(key);
                entry.or_insert_with(|| text.into_owned().into());
            }
        }
    }

    fn judge(self, xml: &Xml<'_>) -> Result<Decoded<'a>, DecodeError> {
        match self.root.name {
            "message" if self.root.namespace.is_for_stanzas() => self.message(xml),
            "presence" if self.root.namespace.is_for_stanzas() => self.presence(xml),
            _ => Ok(Decoded::Skip(SkipReason::UnsupportedType)),
        }
    }

    fn message(self, xml: &Xml<'_>) -> Result<Decoded<'a>, DecodeError> {
        let kind = match self.kind.as_deref() {
            Some("chat") => MessageKind::Chat,
            Some("groupchat") => MessageKind::Groupchat,
            _ => return Ok(Decoded::Skip(SkipReason::UnsupportedType)),
        };
        if self.is_copy {
            return Ok(Decoded::Skip(SkipReason::Copy));
        }
        let from = self.jid("from", self.from.as_ref(), xml)?;
        let to = self.jid("to", self.to.as_ref(), xml)?;
        let Some(body) = self.body else {
            return Ok(Decoded::Skip(SkipReason::NoText));
        };
        let meta = meta(self.delayed_since, self.metadata);
        Ok(Decoded::Event(Event::Message(Message { kind, from, to, body, meta })))
    }

    fn presence(self, xml: &Xml<'_>) -> Result<Decoded<'a>, DecodeError> {
        let present = match self.kind.as_deref() {
            None => true,
            Some("unavailable") => false,
            Some(_) => return Ok(Decoded::Skip(SkipReason::UnsupportedType)),
        };
        if self.to.is_some() {
            return Ok(Decoded::Skip(SkipReason::Directed));
        }
        let user = self.jid("from", self.from.as_ref(), xml)?;
        let meta = meta(self.delayed_since, self.metadata);
        Ok(Decoded::Event(Event::Presence(Presence { user, present, meta })))
    }

    fn jid(
        &self,
        attribute: &'static str,
        address: Option<&Address<'_>>,
        xml: &Xml<'_>,
    ) -> Result<Jid, DecodeError> {
        let Some((text, offset)) = address else {
            return Err(xml.error(Problem::NoAttribute(attribute), self.root.offset));
        };
        address::parse(text).map_err(|error| {
            xml.error(Problem::AttributeNoJid { attribute, why: error.to_string() }, *offset)
        })
    }
}

/// A stanza's ids are its sender's choice, so none of them is the event's: whoever repeats
/// another's would have it taken for a duplicate.
fn meta(timestamp: Option<Timestamp>, metadata: Map<String, Value>) -> Meta<'static> {
    Meta { timestamp, metadata, in_transit: true, ..Meta::default() }
}

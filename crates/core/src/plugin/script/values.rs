//! The values of an event as scripts see them.

use std::sync::Arc;

use jid::Jid;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use serde_json::{Number, Value as Json};

use super::bounds::Bounds;
use super::cost::{Charged, Size, give, too_large};
use crate::event::{Event, Message, Presence, bare};

/// A JID, with its parts as properties.
#[derive(Debug, Clone)]
pub(super) struct JidView(Arc<Jid>);

/// An event, with its parts as properties; those that it does not have are `()`.
#[derive(Debug, Clone)]
pub(super) struct EventView(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    kind: &'static str,
    sender: JidView,
    to: Option<JidView>,
    present: Option<bool>,
    text: Bounded<Option<ImmutableString>>,
    id: Bounded<Option<ImmutableString>>,
    timestamp: Option<ImmutableString>,
    metadata: Bounded<Map>,
    /// Of the metadata.
    size: Size,
}

/// What of an event is within the bounds of a value, and copied for the script. What is not is only refused, if it is
/// asked for: copying it would cost more than a call may.
type Bounded<T> = Result<T, Over>;

#[derive(Debug, Clone, Copy)]
struct Over;

impl JidView {
    pub(super) fn of(jid: &Jid) -> Self {
        Self(Arc::new(jid.clone()))
    }

    fn local(&mut self) -> ImmutableString {
        self.0.node().map(|local| local.as_str().into()).unwrap_or_default()
    }

    fn domain(&mut self) -> ImmutableString {
        self.0.domain().as_str().into()
    }

    fn resource(&mut self) -> ImmutableString {
        self.0.resource().map(|resource| resource.as_str().into()).unwrap_or_default()
    }

    fn bare(&mut self) -> ImmutableString {
        bare(&self.0).into()
    }

    fn full(&mut self) -> ImmutableString {
        self.0.as_str().into()
    }
}

impl EventView {
    pub(super) fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Presence(presence) => Self::of_presence(presence),
            Event::Message(message) => Self::of_message(message),
        }
    }

    fn of_presence(Presence { user, present, meta }: &Presence<'_>) -> Self {
        let (metadata, size) = bounded_map(&meta.metadata);
        Self(Arc::new(Parts {
            kind: "presence",
            sender: JidView::of(user),
            to: None,
            present: Some(*present),
            text: Ok(None),
            id: bounded(meta.id.as_deref()),
            timestamp: meta.timestamp.map(|it| it.to_string().into()),
            metadata,
            size,
        }))
    }

    pub(super) fn of_message(Message { kind, from, to, body, meta }: &Message<'_>) -> Self {
        let (metadata, size) = bounded_map(&meta.metadata);
        Self(Arc::new(Parts {
            kind: kind.label(),
            sender: JidView::of(from),
            to: Some(JidView::of(to)),
            present: None,
            text: bounded(Some(body)),
            id: bounded(meta.id.as_deref()),
            timestamp: meta.timestamp.map(|it| it.to_string().into()),
            metadata,
            size,
        }))
    }

    fn sender_if(&self, presence: bool) -> Dynamic {
        let is_presence = self.0.present.is_some();
        optional((is_presence == presence).then(|| self.0.sender.clone()).map(Dynamic::from))
    }
}

/// Teaches the engine both types.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<JidView>("Jid")
        .register_get("local", JidView::local)
        .register_get("domain", JidView::domain)
        .register_get("resource", JidView::resource)
        .register_get("bare", JidView::bare)
        .register_get("full", JidView::full)
        .register_fn("to_string", JidView::full)
        .register_fn("==", |a: JidView, b: JidView| a.0 == b.0)
        .register_fn("!=", |a: JidView, b: JidView| a.0 != b.0)
        .register_fn("==", |a: JidView, b: &str| a.0.as_str() == b)
        .register_fn("!=", |a: JidView, b: &str| a.0.as_str() != b)
        .register_fn("==", |a: &str, b: JidView| a == b.0.as_str())
        .register_fn("!=", |a: &str, b: JidView| a != b.0.as_str());
    engine
        .register_type_with_name::<EventView>("Event")
        .register_get("kind", |it: &mut EventView| ImmutableString::from(it.0.kind))
        .register_get("sender", |it: &mut EventView| it.0.sender.clone())
        .register_get("user", |it: &mut EventView| it.sender_if(true))
        .register_get("from", |it: &mut EventView| it.sender_if(false))
        .register_get("to", |it: &mut EventView| optional(it.0.to.clone().map(Dynamic::from)))
        .register_get("present", |it: &mut EventView| optional(it.0.present.map(Dynamic::from)))
        .register_get("text", |it: &mut EventView| given(&it.0.text))
        .register_get("id", |it: &mut EventView| given(&it.0.id))
        .register_get("timestamp", |it: &mut EventView| given(&Ok(it.0.timestamp.clone())))
        .register_get("metadata", |it: &mut EventView| -> Charged<Dynamic> {
            give(it.0.size)?;
            let metadata = it.0.metadata.as_ref().map_err(|Over| too_large())?;
            Ok(metadata.clone().into())
        });
}

/// A text of an event, which pays for its length.
fn given(text: &Bounded<Option<ImmutableString>>) -> Charged<Dynamic> {
    let text = text.as_ref().map_err(|Over| too_large())?;
    give(Size { bytes: text.as_ref().map_or(0, |it| it.len()), ..Size::default() })?;
    Ok(optional(text.clone().map(Dynamic::from)))
}

fn bounded(text: Option<&str>) -> Bounded<Option<ImmutableString>> {
    match text {
        Some(text) if text.len() > Bounds::TEXT => Err(Over),
        text => Ok(text.map(Into::into)),
    }
}

fn bounded_map(object: &serde_json::Map<String, Json>) -> (Bounded<Map>, Size) {
    let mut size = Size { entries: object.len(), ..Size::default() };
    let fits = object.iter().all(|(name, value)| {
        size.bytes += name.len();
        measure(value, &mut size)
    });
    (if fits { Ok(map(object)) } else { Err(Over) }, size)
}

/// Adds what a value would be for a script; false: together it is over the bounds.
fn measure(json: &Json, size: &mut Size) -> bool {
    match json {
        Json::String(text) => size.bytes += text.len(),
        Json::Array(items) => {
            size.elements += items.len();
            size.nested += 1;
            if size.fits().is_err() || !items.iter().all(|item| measure(item, size)) {
                return false;
            }
        }
        Json::Object(object) => {
            size.entries += object.len();
            size.nested += 1;
            if size.fits().is_err() {
                return false;
            }
            for (name, value) in object {
                size.bytes += name.len();
                if !measure(value, size) {
                    return false;
                }
            }
        }
        Json::Number(number) => size.bytes += digits(number).map_or(0, |digits| digits.len()),
        Json::Null | Json::Bool(_) => {}
    }
    size.fits().is_ok()
}

fn optional(value: Option<Dynamic>) -> Dynamic {
    value.unwrap_or(Dynamic::UNIT)
}

fn map(object: &serde_json::Map<String, Json>) -> Map {
    object.iter().map(|(name, value)| (name.as_str().into(), of_json(value))).collect()
}

/// Of a whole number that is too large for those of a script, which gets it as a text: a float would change it.
fn digits(number: &Number) -> Option<String> {
    number.as_u64().filter(|whole| i64::try_from(*whole).is_err()).map(|whole| whole.to_string())
}

fn of_json(json: &Json) -> Dynamic {
    match json {
        Json::Null => Dynamic::UNIT,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => match (number.as_i64(), digits(number)) {
            (Some(whole), _) => whole.into(),
            (None, Some(digits)) => digits.into(),
            (None, None) => number.as_f64().unwrap_or_default().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(of_json).collect::<Array>().into(),
        Json::Object(object) => map(object).into(),
    }
}

//! Makes an event's envelope of what RabbitMQ has delivered.

use super::super::settler::RabbitReceipt;
use crate::config::Source;
use crate::event::Envelope;
use crate::pipeline::ports::Delivery;
use crate::rabbitmq::connection::wire::Note;
use crate::rabbitmq::headers;
use crate::rabbitmq::headers::origin::{origin, take_forged};
use crate::rabbitmq::headers::originals;
use crate::rabbitmq::headers::parked::unparked_properties;
use crate::rabbitmq::headers::sorted;
use crate::signature::SigningKey;

/// What a producer wrote under our names is taken off, so that it is in no dead letter and in no parked copy.
pub(super) fn unpack(
    delivery: lapin::message::Delivery,
    charge: u64,
    note: Option<Note>,
    source: &Source,
    key: Option<&SigningKey>,
) -> Delivery<RabbitReceipt> {
    let mut properties = Box::new(delivery.properties);
    let delivered = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let is_sorted = source.comes_sorted_by(delivered.0);
    let origin = origin(delivered.0, delivered.1, &properties, (&source.queue, is_sorted))
        .map(|(exchange, routing_key)| (exchange.to_owned(), routing_key.to_owned()));
    let told = is_sorted.then(|| sorted::unreadable(&properties)).flatten();
    let believed = take_forged(&mut properties, origin.is_some(), key);
    let (exchange, routing_key) = if let Some(origin) = origin.filter(|_| believed) {
        *properties = unparked_properties(std::mem::take(&mut properties));
        origin
    } else {
        (delivery.exchange.into(), delivery.routing_key.into())
    };
    let unreadable = note.as_ref().and_then(originals::unreadable).or(told.filter(|_| believed));
    let headers = properties.headers().as_ref().map(headers::texts).unwrap_or_default();
    if let Some(note) = note {
        originals::keep(note, &mut properties);
    }
    let envelope = Box::new(Envelope {
        exchange,
        routing_key,
        content_type: properties.content_type().as_ref().map(|it| it.as_str().to_owned()),
        message_id: properties.message_id().as_ref().map(|it| it.as_str().to_owned()),
        headers,
        payload: delivery.data,
        unreadable,
    });
    let receipt = RabbitReceipt { tag: delivery.delivery_tag, charge, properties };
    Delivery { envelope, receipt }
}

//! Headers and properties of an event that a worker has sorted: those of the original, its origin, and the key that decides its partition.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::dead_letter::kept_properties;
use super::header_room::{shortened, text};
use super::origin;
use crate::event::Envelope;
use crate::headers::{COUNTS, ERROR, EXCHANGE, ORDER_KEY, ROUTING_KEY, USER_ID};
use crate::signature::SigningKey;

/// The properties of the copy that goes to a partition. The user id moves to a header: RabbitMQ refuses one that is not the publishing
/// connection's. What can't be read of the event is said in a header, so that its partition's worker makes the dead letter.
pub(in crate::rabbitmq) fn sorted_properties(
    original: &BasicProperties,
    envelope: &Envelope,
    order_key: &str,
    key: Option<&SigningKey>,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    // The copy gets counts of its own.
    let kept = original.headers().iter().flatten();
    for (name, value) in kept.filter(|(name, _)| !COUNTS.contains(&name.as_str())) {
        headers.insert(name.clone(), value.clone());
    }
    let mut set = |name: &str, value: &str| _ = headers.insert(name.into(), text(value));
    set(EXCHANGE, &envelope.exchange);
    set(ROUTING_KEY, &envelope.routing_key);
    set(ORDER_KEY, order_key);
    if let Some(why) = &envelope.unreadable {
        set(ERROR, shortened(why));
    }
    if let Some(user_id) = original.user_id() {
        set(USER_ID, user_id.as_str());
    }
    let message_id = original.message_id().as_ref().map(ShortString::as_str);
    origin::sign(&mut headers, message_id, key);
    let mut properties = kept_properties(original).with_headers(headers);
    if let Some(mode) = *original.delivery_mode() {
        properties = properties.with_delivery_mode(mode);
    }
    if let Some(expiration) = original.expiration() {
        properties = properties.with_expiration(expiration.clone());
    }
    properties
}

/// Why a sorted event can't be read, where the sorter said so.
pub(in crate::rabbitmq) fn unreadable(sorted: &BasicProperties) -> Option<Box<str>> {
    let headers = sorted.headers().as_ref()?;
    match headers.into_iter().find(|(name, _)| name.as_str() == ERROR)?.1 {
        AMQPValue::LongString(why) => {
            std::str::from_utf8(why.as_bytes()).ok().map(|it| shortened(it).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
        properties.headers().as_ref().unwrap().inner().get(name)
    }

    #[test]
    fn a_sorted_event_keeps_what_the_producer_set_but_what_rabbitmq_would_refuse_or_count() {
        let mut headers = FieldTable::default();
        headers.insert("own".into(), text("value"));
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
        headers.insert(ORDER_KEY.into(), text("forged"));
        let original = BasicProperties::default()
            .with_headers(headers)
            .with_user_id("producer".into())
            .with_expiration("60000".into())
            .with_message_id("m-1".into())
            .with_delivery_mode(2);
        let envelope = Envelope { exchange: "e".into(), routing_key: "k".into(), ..<_>::default() };
        let sorted = sorted_properties(&original, &envelope, "chat/a,b", None);
        assert_eq!(sorted.user_id(), &None);
        assert_eq!(header(&sorted, USER_ID), Some(&text("producer")));
        assert_eq!(sorted.expiration(), original.expiration());
        assert_eq!(
            (sorted.message_id(), sorted.delivery_mode()),
            (original.message_id(), &Some(2))
        );
        for (name, value) in
            [("own", "value"), (ORDER_KEY, "chat/a,b"), (EXCHANGE, "e"), (ROUTING_KEY, "k")]
        {
            assert_eq!(header(&sorted, name), Some(&text(value)), "{name}");
        }
        assert_eq!(header(&sorted, "x-delivery-count"), None);
        assert_eq!(unreadable(&sorted), None);
    }

    #[test]
    fn what_can_not_be_read_of_an_event_is_known_behind_the_sorter() {
        let envelope = Envelope { unreadable: Some("its routing key".into()), ..<_>::default() };
        let sorted = sorted_properties(&BasicProperties::default(), &envelope, "key", None);
        assert_eq!(unreadable(&sorted).as_deref(), Some("its routing key"));
    }
}

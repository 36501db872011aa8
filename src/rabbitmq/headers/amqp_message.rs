//! Converts messages between lapin's types and ours, without loss.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldTable, LongString, ShortString};

use super::originals;
use crate::rabbitmq::connection::wire::Note;
use crate::rabbitmq::message::{Headers, Message, Properties, Value};

/// A delivery as a message. What was changed of it so that it can be read is in its headers.
pub(in crate::rabbitmq) fn message(mut delivery: Delivery, note: Option<Note>) -> Message {
    let unread = note.as_ref().and_then(originals::unread);
    if let Some(note) = note {
        originals::keep(note, &mut delivery.properties);
    }
    Message {
        exchange: delivery.exchange.as_str().to_owned(),
        routing_key: delivery.routing_key.as_str().to_owned(),
        properties: properties(&delivery.properties),
        body: delivery.data,
        unread,
    }
}

/// Headers as formats read them, by the same rules as for what a worker takes.
pub(crate) fn header_texts<'a>(
    headers: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Vec<(String, String)> {
    crate::rabbitmq::headers::texts(&table(headers))
}

macro_rules! texts {
    ($name:ident) => {
        $name! {
            content_type with_content_type content_type,
            content_encoding with_content_encoding content_encoding,
            correlation_id with_correlation_id correlation_id,
            reply_to with_reply_to reply_to,
            expiration with_expiration expiration,
            message_id with_message_id message_id,
            kind with_type kind,
            user_id with_user_id user_id,
            app_id with_app_id app_id,
            cluster_id with_cluster_id cluster_id,
        }
    };
}

fn properties(theirs: &BasicProperties) -> Properties {
    let mut ours = Properties {
        headers: theirs.headers().as_ref().map(headers),
        delivery_mode: *theirs.delivery_mode(),
        priority: *theirs.priority(),
        timestamp: *theirs.timestamp(),
        ..Properties::default()
    };
    macro_rules! read {
        ($($get:ident $with:ident $field:ident),+ $(,)?) => {
            $(ours.$field = theirs.$get().as_ref().map(|it| it.as_str().to_owned());)+
        };
    }
    texts!(read);
    ours
}

/// The properties to publish with.
pub(in crate::rabbitmq) fn basic_properties(ours: &Properties) -> BasicProperties {
    let mut theirs = BasicProperties::default();
    macro_rules! write {
        ($($get:ident $with:ident $field:ident),+ $(,)?) => {
            $(if let Some(text) = &ours.$field { theirs = theirs.$with(text.as_str().into()); })+
        };
    }
    texts!(write);
    if let Some(headers) = &ours.headers {
        theirs = theirs.with_headers(table(headers));
    }
    if let Some(mode) = ours.delivery_mode {
        theirs = theirs.with_delivery_mode(mode);
    }
    if let Some(priority) = ours.priority {
        theirs = theirs.with_priority(priority);
    }
    if let Some(timestamp) = ours.timestamp {
        theirs = theirs.with_timestamp(timestamp);
    }
    theirs
}

fn headers(table: &FieldTable) -> Headers {
    table.into_iter().map(|(name, it)| (name.as_str().to_owned(), value(it))).collect()
}

fn table<'a>(headers: impl IntoIterator<Item = (&'a String, &'a Value)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(ShortString::from(name.as_str()), amqp_value(value));
    }
    table
}

/// A header's value.
pub(in crate::rabbitmq) fn value(theirs: &AMQPValue) -> Value {
    match theirs {
        AMQPValue::Boolean(it) => Value::Bool(*it),
        AMQPValue::ShortShortInt(it) => Value::I8(*it),
        AMQPValue::ShortShortUInt(it) => Value::U8(*it),
        AMQPValue::ShortInt(it) => Value::I16(*it),
        AMQPValue::ShortUInt(it) => Value::U16(*it),
        AMQPValue::LongInt(it) => Value::I32(*it),
        AMQPValue::LongUInt(it) => Value::U32(*it),
        AMQPValue::LongLongInt(it) => Value::I64(*it),
        AMQPValue::Float(it) => Value::F32(*it),
        AMQPValue::Double(it) => Value::F64(*it),
        AMQPValue::DecimalValue(DecimalValue { scale, value }) => {
            Value::Decimal { scale: *scale, value: *value }
        }
        AMQPValue::ShortString(it) => Value::ShortText(it.as_str().to_owned()),
        AMQPValue::LongString(it) => match String::from_utf8(it.as_bytes().to_vec()) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Binary(error.into_bytes()),
        },
        AMQPValue::FieldArray(it) => Value::Array(it.as_slice().iter().map(value).collect()),
        AMQPValue::Timestamp(it) => Value::Timestamp(*it),
        AMQPValue::FieldTable(it) => Value::Table(headers(it)),
        AMQPValue::ByteArray(it) => Value::Bytes(it.as_slice().to_vec()),
        AMQPValue::Void => Value::Void,
    }
}

fn amqp_value(ours: &Value) -> AMQPValue {
    match ours {
        Value::Bool(it) => AMQPValue::Boolean(*it),
        Value::I8(it) => AMQPValue::ShortShortInt(*it),
        Value::U8(it) => AMQPValue::ShortShortUInt(*it),
        Value::I16(it) => AMQPValue::ShortInt(*it),
        Value::U16(it) => AMQPValue::ShortUInt(*it),
        Value::I32(it) => AMQPValue::LongInt(*it),
        Value::U32(it) => AMQPValue::LongUInt(*it),
        Value::I64(it) => AMQPValue::LongLongInt(*it),
        Value::F32(it) => AMQPValue::Float(*it),
        Value::F64(it) => AMQPValue::Double(*it),
        Value::Decimal { scale, value } => {
            AMQPValue::DecimalValue(DecimalValue { scale: *scale, value: *value })
        }
        Value::Timestamp(it) => AMQPValue::Timestamp(*it),
        Value::ShortText(it) => AMQPValue::ShortString(ShortString::from(it.as_str())),
        Value::Text(it) => AMQPValue::LongString(LongString::from(it.as_str())),
        Value::Binary(it) => AMQPValue::LongString(LongString::from(it.as_slice())),
        Value::Bytes(it) => AMQPValue::ByteArray(ByteArray::from(it.clone())),
        Value::Array(it) => {
            AMQPValue::FieldArray(it.iter().map(amqp_value).collect::<Vec<_>>().into())
        }
        Value::Table(it) => AMQPValue::FieldTable(table(it)),
        Value::Void => AMQPValue::Void,
    }
}

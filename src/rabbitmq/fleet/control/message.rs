//! A command as a message of AMQP.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::config::{Amqp, AmqpUri};
use crate::fleet::pauses::{Command, Ignored};
use crate::headers::SIGNATURE;
use crate::limits::LONGEST_COMMAND;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::headers::header_room::text;

/// In which a stream says the place of a message.
const OFFSET: &str = "x-stream-offset";

/// The properties of a command's message, with this body.
pub(super) fn properties(body: &[u8], command: &Command, broker: &Broker) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(key) = &broker.config().signing_key {
        headers.insert(SIGNATURE.into(), text(&key.sign_command(body)));
    }
    let properties = BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_message_id(command.id.as_str().into())
        .with_delivery_mode(2);
    // RabbitMQ refuses any other than the connection's own.
    match broker.last_uri().and_then(AmqpUri::user) {
        Some(user) => properties.with_user_id(user.into()),
        None => properties,
    }
}

/// Reads a command that the workers' user has sent, and signed where there is a key.
pub(super) fn command(delivery: &Delivery, amqp: &Amqp) -> Result<Command, Ignored> {
    let Delivery { data, properties, .. } = delivery;
    if data.len() > LONGEST_COMMAND {
        return Err(Ignored::TooLarge);
    }
    // Where a client certificate says who the user is, the name is not known here.
    let users: Option<Vec<_>> = amqp.uris.iter().map(AmqpUri::user).collect();
    let sender = properties.user_id().as_ref().map(ShortString::as_str);
    if users.is_some_and(|users| !users.iter().any(|it| Some(&**it) == sender)) {
        return Err(Ignored::Foreign);
    }
    if let Some(key) = &amqp.signing_key {
        let headers = properties.headers().as_ref().map(FieldTable::inner);
        let signature = match headers.and_then(|it| it.get(SIGNATURE)) {
            Some(AMQPValue::LongString(it)) => it.as_bytes(),
            _ => return Err(Ignored::Unsigned),
        };
        if !key.verifies_command(signature, data) {
            return Err(Ignored::Unsigned);
        }
    }
    Command::from_bytes(data)
}

/// The place of a message in its stream.
pub(super) fn offset(delivery: &Delivery) -> Option<i64> {
    let headers = delivery.properties.headers().as_ref()?;
    match headers.inner().get(OFFSET)? {
        AMQPValue::LongLongInt(it) => Some(*it),
        AMQPValue::LongInt(it) => Some((*it).into()),
        AMQPValue::LongUInt(it) => Some((*it).into()),
        _ => None,
    }
}

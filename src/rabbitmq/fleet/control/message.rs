//! A command as a message of AMQP.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::AMQPValue;

use super::super::author::{self, NotBelieved};
use crate::config::Amqp;
use crate::fleet::pauses::{Command, Ignored};
use crate::limits::LONGEST_COMMAND;
use crate::rabbitmq::connection::Broker;

/// In which a stream says the place of a message.
const OFFSET: &str = "x-stream-offset";

/// The properties of a command's message, with this body.
pub(super) fn properties(body: &[u8], command: &Command, broker: &Broker) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_message_id(command.id.as_str().into())
        .with_delivery_mode(2);
    author::vouched_on(broker, properties, |it| it.sign_command(body))
}

/// Reads a command that the workers' user has sent, and signed where there is a key.
pub(super) fn command(delivery: &Delivery, amqp: &Amqp) -> Result<Command, Ignored> {
    let Delivery { data, properties, .. } = delivery;
    if data.len() > LONGEST_COMMAND {
        return Err(Ignored::TooLarge);
    }
    author::check(amqp, properties, |key, signature| key.verifies_command(signature, data))?;
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

impl From<NotBelieved> for Ignored {
    fn from(why: NotBelieved) -> Self {
        match why {
            NotBelieved::User => Self::Foreign,
            NotBelieved::Signature => Self::Unsigned,
        }
    }
}

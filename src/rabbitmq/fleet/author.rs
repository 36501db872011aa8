//! Who has sent a message of the fleet: the workers' own user, which RabbitMQ makes sure of, and, where there is a key, somebody who
//! has it.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::config::{Amqp, AmqpUri};
use crate::headers::SIGNATURE;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::headers::header_room::text;
use crate::signature::SigningKey;

/// Why the author of a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum NotBelieved {
    /// Another user of the broker has sent it.
    User,
    /// It is not signed by the key that this program has.
    Signature,
}

/// The properties with the author's name, if it is known, and signature. RabbitMQ refuses the name of another user than the connection's.
pub(in crate::rabbitmq) fn vouched(
    properties: BasicProperties,
    user: Option<&str>,
    signature: Option<String>,
) -> BasicProperties {
    let properties = match user {
        Some(user) => properties.with_user_id(user.into()),
        None => properties,
    };
    let Some(signature) = signature else { return properties };
    let mut headers = FieldTable::default();
    headers.insert(SIGNATURE.into(), text(&signature));
    properties.with_headers(headers)
}

/// The same for a message of this program on a connection to the broker that took the last one; `sign` signs it, where there is a key.
pub(in crate::rabbitmq) fn vouched_on(
    broker: &Broker,
    properties: BasicProperties,
    sign: impl FnOnce(&SigningKey) -> String,
) -> BasicProperties {
    let signature = broker.config().signing_key.as_ref().map(sign);
    let user = broker.last_uri().and_then(AmqpUri::user);
    vouched(properties, user.as_deref(), signature)
}

/// Whether the author of a message is believed; `verifies` tells of a key and a signature whether they fit the message.
pub(in crate::rabbitmq) fn check(
    amqp: &Amqp,
    properties: &BasicProperties,
    verifies: impl FnOnce(&SigningKey, &[u8]) -> bool,
) -> Result<(), NotBelieved> {
    let user = properties.user_id().as_ref().map(ShortString::as_str);
    // Where a certificate says who a worker is, its name is not known here, and not sent.
    let is_own = |uri: &AmqpUri| uri.user().as_deref() == user;
    if !amqp.uris.iter().any(is_own) {
        return Err(NotBelieved::User);
    }
    let Some(key) = &amqp.signing_key else { return Ok(()) };
    let headers = properties.headers().as_ref();
    let signature = match headers.and_then(|it| it.inner().get(SIGNATURE)) {
        Some(AMQPValue::LongString(signature)) => signature.as_bytes(),
        _ => return Err(NotBelieved::Signature),
    };
    if verifies(key, signature) { Ok(()) } else { Err(NotBelieved::Signature) }
}

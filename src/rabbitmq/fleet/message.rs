//! A report as an AMQP message: what vouches for its author, and what bounds its life.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::config::{Amqp, AmqpUri, Fleet};
use crate::fleet::{Ignored, Report};
use crate::headers::SIGNATURE;

/// Milliseconds after which a report that nobody has taken is no news any more.
const EXPIRES: &str = "5000";

/// What the names of the fleet's queues begin with.
pub(crate) fn queue_prefix(fleet: &Fleet) -> String {
    format!("{}.", fleet.exchange())
}

/// What a report is sent with. RabbitMQ refuses the name of another `user` than the connection's.
pub(super) fn properties(
    amqp: &Amqp,
    fleet: &Fleet,
    user: Option<&str>,
    body: &[u8],
) -> BasicProperties {
    let mut properties = BasicProperties::default()
        .with_expiration(EXPIRES.into())
        .with_content_type("application/json".into());
    if let Some(user) = user {
        properties = properties.with_user_id(user.into());
    }
    if let Some(key) = &amqp.signing_key {
        let signature = key.sign_for_fleet(&fleet.name, body);
        let mut headers = FieldTable::default();
        headers.insert(SIGNATURE.into(), AMQPValue::LongString(signature.into()));
        properties = properties.with_headers(headers);
    }
    properties
}

/// The report, and whether it is signed.
///
/// # Errors
///
/// It was published by another user than the workers', is not signed though there is a key, or is no report.
pub(super) fn read(
    amqp: &Amqp,
    fleet: &Fleet,
    delivery: &Delivery,
) -> Result<(Report, bool), Ignored> {
    let user = delivery.properties.user_id().as_ref().map(ShortString::as_str);
    // Where a certificate says who a worker is, its name is not known here.
    let is_own = |uri: &AmqpUri| uri.user().as_deref() == user;
    if !amqp.uris.iter().any(is_own) {
        return Err(Ignored::User);
    }
    if let Some(key) = &amqp.signing_key {
        let headers = delivery.properties.headers().as_ref();
        let signature = match headers.and_then(|it| it.inner().get(SIGNATURE)) {
            Some(AMQPValue::LongString(signature)) => signature.as_bytes(),
            _ => &[],
        };
        if !key.verifies_for_fleet(signature, &fleet.name, &delivery.data) {
            return Err(Ignored::Signature);
        }
    }
    Ok((Report::read(&delivery.data)?, amqp.signing_key.is_some()))
}

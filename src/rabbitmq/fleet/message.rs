//! A report as an AMQP message: what vouches for its author, and what bounds its life.

use lapin::BasicProperties;
use lapin::message::Delivery;

use super::author::{self, NotBelieved};
use crate::config::{Amqp, Fleet};
use crate::fleet::{Ignored, Said};

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
    let properties = BasicProperties::default()
        .with_expiration(EXPIRES.into())
        .with_content_type("application/json".into());
    let signature = amqp.signing_key.as_ref().map(|it| it.sign_for_fleet(&fleet.name, body));
    author::vouched(properties, user, signature)
}

/// A worker's or an operator's report, and whether it is signed.
///
/// # Errors
///
/// It was published by another user than the workers', is not signed though there is a key, or is no report.
pub(super) fn read(
    amqp: &Amqp,
    fleet: &Fleet,
    delivery: &Delivery,
) -> Result<(Said, bool), Ignored> {
    author::check(amqp, &delivery.properties, |key, signature| {
        key.verifies_for_fleet(signature, &fleet.name, &delivery.data)
    })?;
    Ok((Said::read(&delivery.data)?, amqp.signing_key.is_some()))
}

impl From<NotBelieved> for Ignored {
    fn from(why: NotBelieved) -> Self {
        match why {
            NotBelieved::User => Self::User,
            NotBelieved::Signature => Self::Signature,
        }
    }
}

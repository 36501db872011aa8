//! The exchanges and queues that the worker needs: declared, or only checked.
//!
//! ```text
//! exchange ── routing keys ──> queue ── (delivery limit) ──┐
//!                              ↑ │                         ├──> dead-letter exchange ──> dead-letter queue
//!                              │ worker ── (dead letters) ─┘
//!                              │ └── (held topics) ──> queue.held ─┐
//!                              └──────── (after a while) ──────────┘
//! ```

pub(in crate::rabbitmq) mod arguments;
pub(in crate::rabbitmq) mod consumer_timeout;
mod declared;
pub(in crate::rabbitmq) mod fitness;
pub(in crate::rabbitmq) mod order_arguments;
pub(crate) mod queue_state;
pub(in crate::rabbitmq) mod source_queue;
pub(in crate::rabbitmq) mod stream;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

pub(in crate::rabbitmq) use self::declared::DELIVERY_LIMIT;
use self::declared::{DEAD_LETTER_EXCHANGE, DEAD_LETTER_STRATEGY};
pub use self::declared::{dead_letter_arguments, parking_arguments, queue_arguments};
use self::order_arguments::OrderArguments;
use self::queue_state::QueueState;
use super::connection::broker_connection::BrokerConnection;
use super::connection::{bounded, on_channel};
use crate::config::{Amqp, ExchangeType, Source};
use crate::outcome::SourceError;

/// Declares the topology of one source, each thing on a channel that a refusal closes. A queue that is there and differs in the
/// arguments for order alone is used as it is; `known` are those that it had before. Returns those that it has.
///
/// # Errors
///
/// What differs, with the key that says otherwise.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    known: Option<OrderArguments>,
) -> Result<OrderArguments, SourceError> {
    let exchanges = async |channel: &Channel| {
        declare_dead_letters(channel, amqp).await?;
        declare_exchange(channel, source).await
    };
    on_channel(connection, exchanges).await?;
    let order = source_queue::declare(connection, amqp, source, known).await?;
    let bound = async |channel: &Channel| {
        for key in routing_keys(source) {
            bind(channel, &source.queue, &source.exchange, key).await?;
        }
        declare_parking(channel, amqp, source).await
    };
    on_channel(connection, bound).await?;
    Ok(order)
}

/// Checks that what is used as it is exists. Returns whether the source's queue may be looked at. A user who may not look at
/// something may use it all the same, and whoever consumes or publishes finds out whether it exists. A refusal closes a channel of
/// its own.
///
/// # Errors
///
/// What is missing.
pub(in crate::rabbitmq) async fn find(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
) -> Result<bool, SourceError> {
    look(connection, async |it| find_exchange(it, &amqp.dead_letter_exchange).await).await?;
    look(connection, async |it| find_queue(it, &amqp.dead_letter_queue).await).await?;
    look(connection, async |it| find_exchange(it, &source.exchange).await).await?;
    look(connection, async |it| find_queue(it, &source.queue).await).await
}

/// Looks on a channel of its own. Returns whether the user may: of what one may not look at one may still make use.
pub(in crate::rabbitmq) async fn look(
    connection: &BrokerConnection,
    find: impl AsyncFnOnce(&Channel) -> Result<(), SourceError>,
) -> Result<bool, SourceError> {
    match on_channel(connection, find).await {
        Ok(()) => Ok(true),
        Err(SourceError::AccessRefused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Declares the queue where a source's events are parked while their topic is held.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn declare_parking(
    channel: &Channel,
    amqp: &Amqp,
    source: &Source,
) -> Result<(), SourceError> {
    let Some(parking) = &source.parking else { return Ok(()) };
    declare_queue(channel, &parking.queue, parking_arguments(amqp, &source.queue)).await
}

/// Declares dead-letter exchange and queue, and binds them.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn declare_dead_letters(channel: &Channel, amqp: &Amqp) -> Result<(), SourceError> {
    declare_dead_letter_exchange(channel, amqp).await?;
    declare_queue(channel, &amqp.dead_letter_queue, dead_letter_arguments(amqp)).await?;
    bind(channel, &amqp.dead_letter_queue, &amqp.dead_letter_exchange, "").await
}

/// Declares the dead-letter exchange. It fans out: every dead letter reaches the queue
/// whatever its routing key, and only once even if it has a `CC` header.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn declare_dead_letter_exchange(
    channel: &Channel,
    amqp: &Amqp,
) -> Result<(), SourceError> {
    let declared =
        exchange_declare(channel, &amqp.dead_letter_exchange, ExchangeKind::Fanout, true).await;
    declared.map_err(|error| with_remedy(error, &[]))
}

/// Declares the exchange that a source reads from.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn declare_exchange(channel: &Channel, source: &Source) -> Result<(), SourceError> {
    let kind = match source.exchange_type {
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::Headers => ExchangeKind::Headers,
    };
    let declared = exchange_declare(channel, &source.exchange, kind, source.exchange_durable).await;
    let keys =
        [("type", "the source's exchange_type"), ("durable", "the source's exchange_durable")];
    declared.map_err(|error| with_remedy(error, &keys))
}

/// Declares a durable queue.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn declare_queue(
    channel: &Channel,
    queue: &str,
    arguments: FieldTable,
) -> Result<(), SourceError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut keys = vec![("x-queue-type", "amqp.queue_type")];
    // The dead-letter queue has neither a way on nor a limit to configure.
    if arguments.contains_key(DEAD_LETTER_EXCHANGE) {
        keys.push((DEAD_LETTER_EXCHANGE, "amqp.dead_letter_exchange"));
        keys.push((DELIVERY_LIMIT, "amqp.delivery_limit"));
        // Ours on quorum queues only: where they are found unasked for, the type differs.
        keys.push((DEAD_LETTER_STRATEGY, "amqp.queue_type"));
        keys.push(("x-overflow", "amqp.queue_type"));
    }
    let declared = channel.queue_declare(queue.into(), options, arguments);
    let declared = bounded(&named("queue", queue), declared).await;
    declared.map(drop).map_err(|error| with_remedy(error, &keys))
}

/// Fails if the exchange is not there.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn find_exchange(channel: &Channel, exchange: &str) -> Result<(), SourceError> {
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    // A passive declare compares nothing, not even the type.
    let found = channel.exchange_declare(
        exchange.into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    bounded(&named("exchange", exchange), found).await
}

/// Fails if the queue is not there.
///
/// # Errors
///
/// What differs, with the key that says otherwise. The channel is closed then.
pub async fn find_queue(channel: &Channel, queue: &str) -> Result<(), SourceError> {
    QueueState::of(channel, queue).await.map(drop)
}

/// The keys to bind with; exchanges that don't look at keys get one empty binding.
pub(in crate::rabbitmq) fn routing_keys(source: &Source) -> impl Iterator<Item = &str> {
    let none = source.routing_keys.is_empty().then_some("");
    source.routing_keys.iter().map(String::as_str).chain(none)
}

async fn exchange_declare(
    channel: &Channel,
    exchange: &str,
    kind: ExchangeKind,
    durable: bool,
) -> Result<(), SourceError> {
    // RabbitMQ's own exchanges can't be declared, only used.
    if exchange.starts_with("amq.") {
        return find_exchange(channel, exchange).await;
    }
    let options = ExchangeDeclareOptions { durable, ..Default::default() };
    let declared = channel.exchange_declare(exchange.into(), kind, options, FieldTable::default());
    bounded(&named("exchange", exchange), declared).await
}

async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), SourceError> {
    let bound = channel.queue_bind(
        queue.into(),
        exchange.into(),
        key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bounded(&format!("binding of queue `{queue}` to exchange `{exchange}`"), bound).await
}

fn named(kind: &str, name: &str) -> String {
    format!("{kind} `{name}`")
}

/// Says what to do about RabbitMQ's "inequivalent arg"; `keys` are the arguments that the
/// configuration decides, each with its key.
fn with_remedy(error: SourceError, keys: &[(&str, &str)]) -> SourceError {
    error.reworded(|said| remedied(said, keys))
}

fn remedied(said: String, keys: &[(&str, &str)]) -> String {
    if !said.contains("inequivalent arg") {
        return said;
    }
    let current = said.split("current is ").nth(1).unwrap_or_default().trim_start_matches('\'');
    let key = keys
        .iter()
        .find(|(argument, _)| said.contains(&format!("inequivalent arg '{argument}'")))
        // An argument that isn't there at all can't be configured, nor can the type of a plugin's exchange.
        .filter(|_| !current.starts_with("none") && !current.starts_with("x-"))
        .map_or(String::new(), |(_, key)| {
            format!("set {key} to the value of the existing one, or ")
        });
    // Only the dead-letter queue's is configured by nothing.
    let counts_looks = key.is_empty() && said.contains("inequivalent arg 'x-delivery-limit'");
    let last = if counts_looks && keys.len() == 1 {
        "or give amqp.dead_letter_queue a new name and move the letters there; with amqp.declare = false the \
         queue would be used as it is, and RabbitMQ would drop letters that are browsed more often than its limit"
    } else {
        "or set amqp.declare = false to use it as it is"
    };
    format!(
        "it exists with other arguments: {said}; {key}delete the existing one when it is empty, {last}"
    )
}

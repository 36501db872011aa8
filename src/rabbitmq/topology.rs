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
pub(in crate::rabbitmq) mod exclusive_queue;
pub(in crate::rabbitmq) mod fitness;
mod mismatch;
pub(in crate::rabbitmq) mod order_arguments;
pub(in crate::rabbitmq) mod partitions;
pub(crate) mod queue_state;
pub(in crate::rabbitmq) mod queues;
pub(in crate::rabbitmq) mod source_queue;
pub(in crate::rabbitmq) mod stream;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use self::arguments::DURABLE;
pub(in crate::rabbitmq) use self::declared::DELIVERY_LIMIT;
pub use self::declared::{dead_letter_arguments, parking_arguments, queue_arguments};
use self::mismatch::{Declaration, TYPE, Thing, key_of, quoted};
use self::order_arguments::OrderArguments;
use self::queue_state::QueueState;
use self::queues::DeclaredQueue;
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
    if let Some(partitioning) = source.partitioning() {
        partitions::declare(connection, amqp, source, partitioning).await?;
        return Ok(OrderArguments::of(amqp, source));
    }
    let first_move = if source.single_active {
        partitions::marker::check_none(connection, amqp, source).await?
    } else {
        None
    };
    declare_dead_letters(connection, amqp).await?;
    on_channel(connection, async |channel| declare_exchange(channel, source).await).await?;
    let order = source_queue::declare(connection, amqp, source, known).await?;
    let bound = async |channel: &Channel| {
        for key in routing_keys(source) {
            bind(channel, &source.queue, &source.exchange, key).await?;
        }
        Ok(())
    };
    on_channel(connection, bound).await?;
    if let Some(first_move) = first_move {
        partitions::marker::take_back(connection, source, first_move).await?;
    }
    declare_parking(connection, amqp, source).await?;
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
/// As [`declare`].
pub(in crate::rabbitmq) async fn declare_parking(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
) -> Result<(), SourceError> {
    let Some(parking) = &source.parking else { return Ok(()) };
    DeclaredQueue::of_parked(amqp, source, &parking.queue).declare(connection).await
}

/// Declares dead-letter exchange and queue, and binds them.
///
/// # Errors
///
/// As [`declare`].
pub(in crate::rabbitmq) async fn declare_dead_letters(
    connection: &BrokerConnection,
    amqp: &Amqp,
) -> Result<(), SourceError> {
    let exchange = async |channel: &Channel| declare_dead_letter_exchange(channel, amqp).await;
    on_channel(connection, exchange).await?;
    DeclaredQueue::of_dead_letters(amqp).declare(connection).await?;
    let (queue, exchange) = (&amqp.dead_letter_queue, &amqp.dead_letter_exchange);
    on_channel(connection, async |channel| bind(channel, queue, exchange, "").await).await
}

/// Declares the dead-letter exchange. It fans out: every dead letter reaches the queue
/// whatever its routing key, and only once even if it has a `CC` header.
///
/// # Errors
///
/// As [`declare`].
pub(in crate::rabbitmq) async fn declare_dead_letter_exchange(
    channel: &Channel,
    amqp: &Amqp,
) -> Result<(), SourceError> {
    let (name, key) = (&amqp.dead_letter_exchange, "amqp.dead_letter_exchange");
    let declared = exchange_declare(channel, name, ExchangeKind::Fanout, true).await;
    declared.map_err(|error| {
        let declaration = Declaration::new(Thing::Exchange, name, key);
        declaration.fixed(TYPE, quoted("fanout")).explain(error)
    })
}

/// Declares the exchange that a source reads from.
///
/// # Errors
///
/// As [`declare`].
pub(in crate::rabbitmq) async fn declare_exchange(
    channel: &Channel,
    source: &Source,
) -> Result<(), SourceError> {
    let kind = match source.exchange_type {
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::Headers => ExchangeKind::Headers,
    };
    let durable = source.exchange_durable;
    let declared = exchange_declare(channel, &source.exchange, kind, durable).await;
    declared.map_err(|error| {
        let kind = quoted(source.exchange_type.into_str());
        Declaration::new(Thing::Exchange, &source.exchange, key_of(source, "exchange"))
            .with(TYPE, kind, key_of(source, "exchange_type"))
            .with(DURABLE, durable.to_string(), key_of(source, "exchange_durable"))
            .explain(error)
    })
}

/// Fails if the exchange is not there.
///
/// # Errors
///
/// As [`declare`].
pub(in crate::rabbitmq) async fn find_exchange(
    channel: &Channel,
    exchange: &str,
) -> Result<(), SourceError> {
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
/// As [`declare`].
pub(in crate::rabbitmq) async fn find_queue(
    channel: &Channel,
    queue: &str,
) -> Result<(), SourceError> {
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

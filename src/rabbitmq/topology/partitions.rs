//! The exchange and the queues of a source with partitions.
//!
//! ```text
//! exchange ── routing keys ──> Q.40.hash ── by the hash ──> Q.40.00 … Q.40.39
//!
//! Q             what was there before the partitions, and what is replayed
//! Q.partitions  empty: its consumers are the workers, and its length is limited to the number of partitions
//! Q.moving      only while the number of partitions changes
//! Q.suspects    only where workers may have died of an event: what they write down of it
//! ```
//!
//! Where a worker sorts the events (`partition_by = "conversation"`, see [`sorted`]), they come another way:
//!
//! ```text
//! exchange ── routing keys ──> Q ── the sorter ──> Q.sorted ──> Q.40.hash ── by the sorter's header ──> Q.40.00 … Q.40.39
//! ```
//!
//! The number is part of the names, so that queues of another number are other ones.

mod hash;
pub(in crate::rabbitmq) mod marker;
pub(in crate::rabbitmq) mod moving;
pub(in crate::rabbitmq) mod sorted;
pub(in crate::rabbitmq) mod suspects;

use std::time::Duration;

use lapin::Channel;
use tokio::time::sleep;

pub(in crate::rabbitmq) use self::hash::{
    CONSISTENT_HASH, declare_hash, divert, divert_now, find_hash, undivert,
};
use self::marker::{Marked, mark, marker_of};
use self::moving::Move;
use super::mismatch::key_of;
use super::order_arguments::OrderArguments;
use super::queue_state::QueueState;
use super::queues::DeclaredQueue;
use super::{bind, declare_dead_letters, declare_exchange, source_queue};
use crate::config::{Amqp, Partitioning, Source};
use crate::limits::MOST_PARTITIONS;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::on_channel;

/// The share of a queue of a hash exchange is its binding's key, as a number.
const ONE_SHARE: &str = "1";

/// How often it is tried to find out how many there are, or to be the first who wants some; and the pause while a move is in its last step.
const TRIES: usize = 8;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// The names of what belongs to the partitions of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Names {
    pub(in crate::rabbitmq) hash_exchange: String,
    /// Partition by partition.
    pub(in crate::rabbitmq) queues: Vec<String>,
    pub(in crate::rabbitmq) marker: String,
}

impl Names {
    pub(in crate::rabbitmq) fn of(queue: &str, partitions: u16) -> Self {
        let width = if partitions > 100 { 3 } else { 2 };
        Self {
            hash_exchange: format!("{queue}.{partitions}.hash"),
            queues: (0..partitions)
                .map(|it| format!("{queue}.{partitions}.{it:0width$}"))
                .collect(),
            marker: marker_of(queue),
        }
    }
}

/// The partitions that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Declared {
    /// So many, which may be fewer than a worker has room for.
    pub(in crate::rabbitmq) count: u16,
    /// If not, events may be in the source's queue which are to be published before those in the partitions.
    pub(in crate::rabbitmq) is_marked: bool,
    /// What comes goes to others by now.
    pub(in crate::rabbitmq) is_moved_from: bool,
}

impl Declared {
    /// Of those that get what comes.
    pub(in crate::rabbitmq) const fn all(count: u16, is_marked: bool) -> Self {
        Self { count, is_marked, is_moved_from: false }
    }
}

/// Declares all but the marker, and lets events go to the partitions instead of the source's queue. There are as many as the marker says;
/// without it as many as are wanted.
///
/// # Errors
///
/// What differs from what is there, or what the broker does not know.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    wanted: Partitioning<'_>,
) -> Result<Declared, SourceError> {
    let found = find_declared(connection, amqp, source, wanted).await?;
    let is_marked = found.is_some_and(|it| it.is_marked);
    // Without a queue there is nothing that came before; and where all is sorted, so is that.
    let is_new = !is_marked
        && (source.is_sorted()
            || matches!(
                QueueState::on(connection, &source.queue).await,
                Err(SourceError::NotFound(_))
            ));
    declare_dead_letters(connection, amqp).await?;
    on_channel(connection, async |channel| declare_exchange(channel, source).await).await?;
    let order = source_queue::declare(connection, amqp, source, None).await?;
    if source.is_sorted() || (!is_marked && !is_new) {
        check_former(amqp, source, order)?;
    }
    let there = match found {
        Some(found) => found,
        None => claim(connection, amqp, source, wanted).await?,
    };
    let count = there.count;
    let partitioning = Partitioning { count, ..wanted };
    let names = Names::of(&source.queue, count);
    if is_marked {
        check_queues(connection, source, &names).await?;
    }
    if there.is_moved_from {
        sorted::declare(connection, source).await?;
        for queue in &names.queues {
            DeclaredQueue::of_partition(amqp, source, queue).declare(connection).await?;
        }
    } else {
        declare_queues(connection, amqp, source, partitioning).await?;
    }
    divert_now(connection, amqp, source, count).await?;
    if is_new {
        mark(connection, amqp, source, partitioning).await?;
    }
    if is_new || is_marked {
        confirm(connection, amqp, source, partitioning).await?;
    }
    Ok(Declared { is_marked: is_marked || is_new, ..there })
}

/// Declares the exchange that divides events, and the partitions, bound to it. Nothing comes by that yet.
///
/// # Errors
///
/// What differs from what is there, or what the broker does not know.
pub(in crate::rabbitmq) async fn declare_queues(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    Partitioning { count, by }: Partitioning<'_>,
) -> Result<(), SourceError> {
    let names = Names::of(&source.queue, count);
    sorted::declare(connection, source).await?;
    let hash = async |it: &Channel| declare_hash(it, &names.hash_exchange, by).await;
    on_channel(connection, hash).await?;
    for queue in &names.queues {
        DeclaredQueue::of_partition(amqp, source, queue).declare(connection).await?;
    }
    let bound = async |channel: &Channel| {
        for queue in &names.queues {
            bind(channel, queue, &names.hash_exchange, ONE_SHARE).await?;
        }
        Ok(())
    };
    on_channel(connection, bound).await
}

/// What the marker says, or else who was the first to want partitions; `None`: nobody was.
async fn find_declared(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    wanted: Partitioning<'_>,
) -> Result<Option<Declared>, SourceError> {
    let mut tries = 0;
    loop {
        // In this order: a move is there before the marker changes, and until after that.
        let under_way = moving::find(connection, amqp, source).await?;
        return match (marker::read(connection, amqp, source, wanted).await?, under_way) {
            (Marked::Yes(count), _) => {
                let is_moved_from = under_way.is_some_and(|it| it.from == count);
                Ok(Some(Declared { is_moved_from, ..Declared::all(count, true) }))
            }
            (Marked::Hidden, _) => Ok(Some(Declared::all(wanted.count, true))),
            (Marked::No, Some(first @ Move { from: 0, to, .. })) if to <= wanted.count => {
                first.check_first(source)?;
                Ok(Some(Declared::all(to, false)))
            }
            (Marked::No, Some(Move { from: 0, to, .. })) => {
                Err(marker::no_room(source, wanted, to))
            }
            // It is in its last step.
            (Marked::No, Some(_)) if tries < TRIES => {
                tries += 1;
                sleep(TRY_AGAIN).await;
                continue;
            }
            (Marked::No, Some(under_way)) => Err(under_way.unfinished(source)),
            (Marked::No, None) => Ok(None),
        };
    }
}

/// Is the first one who wants partitions, so that no two workers begin with different numbers; or follows the one who is.
async fn claim(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    wanted: Partitioning<'_>,
) -> Result<Declared, SourceError> {
    // What RabbitMQ can't do is to be found out before anything is claimed.
    let hash_exchange = Names::of(&source.queue, wanted.count).hash_exchange;
    let hash = async |it: &Channel| declare_hash(it, &hash_exchange, wanted.by).await;
    on_channel(connection, hash).await?;
    for _ in 0..TRIES {
        let claim = Move::first(wanted.count, source.is_sorted());
        match moving::begin(connection, amqp, source, claim).await {
            Ok(()) | Err(SourceError::PreconditionFailed(_)) => {}
            Err(error) => return Err(error),
        }
        let found = find_declared(connection, amqp, source, wanted).await;
        // Another number was chosen, and nothing divides events by this one.
        let is_other = match &found {
            Ok(found) => found.is_some_and(|it| it.count != wanted.count),
            Err(error) => matches!(error, SourceError::PreconditionFailed(_)),
        };
        if is_other {
            undivert(connection, source, &hash_exchange).await?;
        }
        if let Some(found) = found? {
            return Ok(found);
        }
    }
    Err(SourceError::Failed(format!(
        "workers with different numbers of partitions begin with `{}` at the same time; trying again",
        source.queue
    )))
}

/// Confirms that these are the partitions that there are, now that events go to them. If a move has begun meanwhile, events go to the
/// others.
///
/// # Errors
///
/// There are others.
pub(in crate::rabbitmq) async fn confirm(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    these: Partitioning<'_>,
) -> Result<(), SourceError> {
    let under_way = moving::find(connection, amqp, source).await?;
    let hash_exchange = Names::of(&source.queue, these.count).hash_exchange;
    let divides_now = moving::divides_now(source, these.count, under_way);
    if divides_now != hash_exchange {
        // First this, so that what comes has a queue.
        let diverted = async |channel: &Channel| divert(channel, source, &divides_now).await;
        on_channel(connection, diverted).await?;
        undivert(connection, source, &hash_exchange).await?;
    }
    let most = Partitioning { count: MOST_PARTITIONS, ..these };
    match marker::read(connection, amqp, source, most).await? {
        Marked::Yes(count) if count != these.count => {
            undivert(connection, source, &hash_exchange).await?;
            Err(SourceError::Failed(format!(
                "the number of partitions of `{}` has changed from {} to {count} meanwhile; beginning anew",
                source.queue, these.count
            )))
        }
        // It may be over by now, and another one under way.
        _ => match moving::find(connection, amqp, source).await? {
            // It was a move from none, which is over.
            Some(Move { from: 0, .. }) => moving::end(connection, source).await,
            _ => Ok(()),
        },
    }
}

/// Those of some partitions that are not there.
pub(in crate::rabbitmq) async fn missing<'a>(
    connection: &BrokerConnection,
    queues: &'a [String],
) -> Vec<&'a String> {
    let mut missing = Vec::new();
    for queue in queues {
        if matches!(QueueState::on(connection, queue).await, Err(SourceError::NotFound(_))) {
            missing.push(queue);
        }
    }
    missing
}

/// Those of some partitions in which events wait for a worker, with how many. One that is not there has none.
///
/// # Errors
///
/// The broker does not say.
pub(in crate::rabbitmq) async fn waiting<'a>(
    connection: &BrokerConnection,
    queues: &'a [String],
) -> Result<Vec<(&'a String, u32)>, SourceError> {
    let mut waiting = Vec::new();
    for queue in queues {
        match QueueState::on(connection, queue).await {
            Ok(state) if state.ready > 0 => waiting.push((queue, state.ready)),
            Ok(_) | Err(SourceError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(waiting)
}

/// A partition that was there and is gone takes more along than what was in it: RabbitMQ gives its keys, and those of others, to other
/// partitions (`rabbit_exchange_type_consistent_hash`), and so does it when there is another one in its place.
async fn check_queues(
    connection: &BrokerConnection,
    source: &Source,
    names: &Names,
) -> Result<(), SourceError> {
    for queue in missing(connection, &names.queues).await {
        let (name, key) = (&source.name, key_of(source, "on_order_lost"));
        let said = format!(
            "partition `{queue}` of source {name} is gone: RabbitMQ divides events otherwise without it, so that those that come now may \
             overtake those of their key that wait in another partition; to go on all the same, start all workers with {key} = \"warn\", by \
             which it is created, and take that back when what waits now is published"
        );
        if source.stops_without_order() {
            return Err(SourceError::PreconditionFailed(said));
        }
        tracing::warn!(event = "order_lost", source = name, "{said}");
    }
    Ok(())
}

/// What several workers hold of a queue can't be known to be published before what comes after it.
fn check_former(amqp: &Amqp, source: &Source, order: OrderArguments) -> Result<(), SourceError> {
    let Some(deviation) = order.deviation(OrderArguments::of(amqp, source)) else { return Ok(()) };
    let (queue, key) = (&source.queue, key_of(source, "on_order_lost"));
    let purpose = if source.is_sorted() {
        "to be sorted by one worker at a time"
    } else {
        "to be published before the partitions that follow it"
    };
    let said = format!(
        "queue `{queue}` is {purpose}, but {deviation}. To begin in order, end all \
         workers but one, wait until the queue is empty, end that one and delete the queue; or set {key} = \"warn\""
    );
    if source.stops_without_order() {
        return Err(SourceError::PreconditionFailed(said));
    }
    tracing::warn!(event = "order_lost", source = source.name, "{said}");
    Ok(())
}

/// Finds what is used as it is: every partition, and the marker.
///
/// # Errors
///
/// What is missing.
pub(in crate::rabbitmq) async fn find(
    connection: &BrokerConnection,
    source: &Source,
    count: u16,
) -> Result<(), SourceError> {
    let names = Names::of(&source.queue, count);
    for queue in names.queues.iter().chain([&names.marker]) {
        super::look(connection, async |channel| super::find_queue(channel, queue).await).await?;
    }
    if let Some(sorted) = source.sorted_exchange() {
        super::look(connection, async |channel| super::find_exchange(channel, &sorted).await)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_number_of_partitions_in_them() {
        let names = Names::of("q", 3);
        assert_eq!(names.queues, ["q.3.00", "q.3.01", "q.3.02"]);
        assert_eq!((&*names.hash_exchange, &*names.marker), ("q.3.hash", "q.partitions"));
        assert_eq!(Names::of("q", 256).queues[7], "q.256.007");
    }
}

//! The marker: a queue that is there as soon as a source's queue has partitions. It counts workers, and knows number and key of the
//! partitions.

use lapin::options::QueueDeclareOptions;

use super::moving::{self, Move};
use super::{Names, undivert, waiting};
use crate::config::{Amqp, OnOrderLost, Partitioning, Source};
use crate::limits::{LONGEST_SHORT, MOST_PARTITIONS};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::arguments::{self, Learnt, QueueArguments, STREAM, learn_if_there};
use crate::rabbitmq::topology::declared::{DEAD_LETTER_ROUTING_KEY, MAX_LENGTH, marker_arguments};
use crate::rabbitmq::topology::mismatch::key_of;
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::untrusted::one_line;

/// Its name.
pub(in crate::rabbitmq) fn marker_of(queue: &str) -> String {
    format!("{queue}.partitions")
}

/// What a queue says of the partitions that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Marked {
    /// There are none yet.
    No,
    /// So many.
    Yes(u16),
    /// The user may not learn how many.
    Hidden,
}

/// Declares the marker: from now on all events are in so many partitions.
///
/// # Errors
///
/// There is another one, or the user may not.
pub(in crate::rabbitmq) async fn mark(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    partitioning: Partitioning<'_>,
) -> Result<(), SourceError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let arguments = marker_arguments(amqp, partitioning);
    arguments::declare(connection, &marker_of(&source.queue), options, arguments).await
}

/// Reads the marker, without creating it.
///
/// # Errors
///
/// There are more partitions than this worker has room for, or events are divided by another key.
pub(in crate::rabbitmq) async fn read(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    wanted: Partitioning<'_>,
) -> Result<Marked, SourceError> {
    let marker = marker_of(&source.queue);
    let perhaps = QueueArguments::durable(marker_arguments(amqp, wanted));
    let arguments = match learn_if_there(connection, &marker, perhaps).await? {
        None => return Ok(Marked::No),
        Some(Learnt::Known(arguments)) => arguments,
        Some(Learnt::Refused(_)) => return Ok(Marked::Hidden),
        Some(Learnt::Locked(said) | Learnt::Unknown(said, _)) => {
            return Err(SourceError::Failed(format!("queue `{marker}`: {said}")));
        }
    };
    let number = arguments.integer(MAX_LENGTH).and_then(|it| u16::try_from(it).ok());
    let number = number.filter(|it| (1..=MOST_PARTITIONS).contains(it));
    let by = arguments.text(DEAD_LETTER_ROUTING_KEY);
    // A stream is compared by other arguments only, and would have all that was asked for.
    let number = number.filter(|_| arguments.kind() != STREAM);
    let (Some(number), Some(by)) = (number, by) else {
        return Err(SourceError::PreconditionFailed(format!(
            "queue `{marker}` is none that a worker has declared: it should say how many partitions `{}` has; delete it, or give the source \
             another queue",
            source.queue
        )));
    };
    if by != wanted.by.to_string() {
        return Err(other_key(source, wanted, by));
    }
    if number > wanted.count {
        return Err(no_room(source, wanted, number));
    }
    Ok(Marked::Yes(number))
}

pub(super) fn no_room(source: &Source, wanted: Partitioning<'_>, number: u16) -> SourceError {
    let (queue, key) = (&source.queue, key_of(source, "partitions"));
    SourceError::PreconditionFailed(format!(
        "`{queue}` is divided into {number} partitions, and {key} is {}: set {key} = {number} or more in every worker; fewer come with \
         `event-pusher-sns partitions move` (\"Another number\" in docs/partitions.md)",
        wanted.count
    ))
}

fn other_key(source: &Source, wanted: Partitioning<'_>, by: &str) -> SourceError {
    let (queue, key) = (&source.queue, key_of(source, "partition_by"));
    let by = one_line(by, LONGEST_SHORT);
    SourceError::PreconditionFailed(format!(
        "events of `{queue}` are divided by {by:?}, and {key} is \"{}\": RabbitMQ can't change that, and events that wait would \
         be overtaken; set {key} = {by:?} in every worker, or see \"Another key\" in docs/partitions.md",
        wanted.by
    ))
}

/// Whether something waits in new partitions. Who may not look finds nothing out.
async fn waits(
    connection: &BrokerConnection,
    source: &Source,
    Move { to, .. }: Move,
) -> Result<bool, SourceError> {
    match waiting(connection, &Names::of(&source.queue, to).queues).await {
        Ok(waiting) => Ok(!waiting.is_empty()),
        Err(SourceError::AccessRefused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A source has no partitions again, before those of its `first` move have begun: what comes is not to go to them any more.
///
/// # Errors
///
/// Something waits in them, or the broker refuses.
pub(in crate::rabbitmq) async fn take_back(
    connection: &BrokerConnection,
    source: &Source,
    first: Move,
) -> Result<(), SourceError> {
    undivert(connection, source, &Names::of(&source.queue, first.to).hash_exchange).await?;
    if waits(connection, source, first).await? {
        return has_some(source, &moving::name_of(&source.queue));
    }
    moving::end(connection, source).await
}

/// A source without partitions must not consume a queue that has some: it would bind the queue again, and events in the partitions
/// would wait for ever. Returns a first move, if one was begun that can be taken back.
///
/// # Errors
///
/// There are partitions.
pub(in crate::rabbitmq) async fn check_none(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
) -> Result<Option<Move>, SourceError> {
    let marker = marker_of(&source.queue);
    let there = match QueueState::on(connection, &marker).await {
        Ok(_) => marker,
        // While the number changes, there may be no marker for a moment.
        Err(SourceError::NotFound(_)) => match moving::find(connection, amqp, source).await? {
            Some(it) if it.from > 0 => moving::name_of(&source.queue),
            Some(first) => {
                if waits(connection, source, first).await? {
                    has_some(source, &moving::name_of(&source.queue))?;
                }
                return Ok(Some(first));
            }
            None => return Ok(None),
        },
        // Who may not look finds nothing out.
        Err(_) => return Ok(None),
    };
    has_some(source, &there).map(|()| None)
}

/// Refuses a source without partitions that has some, as that queue says.
fn has_some(source: &Source, there: &str) -> Result<(), SourceError> {
    let (queue, key) = (&source.queue, key_of(source, "partitions"));
    let said = format!(
        "`{queue}` has partitions, as queue `{there}` says, and {key} is 0: what waits in them would stay there; set {key} as the \
         other workers have it, or see \"Back to one queue\" in docs/partitions.md"
    );
    if source.on_order_lost == OnOrderLost::Warn {
        tracing::warn!(event = "order_lost", source = source.name, "{said}");
        return Ok(());
    }
    Err(SourceError::PreconditionFailed(said))
}

//! The queue that is there while the number of a source's partitions changes, also from none. Its arguments say from which number to which,
//! and workers write into it which partitions of the former number are over.

use std::fmt;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use super::Names;
use crate::config::{Amqp, Source};
use crate::limits::MOST_PARTITIONS;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology::arguments::{self, Learnt, QueueArguments, STREAM, learn_if_there};
use crate::rabbitmq::topology::declared::{DEAD_LETTER_ROUTING_KEY, moving_arguments};
use crate::rabbitmq::topology::mismatch::key_of;
use crate::rabbitmq::topology::queues::delete_queue;

/// Between the two numbers, and before the id.
const TO: &str = " to ";
const AS: &str = " as ";

/// Its name.
pub(in crate::rabbitmq) fn name_of(queue: &str) -> String {
    format!("{queue}.moving")
}

/// The lock of who moves.
pub(in crate::rabbitmq) fn lock_of(queue: &str) -> String {
    format!("{queue}.mover")
}

/// A change of the number of partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Move {
    /// 0: there are none yet, and what is in the source's queue is published first.
    pub(in crate::rabbitmq) from: u16,
    pub(in crate::rabbitmq) to: u16,
    /// What was written in another move counts for nothing in this one. From none: [`Self::first`].
    id: u32,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{TO}{}", self.from, self.to)
    }
}

impl Move {
    /// One that nobody has begun yet.
    pub(in crate::rabbitmq) fn new(from: u16, to: u16) -> Self {
        Self { from, to, id: fastrand::u32(1..) }
    }

    /// From none; the same for all workers that want as many, and have them sorted or not.
    pub(super) fn first(to: u16, is_sorted: bool) -> Self {
        Self { from: 0, to, id: u32::from(is_sorted) }
    }

    /// A worker may follow a move from none only if it has events sorted, too, or has not either: RabbitMQ does not compare by what an exchange
    /// divides.
    ///
    /// # Errors
    ///
    /// It may not.
    pub(super) fn check_first(self, source: &Source) -> Result<(), SourceError> {
        if (self.id == 1) == source.is_sorted() {
            return Ok(());
        }
        let (queue, key) = (&source.queue, key_of(source, "partition_by"));
        Err(SourceError::Failed(format!(
            "`{queue}` is being divided into partitions by another key than {key} for the first time, as queue `{}` says: start the workers with \
             the key that it began with, until one says `consuming`, and see \"Another key\" in docs/partitions.md",
            name_of(queue)
        )))
    }

    /// What its messages have in them.
    pub(in crate::rabbitmq) fn id(self) -> String {
        format!("{:08x}", self.id)
    }

    /// As the queue has it.
    fn written(self) -> String {
        if self.id == 0 { self.to_string() } else { format!("{self}{AS}{}", self.id()) }
    }

    fn read(text: &str) -> Option<Self> {
        let number = |it: &str| it.parse().ok().filter(|it| *it <= MOST_PARTITIONS);
        let (numbers, id) = match text.split_once(AS) {
            Some((numbers, id)) => (numbers, u32::from_str_radix(id, 16).ok()?),
            None => (text, 0),
        };
        let (from, to) = numbers.split_once(TO)?;
        Some(Self { from: number(from)?, to: number(to).filter(|it| *it > 0)?, id })
    }

    /// Says how to finish it.
    pub(in crate::rabbitmq) fn unfinished(self, source: &Source) -> SourceError {
        SourceError::Failed(format!(
            "the move of `{}` from {} partitions is in its last step: it ends within seconds, and the source goes on; if not, run \
             `event-pusher-sns partitions move --source {} --to {}` again",
            source.queue, self, source.name, self.to
        ))
    }
}

/// The move that is under way, if there is one.
///
/// # Errors
///
/// It can't be told.
pub(in crate::rabbitmq) async fn find(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
) -> Result<Option<Move>, SourceError> {
    let moving = name_of(&source.queue);
    let unknown = |said: String| {
        SourceError::Failed(format!(
            "queue `{moving}` says from which number of partitions to which `{}` is moved, but it can't be read: {said}",
            source.queue
        ))
    };
    let arguments = match learn(connection, amqp, source).await? {
        None => return Ok(None),
        Some(Learnt::Known(arguments)) => arguments,
        Some(Learnt::Refused(said)) => {
            let needs = "the user needs the configure permission on it";
            return Err(unknown(format!("{needs}: {said}")));
        }
        Some(Learnt::Locked(said) | Learnt::Unknown(said, _)) => return Err(unknown(said)),
    };
    let written = arguments.text(DEAD_LETTER_ROUTING_KEY).filter(|_| arguments.kind() != STREAM);
    written
        .and_then(Move::read)
        .map(Some)
        .ok_or_else(|| unknown("it is none of this program's; delete it".to_owned()))
}

async fn learn(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
) -> Result<Option<Learnt>, SourceError> {
    let perhaps = QueueArguments::durable(arguments_of(amqp, Move::first(0, false)));
    learn_if_there(connection, &name_of(&source.queue), perhaps).await
}

/// From now on the move is under way.
///
/// # Errors
///
/// Another one is, or the user may not.
pub(in crate::rabbitmq) async fn begin(
    connection: &BrokerConnection,
    amqp: &Amqp,
    source: &Source,
    to_move: Move,
) -> Result<(), SourceError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let arguments = arguments_of(amqp, to_move);
    arguments::declare(connection, &name_of(&source.queue), options, arguments).await?;
    // RabbitMQ's answers, by which it is read, are cut after 255 bytes.
    if !matches!(learn(connection, amqp, source).await?, Some(Learnt::Unknown(..))) {
        return Ok(());
    }
    end(connection, source).await?;
    let (queue, key) = (&source.queue, key_of(source, "queue"));
    Err(SourceError::PreconditionFailed(format!(
        "`{queue}` ({key}) is too long a name: RabbitMQ's answers about `{}`, which are cut after 255 bytes, have no room for what it says; \
         give the source a queue with a shorter name, of 80 bytes at most, together with that of the virtual host",
        name_of(queue)
    )))
}

/// No move is under way any more.
///
/// # Errors
///
/// The broker refuses.
pub(in crate::rabbitmq) async fn end(
    connection: &BrokerConnection,
    source: &Source,
) -> Result<(), SourceError> {
    delete_queue(connection, &name_of(&source.queue)).await
}

/// The exchange that divides what comes now, where there are so many partitions.
pub(in crate::rabbitmq) fn divides_now(
    source: &Source,
    count: u16,
    under_way: Option<Move>,
) -> String {
    let moved_to = under_way.filter(|it| it.from == count).map(|it| it.to);
    Names::of(&source.queue, moved_to.unwrap_or(count)).hash_exchange
}

fn arguments_of(amqp: &Amqp, to_move: Move) -> FieldTable {
    moving_arguments(amqp, &to_move.written())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_read_as_it_was_written_and_nothing_else_is() {
        for to_move in [Move::new(40, 80), Move::first(40, false), Move::first(40, true)] {
            assert_eq!(Move::read(&to_move.written()), Some(to_move));
        }
        assert_ne!(Move::new(40, 80), Move::new(40, 80), "each is another one");
        let wrong = ["", "40", "40 to ", "40 to 0", "40 to 257", "a to b", "40 to 80 to 90"];
        for wrong in
            wrong.into_iter().chain(["40 to 80 as ", "40 to 80 as x", "40 to 80 as 1 as 2"])
        {
            assert_eq!(Move::read(wrong), None, "{wrong}");
        }
    }
}

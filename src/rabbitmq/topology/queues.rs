//! Declares the queues that `run` needs.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use super::arguments::{self, Difference, Learnt, QUEUE_TYPE, QueueArguments};
use super::declared::{
    DEAD_LETTER_EXCHANGE, DEAD_LETTER_STRATEGY, DELIVERY_LIMIT, dead_letter_arguments,
    parking_arguments, partition_arguments, queue_arguments_with,
};
use super::fitness;
use super::mismatch::{Declaration, Deviation, LIMITED, Thing, key_of};
use super::order_arguments::{DISCONNECTED_TIMEOUT, OrderArguments};
use crate::config::{Amqp, QueueType, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{Server, bounded, on_channel};

/// Arguments without which a queue works as well as its broker can, and the first version of RabbitMQ that knows them. Older ones
/// ignore them, as RabbitMQ does with all that it does not know; other brokers may refuse them.
const OPTIONAL: [(&str, (u32, u32, u32)); 2] =
    [(DEAD_LETTER_STRATEGY, (3, 10, 0)), (DISCONNECTED_TIMEOUT, (4, 3, 0))];

/// The queues and arguments of which it was said that the broker does not know them: each queue is declared again in every session.
static SAID: Mutex<BTreeSet<(String, &'static str)>> = Mutex::new(BTreeSet::new());

fn log_unknown(queue: &str, argument: &'static str) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert((queue.to_owned(), argument)) {
        tracing::debug!(
            event = "queue_argument_unknown",
            queue,
            argument,
            "broker does not know an argument of the queue: it is declared, and works without"
        );
    }
}

/// The optional arguments that this broker ignores.
fn ignored(arguments: &FieldTable, server: &Server) -> impl Iterator<Item = &'static str> {
    let is_ignored = move |from| server.is_rabbitmq_within((0, 0, 0), from);
    let of_them = OPTIONAL.into_iter();
    let of_them =
        of_them.filter(move |(name, from)| arguments.contains_key(name) && is_ignored(*from));
    of_them.map(|(name, _)| name)
}

/// Deletes a queue, if it is there, with all that is in it.
///
/// # Errors
///
/// The broker refuses.
pub(in crate::rabbitmq) async fn delete_queue(
    connection: &BrokerConnection,
    queue: &str,
) -> Result<(), SourceError> {
    on_channel(connection, async |channel: &Channel| {
        let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        bounded(&format!("deleting queue `{queue}`"), deleted).await.map(drop)
    })
    .await
}

/// A queue as `run` declares it.
#[derive(Debug, Clone)]
pub(in crate::rabbitmq) struct DeclaredQueue<'a> {
    name: &'a str,
    arguments: FieldTable,
    /// Those that it would get if `amqp.queue_type` were the other one.
    otherwise: FieldTable,
    declaration: Declaration<'a>,
}

impl<'a> DeclaredQueue<'a> {
    fn new(
        declaration: Declaration<'a>,
        (name, queue_type): (&'a str, QueueType),
        of_type: impl Fn(QueueType) -> FieldTable,
    ) -> Self {
        let other = match queue_type {
            QueueType::Quorum => QueueType::Classic,
            QueueType::Classic => QueueType::Quorum,
        };
        let (arguments, otherwise) = (of_type(queue_type), of_type(other));
        let declaration = declaration.with_arguments(&arguments);
        let declaration = declaration.decided_by(QUEUE_TYPE, "amqp.queue_type");
        Self { name, arguments, otherwise, declaration }
    }

    /// A source's queue, with these arguments for order.
    pub(in crate::rabbitmq) fn of_events(
        amqp: &Amqp,
        source: &'a Source,
        order: OrderArguments,
    ) -> Self {
        let name = &source.queue;
        let declaration = Declaration::new(Thing::Queue, name, key_of(source, "queue"));
        let declaration = declaration.decided_by(DEAD_LETTER_EXCHANGE, "amqp.dead_letter_exchange");
        let declaration = declaration.decided_by(DELIVERY_LIMIT, "amqp.delivery_limit");
        let of_type = |it| queue_arguments_with(amqp, it, order);
        Self::new(declaration, (name, amqp.queue_type), of_type)
    }

    /// One of a source's partitions.
    pub(in crate::rabbitmq) fn of_partition(amqp: &Amqp, source: &Source, name: &'a str) -> Self {
        let named_by = format!("that of {} with the partition appended", key_of(source, "queue"));
        let declaration = Declaration::new(Thing::Queue, name, named_by);
        let declaration = declaration.decided_by(DEAD_LETTER_EXCHANGE, "amqp.dead_letter_exchange");
        let declaration = declaration.decided_by(DELIVERY_LIMIT, "amqp.delivery_limit");
        let order = OrderArguments::of(amqp, source);
        let of_type = |it| partition_arguments(amqp, it, order);
        Self::new(declaration, (name, amqp.queue_type), of_type)
    }

    /// The queue for a source's parked events.
    pub(in crate::rabbitmq) fn of_parked(amqp: &Amqp, source: &Source, name: &'a str) -> Self {
        let named_by = format!("that of {} with .held appended", key_of(source, "queue"));
        let declaration = Declaration::new(Thing::Queue, name, named_by);
        let of_type = |it| parking_arguments(it, &source.queue);
        Self::new(declaration, (name, amqp.queue_type), of_type)
    }

    /// The queue for dead letters.
    pub(in crate::rabbitmq) fn of_dead_letters(amqp: &'a Amqp) -> Self {
        let (name, key) = (&amqp.dead_letter_queue, "amqp.dead_letter_queue");
        let declaration = Declaration::new(Thing::DeadLetterQueue, name, key);
        Self::new(declaration, (name, amqp.queue_type), dead_letter_arguments)
    }

    pub(in crate::rabbitmq) const fn arguments(&self) -> &FieldTable {
        &self.arguments
    }

    /// Declares it, on channels that a refusal closes; durable.
    ///
    /// # Errors
    ///
    /// In what the queue that is there differs, in words for the operator, or another refusal.
    pub(in crate::rabbitmq) async fn declare(
        &self,
        connection: &BrokerConnection,
    ) -> Result<(), SourceError> {
        let refused = match self.declare_unexplained(connection).await {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        Err(self.explain(connection, refused).await)
    }

    /// The same with RabbitMQ's own words.
    pub(super) async fn declare_unexplained(
        &self,
        connection: &BrokerConnection,
    ) -> Result<(), SourceError> {
        let mut arguments = self.arguments.clone();
        loop {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            let declared = arguments::declare(connection, self.name, options, arguments.clone());
            let error = match declared.await {
                Ok(()) => {
                    let ignored = ignored(&arguments, connection.server());
                    ignored.for_each(|it| log_unknown(self.name, it));
                    return Ok(());
                }
                Err(error) => error,
            };
            let Some((unknown, fewer)) = without_unknown(&arguments, &error) else {
                return Err(error);
            };
            log_unknown(self.name, unknown);
            arguments = fewer;
        }
    }

    /// A refusal in words for the operator.
    pub(super) async fn explain(
        &self,
        connection: &BrokerConnection,
        refused: SourceError,
    ) -> SourceError {
        let differs = matches!(&refused, SourceError::PreconditionFailed(said)
            if Difference::argument_in(said).is_some());
        if differs && connection.server().refuses_wrong_arguments() {
            let learnt = self.learn(connection).await;
            let (all, harm) = learnt.map_or((Vec::new(), None), |(known, cut)| {
                let all = self.deviations_of(&known, cut.as_deref());
                (all, self.harm(&known, connection.server()))
            });
            if !all.is_empty() {
                return SourceError::PreconditionFailed(self.declaration.line(&all, harm));
            }
        }
        // One, as far as it is told.
        self.declaration.explain(refused)
    }

    /// The arguments of the queue that is there, and one of which RabbitMQ tells nothing more. Its refusal names one argument, whatever else
    /// differs; so it is asked again, with that one as it is there.
    async fn learn(
        &self,
        connection: &BrokerConnection,
    ) -> Option<(QueueArguments, Option<String>)> {
        let ours = QueueArguments::durable(self.arguments.clone());
        match arguments::learn_from(connection, self.name, ours).await {
            Ok(Learnt::Known(known)) => Some((known, None)),
            Ok(Learnt::Unknown(said, known)) => {
                Some((known, Difference::argument_in(&said).map(str::to_owned)))
            }
            _ => None,
        }
    }

    /// What would happen if the queue were used with these arguments, where it would lose something.
    pub(super) fn harm(&self, known: &QueueArguments, server: &Server) -> Option<&'static str> {
        match self.declaration.thing() {
            Thing::DeadLetterQueue if fitness::of_dead_letters(known).is_some() => {
                Some("RabbitMQ removes dead letters from it")
            }
            Thing::DeadLetterQueue if fitness::limits_deliveries(known, server) => Some(LIMITED),
            Thing::Queue if fitness::loses_events(known).is_some() => {
                Some("RabbitMQ drops events that wait in it")
            }
            _ => None,
        }
    }

    /// But for the arguments for order, with which a queue is used as it is.
    pub(super) fn deviations_of(
        &self,
        known: &QueueArguments,
        cut: Option<&str>,
    ) -> Vec<Deviation> {
        let mut all = self.declaration.deviations(known, &self.otherwise, cut);
        all.retain(|it| !OrderArguments::has(&it.argument));
        all
    }

    #[cfg(test)]
    pub(super) const fn declaration(&self) -> &Declaration<'a> {
        &self.declaration
    }
}

/// The optional argument that the broker does not know, if that is why it refuses, and the arguments without it. The words are
/// RabbitMQ's for an argument that a type of queue does not have (`rabbit_amqqueue:check_arguments_key`).
fn without_unknown(
    arguments: &FieldTable,
    error: &SourceError,
) -> Option<(&'static str, FieldTable)> {
    let SourceError::PreconditionFailed(said) = error else { return None };
    let names = OPTIONAL.into_iter().map(|(name, _)| name);
    let unknown = names.into_iter().find(|it| said.contains(&format!("invalid arg '{it}'")))?;
    let mut fewer = arguments.inner().clone();
    fewer.remove(unknown)?;
    Some((unknown, fewer.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_the_broker_refuses_is_left_out_if_the_queue_works_without() {
        let said = |argument: &str| {
            SourceError::PreconditionFailed(format!(
                "queue `q`: PRECONDITION_FAILED - invalid arg '{argument}' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"
            ))
        };
        let mut arguments = FieldTable::default();
        for name in [DEAD_LETTER_STRATEGY, DEAD_LETTER_EXCHANGE] {
            arguments.insert(name.into(), 1_i64.into());
        }
        let (unknown, fewer) = without_unknown(&arguments, &said(DEAD_LETTER_STRATEGY)).unwrap();
        assert_eq!(unknown, DEAD_LETTER_STRATEGY);
        assert!(fewer.contains_key(DEAD_LETTER_EXCHANGE) && fewer.inner().len() == 1);
        assert_eq!(without_unknown(&fewer, &said(DEAD_LETTER_STRATEGY)), None, "no endless loop");
        assert_eq!(without_unknown(&arguments, &said(DEAD_LETTER_EXCHANGE)), None);
        let differs = "inequivalent arg 'x-dead-letter-strategy' for queue 'q'";
        let differs = SourceError::PreconditionFailed(differs.to_owned());
        assert_eq!(without_unknown(&arguments, &differs), None);
    }

    #[test]
    fn what_a_version_of_rabbitmq_ignores_is_known() {
        let mut arguments = FieldTable::default();
        for name in [DEAD_LETTER_STRATEGY, DISCONNECTED_TIMEOUT] {
            arguments.insert(name.into(), 1_i64.into());
        }
        let of = |product: &str, version: &str| {
            let server = Server::new(product.as_bytes(), version.as_bytes());
            ignored(&arguments, &server).collect::<Vec<_>>()
        };
        assert_eq!(of("RabbitMQ", "3.9.1"), [DEAD_LETTER_STRATEGY, DISCONNECTED_TIMEOUT]);
        assert_eq!(of("RabbitMQ", "3.10.8"), [DISCONNECTED_TIMEOUT]);
        assert!(of("RabbitMQ", "4.3.6").is_empty());
        assert!(of("LavinMQ", "2.9").is_empty(), "that is not known");
    }
}

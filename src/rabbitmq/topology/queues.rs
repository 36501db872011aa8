//! Declares the queues that `run` needs.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use super::arguments::{self, Difference, Learnt, QUEUE_TYPE, QueueArguments};
use super::declared::{
    DEAD_LETTER_EXCHANGE, DEAD_LETTER_STRATEGY, DELIVERY_LIMIT, dead_letter_arguments,
    parking_arguments, queue_arguments_with,
};
use super::mismatch::{Declaration, Deviation, Thing, key_of};
use super::order_arguments::OrderArguments;
use crate::config::{Amqp, QueueType, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// Arguments without which a queue works as well as its broker can: RabbitMQ knows this one from 3.10 on, and refuses what it does
/// not know.
const OPTIONAL: [&str; 1] = [DEAD_LETTER_STRATEGY];

/// The queues of which it was said that the broker does not know an argument: each is declared again in every session.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Whether nothing was said of this queue before.
fn is_first(said: &Mutex<BTreeSet<String>>, queue: &str) -> bool {
    said.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned())
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
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let Some(fewer) = without_unknown(&arguments, &error) else { return Err(error) };
            if is_first(&SAID, self.name) {
                tracing::debug!(
                    event = "queue_argument_unknown",
                    queue = self.name,
                    %error,
                    "broker does not know an argument of the queue: it is declared without"
                );
            }
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
            let all = self.deviations(connection).await;
            if !all.is_empty() {
                return SourceError::PreconditionFailed(self.declaration.line(&all));
            }
        }
        // One, as far as it is told.
        self.declaration.explain(refused)
    }

    /// In what the queue that is there differs. RabbitMQ's refusal names one argument, whatever else differs; so it is asked again, with
    /// that one as it is there.
    async fn deviations(&self, connection: &BrokerConnection) -> Vec<Deviation> {
        let ours = QueueArguments::durable(self.arguments.clone());
        match arguments::learn_from(connection, self.name, ours).await {
            Ok(Learnt::Known(known)) => self.deviations_of(&known, None),
            Ok(Learnt::Unknown(said, known)) => {
                self.deviations_of(&known, Difference::argument_in(&said))
            }
            _ => Vec::new(),
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

/// The arguments less the optional one that the broker does not know, if that is what it says
/// (`rabbit_amqqueue:check_arguments_key`).
fn without_unknown(arguments: &FieldTable, error: &SourceError) -> Option<FieldTable> {
    let SourceError::PreconditionFailed(said) = error else { return None };
    let unknown = OPTIONAL.into_iter().find(|it| said.contains(&format!("invalid arg '{it}'")))?;
    let mut fewer = arguments.inner().clone();
    fewer.remove(unknown)?;
    Some(fewer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are RabbitMQ's for an argument that a type of queue does not have.
    #[test]
    fn an_argument_that_the_broker_does_not_know_is_left_out_if_the_queue_works_without() {
        let said = |argument: &str| {
            SourceError::PreconditionFailed(format!(
                "queue `q`: PRECONDITION_FAILED - invalid arg '{argument}' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"
            ))
        };
        let mut arguments = FieldTable::default();
        for name in [DEAD_LETTER_STRATEGY, DEAD_LETTER_EXCHANGE] {
            arguments.insert(name.into(), 1_i64.into());
        }
        let fewer = without_unknown(&arguments, &said(DEAD_LETTER_STRATEGY)).unwrap();
        assert!(fewer.contains_key(DEAD_LETTER_EXCHANGE) && fewer.inner().len() == 1);
        assert_eq!(without_unknown(&fewer, &said(DEAD_LETTER_STRATEGY)), None, "no endless loop");
        assert_eq!(without_unknown(&arguments, &said(DEAD_LETTER_EXCHANGE)), None);
        let differs = "inequivalent arg 'x-dead-letter-strategy' for queue 'q'";
        let differs = SourceError::PreconditionFailed(differs.to_owned());
        assert_eq!(without_unknown(&arguments, &differs), None);
    }
    #[test]
    fn an_argument_that_the_broker_does_not_know_is_said_once_of_each_queue() {
        let said = Mutex::default();
        assert!(is_first(&said, "q") && is_first(&said, "p"));
        assert!(!is_first(&said, "q") && !is_first(&said, "p"));
    }
}

//! Inspects a queue: whether it is there, its real type and arguments, and whether it is as configured, or fit to be used as it is.

use lapin::types::FieldTable;

use super::needs::Resource;
use super::{Finding, Inspector};
use crate::config::{Amqp, Parking, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::priorities;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::arguments::{QueueArguments, STREAM};
use crate::rabbitmq::topology::fitness::{self, Fitness};
use crate::rabbitmq::topology::order_arguments::OrderArguments;
use crate::rabbitmq::topology::partitions::marker::marker_of;
use crate::rabbitmq::topology::queues::DeclaredQueue;
use crate::rabbitmq::topology::source_queue;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// A queue that `run` needs, as it would declare it.
pub(super) struct Wanted<'a> {
    purpose: Purpose,
    queue: &'a str,
    /// The source's queue, to which parked events come back.
    home: &'a str,
    declared: DeclaredQueue<'a>,
    /// The source, where this is its queue.
    source: Option<&'a Source>,
}

impl<'a> Wanted<'a> {
    pub(super) fn events(amqp: &Amqp, source: &'a Source) -> Self {
        let (queue, order) = (&source.queue, OrderArguments::of(amqp, source));
        let declared = DeclaredQueue::of_events(amqp, source, order);
        Self { purpose: Purpose::Events, queue, home: queue, declared, source: Some(source) }
    }

    pub(super) fn dead_letters(amqp: &'a Amqp) -> Self {
        let (queue, declared) = (&amqp.dead_letter_queue, DeclaredQueue::of_dead_letters(amqp));
        Self { purpose: Purpose::DeadLetters, queue, home: queue, declared, source: None }
    }

    fn parked(amqp: &Amqp, source: &'a Source, queue: &'a str) -> Self {
        let declared = DeclaredQueue::of_parked(amqp, source, queue);
        Self { purpose: Purpose::Parked, queue, home: &source.queue, declared, source: None }
    }
}

/// What could be found out of a queue that is there.
enum Found {
    Known(QueueArguments),
    Stream,
    /// Why type and arguments can't be told; whether it is known that the queue is no stream.
    Hidden {
        why: String,
        is_no_stream: bool,
    },
}

impl Inspector<'_> {
    pub(super) async fn find_queue(&self, queue: &str) -> Result<(), SourceError> {
        topology::find_queue(&self.channel().await?, queue).await
    }

    pub(super) async fn queue(&self, wanted: &Wanted<'_>) -> Finding {
        let Wanted { purpose, queue, declared, .. } = wanted;
        let named = format!("queue `{queue}` ({})", self.amqp.queue_type.into_str());
        if let Err(error) = self.find_queue(queue).await {
            return self.absent(&Resource::Queue((*queue).to_owned()), &named, error);
        }
        let compared = if self.amqp.declare { Some(self.compare(wanted).await) } else { None };
        match compared {
            Some(Ok(None)) => return Finding::good(format!("{named}: exists, as configured")),
            Some(Ok(Some(deviation))) => {
                let text = format!("{named}: exists, used as it is: {deviation}");
                return Finding { good: !self.stops_for_order(wanted.source).await, text };
            }
            // It is there no longer, or the broker does not answer.
            Some(Err(error @ (SourceError::NotFound(_) | SourceError::Failed(_)))) => {
                return Finding::bad(error.to_string());
            }
            _ => {}
        }
        let found = self.look_at(queue, declared.arguments()).await;
        if matches!(&found, Found::Stream)
            || matches!(&found, Found::Known(known) if known.kind() == STREAM)
        {
            self.seen.borrow_mut().streams.insert((*queue).to_owned());
            return Finding::bad(purpose.refusal(queue).to_string());
        }
        if let Found::Known(known) = &found {
            let mut seen = self.seen.borrow_mut();
            seen.known.insert((*queue).to_owned(), known.clone());
            if fitness::has_length_limit(known) {
                seen.limited.insert((*queue).to_owned());
            }
        }
        let shown = describe(queue, &found);
        match compared {
            None => self.as_it_is(wanted, &shown, &found).await,
            Some(Err(SourceError::PreconditionFailed(said))) => Finding::bad(match &found {
                Found::Known(known) => format!("{said}; what is there: {known}"),
                _ => said,
            }),
            Some(_) => Finding::good(format!(
                "{shown}: exists; RabbitMQ compares it only for a user with the configure permission on it"
            )),
        }
    }

    /// Whether `run` would not consume a queue whose arguments for order are others. What is left in a queue of partitions is another matter.
    async fn stops_for_order(&self, source: Option<&Source>) -> bool {
        let Some(source) = source.filter(|it| it.single_active && it.stops_without_order()) else {
            return false;
        };
        source.partitions == 0 || self.find_queue(&marker_of(&source.queue)).await.is_err()
    }

    /// Declares a queue that is there once more, by which RabbitMQ compares. Returns in which of the arguments for order it differs,
    /// if it does.
    async fn compare(&self, wanted: &Wanted<'_>) -> Result<Option<String>, SourceError> {
        let connection = self.publisher.connection();
        let Wanted { declared, source, .. } = wanted;
        let Some(source) = source else {
            declared.declare(connection).await?;
            return Ok(None);
        };
        let order = source_queue::declare(connection, self.amqp, source, None).await?;
        Ok(order.deviation(OrderArguments::of(self.amqp, source)))
    }

    async fn look_at(&self, queue: &str, ours: &FieldTable) -> Found {
        let connection = self.publisher.connection();
        let ours = QueueArguments::durable(ours.clone());
        let why = match fitness::known(connection, queue, ours).await {
            Ok(known) => return Found::Known(known),
            Err(why) if !self.is_strict => return Found::Hidden { why, is_no_stream: false },
            Err(why) => why,
        };
        match stream::ask(connection, queue).await {
            Some(true) => Found::Stream,
            answer => Found::Hidden { why, is_no_stream: answer.is_some() },
        }
    }

    /// Whether a queue that is used as it is keeps every event.
    async fn as_it_is(&self, wanted: &Wanted<'_>, shown: &str, found: &Found) -> Finding {
        let connection = self.publisher.connection();
        let fitness = match (wanted.purpose, found) {
            (Purpose::Events, Found::Known(known)) => {
                fitness::events(self.amqp, connection, known).await
            }
            (Purpose::Parked, Found::Known(known)) => {
                fitness::of_parking(known, wanted.home).map_or(Fitness::Fit, Fitness::Unfit)
            }
            (Purpose::Parked, Found::Hidden { why, .. }) => {
                Fitness::Unknown(fitness::unknown_parking(wanted.home, why))
            }
            (Purpose::Events, Found::Hidden { why, .. }) => {
                Fitness::Unknown(fitness::unknown_events(self.amqp, why))
            }
            (Purpose::DeadLetters, Found::Known(known)) => {
                fitness::of_dead_letters(known).map_or(Fitness::Fit, Fitness::Unfit)
            }
            (_, Found::Stream) | (Purpose::DeadLetters, Found::Hidden { .. }) => Fitness::Fit,
        };
        let remark = match (fitness, found) {
            (Fitness::Unfit(problem), _) => return Finding::bad(format!("{shown}: {problem}")),
            (Fitness::Unknown(why), _) => Some(why),
            (Fitness::Fit, Found::Known(known)) => fitness::remark(known),
            (Fitness::Fit, _) => None,
        };
        let order = match (wanted.source, found) {
            (Some(source), Found::Known(known)) => OrderArguments::deviation_of(known, source),
            _ => None,
        };
        let all = [Some(format!("{shown}: exists, used as it is")), remark, order];
        Finding::good(all.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// `run` can do without, but a held topic has consequences then.
    pub(super) async fn parking(&self, source: &Source, parking: &Parking) -> Finding {
        let (queue, home) = (&parking.queue, &source.queue);
        let found = self.find_queue(queue).await;
        let named = format!("queue `{queue}` (events of held topics)");
        match found {
            Err(SourceError::NotFound(_)) if !self.amqp.declare => {
                self.seen.borrow_mut().missing.insert(queue.clone());
                return Finding::good(format!(
                    "{named}: does not exist, so a held topic will keep the source's other topics waiting; to avoid that, \
                     create the queue, durable, with x-dead-letter-exchange \"\" and x-dead-letter-routing-key \"{home}\" \
                     (docs/own-queues.md)"
                ));
            }
            Err(SourceError::AccessRefused(_)) if !self.amqp.declare => {
                // `run` parks nothing then, as if it did not exist.
                self.seen.borrow_mut().missing.insert(queue.clone());
                let unknown = fitness::unknown_parking(home, "without a permission on the queue");
                return Finding::good(format!(
                    "{named}: can't tell whether it exists: the user may not look at it; {unknown}"
                ));
            }
            _ => {}
        }
        self.queue(&Wanted::parked(self.amqp, source, queue)).await
    }
}

impl Inspector<'_> {
    /// Why parked events do not let others pass, where they have a priority for that.
    pub(super) fn parked_priority(&self, source: &Source, parking: &Parking) -> Option<Finding> {
        let (priority, queue) = (parking.priority?, &source.queue);
        let seen = self.seen.borrow();
        if !self.amqp.declare
            && (seen.missing.contains(queue) || seen.missing.contains(&parking.queue))
        {
            return None;
        }
        let ours = QueueArguments::durable(topology::queue_arguments(self.amqp, source));
        let known = seen.known.get(queue).or(self.amqp.declare.then_some(&ours));
        let server = self.publisher.connection().server();
        let said = priorities::caveat(server, Some(queue), known, priority)?;
        Some(Finding::good(format!(
            "warning: outage.parked_priority = {priority} {said} (docs/producers.md). Parked events take their turn with all others; a \
             topic that is held often is better off in a source of its own"
        )))
    }
}

fn describe(queue: &str, found: &Found) -> String {
    match found {
        Found::Known(known) => format!("queue `{queue}` ({known})"),
        Found::Stream => format!("queue `{queue}` ({STREAM})"),
        Found::Hidden { why, is_no_stream } => {
            let no_stream = if *is_no_stream { "no stream; " } else { "" };
            format!("queue `{queue}` ({no_stream}type and arguments: can't tell {why})")
        }
    }
}

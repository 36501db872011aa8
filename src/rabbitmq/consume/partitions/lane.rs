//! A lane: one queue of a source with partitions, on a channel of its own.

use std::rc::Rc;

use lapin::message::Delivery;
use tokio::sync::watch;

use super::trial::Trial;
use super::{Generation, Opened, Partitions, former, suspect};
use crate::config::{Partitioning, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::consume::claim::Claim;
use crate::rabbitmq::consume::consumer::Arrived;
use crate::rabbitmq::consume::settler::Settling;
use crate::rabbitmq::repartition::message::{self, About};
use crate::rabbitmq::topology::partitions::{divert_now, marker, moving};
use crate::rabbitmq::topology::queue_state::QueueState;

/// The queue of a lane.
#[derive(Debug, Clone)]
pub(in crate::rabbitmq::consume) enum LaneQueue {
    /// The source's own, for which workers do not contend. Where a worker sorts what is in it, only the sorter consumes it.
    Own,
    /// The partition of this number, if there are so many.
    Partition { number: usize, claim: Rc<Claim> },
}

impl LaneQueue {
    pub(in crate::rabbitmq::consume) const fn claim(&self) -> Option<&Rc<Claim>> {
        match self {
            Self::Own => None,
            Self::Partition { claim, .. } => Some(claim),
        }
    }

    /// Its name.
    pub(in crate::rabbitmq::consume) fn name<'a>(
        &self,
        source: &'a Source,
        generation: &'a Generation,
    ) -> &'a str {
        match self {
            Self::Own => &source.queue,
            Self::Partition { number, .. } => &generation.names.queues[*number],
        }
    }
}

/// What a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq::consume) enum Look {
    Event,
    /// An event that came past the partitions.
    Bypassed,
    /// The last message before the partitions.
    Begin,
    /// The last message of a partition before there is another number of them.
    End,
}

/// What a lane's session has to do with the others.
#[derive(Debug)]
pub(in crate::rabbitmq::consume) struct Lane {
    partitions: Rc<Partitions>,
    opened: watch::Receiver<Option<Opened>>,
    generation: Rc<Generation>,
    queue: String,
    claim: Option<Rc<Claim>>,
    has_begun: bool,
    /// Of an event of which workers may be dying.
    trial: Option<Box<Trial>>,
    /// It was told that events come past the partitions, and nothing came of it yet.
    is_bypass_news: bool,
    /// The move for which its last message has come.
    ends_by: String,
}

/// What a lane's session is to do about the event that is tried.
#[derive(Debug)]
pub(in crate::rabbitmq::consume) enum Tried {
    /// There is none: deliveries may be taken.
    None,
    /// To be handed out, alone; with a reason it is a dead letter.
    HandOut(Box<Arrived>, Option<Box<str>>),
    /// The session is to end.
    Over,
}

impl Lane {
    pub(in crate::rabbitmq::consume) fn begin(
        partitions: &Rc<Partitions>,
        lane: &LaneQueue,
        queue: &str,
        generation: &Rc<Generation>,
    ) -> Self {
        let claim = lane.claim().cloned();
        partitions.sessions.send_modify(|it| *it += 1);
        if let Some(claim) = &claim {
            claim.begin_session();
        }
        let opened = partitions.opened.subscribe();
        Self {
            partitions: Rc::clone(partitions),
            opened,
            generation: Rc::clone(generation),
            queue: queue.to_owned(),
            claim,
            has_begun: false,
            trial: None,
            is_bypass_news: false,
            ends_by: String::new(),
        }
    }

    /// Whether the session is to end: another worker is to have the partition, or the connection is given up.
    pub(in crate::rabbitmq::consume) fn is_over(&self, connection: &Rc<BrokerConnection>) -> bool {
        let is_asked = self.claim.as_ref().is_some_and(|it| it.is_asked_to_hand_over());
        is_asked || !is_on(self.opened.borrow().as_ref(), connection)
    }

    /// Waits until the session is to end.
    pub(in crate::rabbitmq::consume) async fn over(&mut self, connection: &Rc<BrokerConnection>) {
        over(&mut self.opened, self.claim.as_deref(), connection).await;
    }

    /// How often the first delivery of a partition's session was delivered before, if workers may be dying of it.
    pub(in crate::rabbitmq::consume) fn suspects(
        &mut self,
        (delivery, _): &Arrived,
    ) -> Option<i64> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        // While something is held, events come back again and again, and nobody dies of them.
        if !is_first || self.claim.is_none() || self.partitions.holds.any() {
            return None;
        }
        let limit = self.partitions.broker.config().delivery_limit;
        suspect::suspected(&delivery.properties, limit)
    }

    /// Tries a suspected delivery before it is handed out.
    pub(in crate::rabbitmq::consume) fn begin_trial(
        &mut self,
        arrived: Arrived,
        count: i64,
        settling: &Rc<Settling>,
    ) {
        let trial = Trial::begin(&self.partitions, settling, &self.queue, arrived, count);
        self.trial = Some(Box::new(trial));
    }

    /// Whether an event is tried, or waits for it: what came behind it may not be taken.
    pub(in crate::rabbitmq::consume) const fn tries(&self) -> bool {
        self.trial.is_some()
    }

    /// Waits until the event that is tried is to be handed out, and after that until others may be. May be dropped while it waits.
    pub(in crate::rabbitmq::consume) async fn tried(
        &mut self,
        connection: &Rc<BrokerConnection>,
    ) -> Tried {
        let Some(trial) = &mut self.trial else { return Tried::None };
        let next = tokio::select! {
            biased;
            next = trial.next() => next,
            () = over(&mut self.opened, self.claim.as_deref(), connection) => return Tried::Over,
        };
        let Some((arrived, verdict)) = next else {
            self.trial = None;
            return Tried::None;
        };
        Tried::HandOut(arrived, verdict)
    }

    /// The session ends in order, so that an event that is tried is handed back.
    pub(in crate::rabbitmq::consume) async fn hand_back(&mut self) {
        if let Some(trial) = self.trial.take() {
            trial.hand_back().await;
        }
    }

    /// Looks at what a delivery is.
    pub(in crate::rabbitmq::consume) fn look(
        &mut self,
        source: &Source,
        delivery: &Delivery,
    ) -> Look {
        let amqp = self.partitions.broker.config();
        if self.claim.is_some() {
            let Some(id) = message::end(amqp, &self.queue, &delivery.properties, &delivery.data)
            else {
                return Look::Event;
            };
            self.ends_by = id.to_owned();
            return Look::End;
        }
        if former::is_begin(amqp, source, delivery) {
            return Look::Begin;
        }
        if source.is_sorted() {
            return Look::Event;
        }
        let is_marked = self.opened.borrow().as_ref().is_some_and(|it| it.is_marked);
        let is_by_binding = delivery.exchange.as_str() == source.exchange;
        if is_marked && is_by_binding && self.partitions.may_divert() {
            Look::Bypassed
        } else {
            Look::Event
        }
    }

    /// Whether nothing is ready in the lane's queue. A quorum queue that is busy may say so wrongly, and is asked more than once.
    pub(in crate::rabbitmq::consume) async fn is_drained(
        &self,
        connection: &BrokerConnection,
    ) -> Result<bool, SourceError> {
        let channel = connection.channel().await?;
        let state = QueueState::confirmed(&channel, &self.queue).await?;
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(state.ready == 0)
    }

    /// All that was in the lane's queue before its last message is settled: the partitions of all workers may begin, or this one is over.
    pub(in crate::rabbitmq::consume) async fn is_through(
        &self,
        connection: &BrokerConnection,
        source: &Source,
    ) -> Result<(), SourceError> {
        let broker = &self.partitions.broker;
        if self.claim.is_some() {
            let under_way = moving::find(connection, broker.config(), source).await?;
            // It was the last message of another move.
            if under_way.is_none_or(|it| it.id() != self.ends_by) {
                return Ok(());
            }
            let moving = moving::name_of(&source.queue);
            let about = About { partition: &self.queue, id: &self.ends_by };
            // All lanes may be asked at once, and each needs a connection.
            let _turn = self.partitions.records.lock().await;
            return message::record_ended(broker, &moving, about).await;
        }
        let Some(partitioning) = source.partitioning() else { return Ok(()) };
        let these = Partitioning { count: self.generation.count, ..partitioning };
        marker::mark(connection, broker.config(), source, these).await
    }

    /// Events come through the source's queue as well, so that order is lost: somebody has bound it again. Takes the bindings away.
    pub(in crate::rabbitmq::consume) async fn divert(
        &mut self,
        connection: &BrokerConnection,
        source: &Source,
    ) -> Result<(), SourceError> {
        let Source { queue, exchange, .. } = source;
        let said = format!(
            "queue `{queue}` is bound to exchange `{exchange}`, so that events come twice, past their partitions, and out of order: a \
             worker without `partitions`, or of a former version, consumes it, or somebody has bound it; give all workers the same \
             configuration. The binding is removed"
        );
        if self.partitions.may_tell_of_bypass() {
            self.is_bypass_news = true;
            tracing::warn!(event = "partitions_bypassed", source = source.name, "{said}");
        }
        let amqp = self.partitions.broker.config();
        divert_now(connection, amqp, source, self.generation.count).await?;
        // What had come by the binding is still in the queue, and is published when the source goes on.
        // This may have been dropped while it waited.
        if std::mem::take(&mut self.is_bypass_news) && source.stops_without_order() {
            self.partitions.fail(SourceError::Failed(said));
        }
        Ok(())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(claim) = &self.claim {
            claim.end_session();
        }
        self.partitions.sessions.send_modify(|it| *it -= 1);
    }
}

async fn over(
    opened: &mut watch::Receiver<Option<Opened>>,
    claim: Option<&Claim>,
    connection: &Rc<BrokerConnection>,
) {
    let asked = async {
        match claim {
            Some(claim) => claim.asked_to_hand_over().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = asked => {}
        _ = opened.wait_for(|it| !is_on(it.as_ref(), connection)) => {}
    }
}

/// Whether lanes may consume on this connection.
pub(in crate::rabbitmq::consume) fn is_on(
    opened: Option<&Opened>,
    connection: &Rc<BrokerConnection>,
) -> bool {
    opened.is_some_and(|it| Rc::ptr_eq(&it.connection, connection))
}

//! A lane: one queue of a source with partitions, on a channel of its own.

use std::rc::Rc;

use lapin::Channel;
use lapin::message::Delivery;
use tokio::sync::watch;

use super::trial::Trial;
use super::{Opened, Partitions, former, suspect};
use crate::config::Source;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::{bounded, on_channel};
use crate::rabbitmq::consume::claim::Claim;
use crate::rabbitmq::consume::consumer::Arrived;
use crate::rabbitmq::consume::settler::Settling;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::queue_state::QueueState;

/// The queue of a lane.
#[derive(Debug, Clone)]
pub(in crate::rabbitmq::consume) struct LaneQueue {
    pub(in crate::rabbitmq::consume) queue: String,
    /// `None`: the source's own queue, for which workers do not contend.
    pub(in crate::rabbitmq::consume) claim: Option<Rc<Claim>>,
}

/// What a delivery of the source's own queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq::consume) enum Look {
    Event,
    /// An event that came past the partitions.
    Bypassed,
    /// The last message before the partitions.
    Begin,
}

/// What a lane's session has to do with the others.
#[derive(Debug)]
pub(in crate::rabbitmq::consume) struct Lane {
    partitions: Rc<Partitions>,
    opened: watch::Receiver<Option<Opened>>,
    queue: String,
    claim: Option<Rc<Claim>>,
    has_begun: bool,
    /// Of an event of which workers may be dying.
    trial: Option<Box<Trial>>,
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
    ) -> Self {
        let LaneQueue { queue, claim } = lane.clone();
        partitions.sessions.send_modify(|it| *it += 1);
        if let Some(claim) = &claim {
            claim.begin_session();
        }
        let opened = partitions.opened.subscribe();
        let partitions = Rc::clone(partitions);
        Self { partitions, opened, queue, claim, has_begun: false, trial: None }
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

    /// Looks at a delivery of the queue that the source had before it had partitions.
    pub(in crate::rabbitmq::consume) fn look(&self, source: &Source, delivery: &Delivery) -> Look {
        if self.claim.is_some() {
            return Look::Event;
        }
        if former::is_begin(self.partitions.broker.config(), source, delivery) {
            return Look::Begin;
        }
        let is_marked = self.opened.borrow().as_ref().is_some_and(|it| it.is_marked);
        let is_by_binding = delivery.exchange.as_str() == source.exchange;
        if is_marked && is_by_binding && self.partitions.may_divert() {
            Look::Bypassed
        } else {
            Look::Event
        }
    }

    /// Whether nothing is ready in the source's queue. A quorum queue that is busy may say so wrongly, and is asked more than once.
    pub(in crate::rabbitmq::consume) async fn is_drained(
        &self,
        connection: &BrokerConnection,
        source: &Source,
    ) -> Result<bool, SourceError> {
        let channel = connection.channel().await?;
        let state = QueueState::confirmed(&channel, &source.queue).await?;
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
        Ok(state.ready == 0)
    }

    /// All that was in the source's queue before is settled: the partitions of all workers may begin.
    pub(in crate::rabbitmq::consume) async fn mark(
        &self,
        connection: &BrokerConnection,
        source: &Source,
    ) -> Result<(), SourceError> {
        let Some(partitioning) = source.partitioning() else { return Ok(()) };
        let amqp = self.partitions.broker.config();
        topology::partitions::marker::mark(connection, amqp, source, partitioning).await
    }

    /// Events come through the source's queue as well, so that order is lost: somebody has bound it again. Takes the bindings away.
    pub(in crate::rabbitmq::consume) async fn divert(
        &self,
        connection: &BrokerConnection,
        source: &Source,
    ) -> Result<(), SourceError> {
        let Source { queue, exchange, .. } = source;
        let said = format!(
            "queue `{queue}` is bound to exchange `{exchange}`, so that events come twice, past their partitions, and out of order: a \
             worker without `partitions`, or of a former version, consumes it, or somebody has bound it; give all workers the same \
             configuration. The binding is removed"
        );
        let is_news = self.partitions.may_tell_of_bypass();
        if is_news {
            tracing::warn!(event = "partitions_bypassed", source = source.name, "{said}");
        }
        let hash_exchange = &self.partitions.names.hash_exchange;
        let divert =
            async |it: &Channel| topology::partitions::divert(it, source, hash_exchange).await;
        on_channel(connection, divert).await?;
        // What had come by the binding is still in the queue, and is published when the source goes on.
        if is_news && source.stops_without_order() {
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

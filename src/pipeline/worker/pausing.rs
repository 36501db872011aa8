//! What a source does while an operator has paused something: it begins no session, or ends the one that it has.

use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::ending::DeliveryOf;
use super::{Settled, Worker};
use crate::observe::monitor::State;
use crate::outcome::{Circuit, SourceError};
use crate::pipeline::ports::{Session, Source};
use crate::publish::Publish;

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// Opens a session when the source is not paused; `None` if it was paused meanwhile.
    pub(super) async fn open(&self) -> Result<Option<S::Session>, SourceError> {
        let pauses = self.relay.pauses();
        pauses.attempted().await;
        if pauses.pauses_source(&self.name) {
            self.is(State::Paused);
            pauses.source_resumed(&self.name).await;
        }
        let session = self.source.open().await?;
        if pauses.is_known() {
            return Ok(Some(session));
        }
        // There is a broker now, so there may be somebody who knows.
        pauses.known().await;
        if pauses.pauses_source(&self.name) {
            session.close().await;
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// Waits until what the source has handed back its deliveries for is neither paused nor held.
    pub(super) async fn wait_while_open(&self, circuit: &Circuit) {
        if let Circuit::Topic(topic) = circuit
            && self.relay.pauses().pauses_topic(topic)
        {
            self.is(State::Paused);
            self.relay.pauses().topic_resumed(topic).await;
        }
        self.is(State::Waiting(circuit.clone()));
        self.relay.wait_while_open(circuit).await;
    }

    /// Takes no more, and finishes what it has, as before a stop. What waits for something else is parked, if that is
    /// possible: a pause is to cost nothing of the delivery limit.
    pub(super) async fn pause<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        begin: impl Fn(DeliveryOf<S>) -> F,
        stopped: impl Future<Output = ()>,
    ) {
        if !self.is_lane {
            tracing::info!(
                event = "source_paused",
                source = self.name,
                in_flight = in_flight.len(),
                grace = ?self.grace,
                "source paused by an operator: no further deliveries are taken, and those in flight are finished"
            );
        }
        self.budget.drain_parking();
        // A stop has a grace of its own, which is as long.
        let over = async {
            tokio::select! {
                () = sleep(self.grace) => {}
                () = async { stopped.await; sleep(self.grace).await } => {}
            }
        };
        self.finish_or_hand_back(session, in_flight, begin, over).await;
    }
}

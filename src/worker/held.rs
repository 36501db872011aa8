//! What the worker does with events that are held for longer than they may wait.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::{Settled, Stop, Worker, requested};
use crate::hold::{Held, Stay};
use crate::outcome::Outcome;
use crate::publisher::Publish;
use crate::settle::Settle;
use crate::source::{Begin, Delivery, Session, Source};
use crate::trace::Following;

/// For what is on its way to SNS when everything else is handed back. The broker would take
/// deliveries away ten minutes later.
const LEAVE_WITHIN: Duration = Duration::from_mins(1);

/// All was handed back; now single events try whether what was held is back. Were it all taken at
/// once, a hold that asking can't tell from health would spend everybody's delivery limit.
#[derive(Debug)]
pub(super) struct Trial {
    held: Held,
    /// What was handed back comes first: after so many events it is not among them any more.
    left: usize,
}

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// `None` where order is kept: a single event that went back would stand behind the others.
    pub(super) fn trial(&self, held: Held) -> Option<Trial> {
        let trial = Trial { left: self.room.prefetch(), held };
        Some(trial).filter(|_| !self.room.keeps_order())
    }

    /// An event that could not be parked waits where it was, or is parked in the end.
    pub(super) async fn try_again<T: Settle>(
        &self,
        settler: &T,
        delivery: Delivery<T::Receipt>,
        stay: &Stay<'_>,
        traced: &Following,
    ) -> (Outcome, Settled) {
        let mut started = self.relay.start_again(traced.trace(), &delivery.envelope);
        let outcome = self.relay.finish(&mut started, stay).await;
        self.settle(settler, delivery, outcome, stay, traced).await
    }

    /// How the next session is to begin.
    pub(super) fn begin(&self, trial: &mut Option<Trial>) -> Begin {
        trial.take_if(|trial| trial.left == 0 || self.relay.is_back(&trial.held));
        self.room.only_try(trial.is_some());
        if trial.is_some() { Begin::One } else { Begin::Few }
    }

    /// An event of a session that tries has come to its end: perhaps it was the one that mattered.
    pub(super) fn has_tried(&self, trial: &mut Option<Trial>, session: &mut S::Session) {
        let Some(Trial { held, left }) = trial else { return };
        // Those that are parked meanwhile come again.
        if !self.relay.is_held(held) {
            *left = left.saturating_sub(1);
        }
        if self.begin(trial) == Begin::Few {
            session.take_more();
        }
    }

    /// Lets all deliveries go back that still wait, and what is on its way come to its end.
    pub(super) async fn hand_back<F: Future<Output = Settled>>(
        &self,
        held: &Held,
        again: bool,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        stopped: impl Future<Output = ()>,
    ) {
        if again {
            tracing::debug!(source = self.name, %held, "held for too long still");
        } else {
            tracing::warn!(
                source = self.name,
                %held,
                in_flight = in_flight.len() + 1,
                "held for too long: handing the deliveries back; consuming again when it is over"
            );
        }
        self.let_go(session, in_flight, stopped).await;
    }

    /// Lets all deliveries go back: fewer of them are to be in flight at once.
    pub(super) async fn make_room<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        stopped: impl Future<Output = ()>,
    ) {
        tracing::info!(
            source = self.name,
            in_flight = in_flight.len(),
            "more bytes came than amqp.max_in_flight_bytes, and none could be settled: handing the deliveries back; \
             consuming again with a smaller prefetch"
        );
        self.room.stop();
        self.let_go(session, in_flight, stopped).await;
    }

    /// Finishes what is under way, and leaves the rest to go back.
    async fn let_go<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        stopped: impl Future<Output = ()>,
    ) {
        let over = async {
            tokio::select! {
                () = sleep(LEAVE_WITHIN) => {}
                () = async { stopped.await; sleep(self.grace).await } => {}
            }
        };
        let leave = |_stale| {
            self.leave();
            None
        };
        self.finish(session, in_flight, leave, over).await;
    }

    /// Waits with no consumer.
    pub(super) async fn wait_until_reopened(&self, held: &Held, stop: &mut Stop) {
        tokio::select! {
            biased;
            () = requested(stop) => {}
            () = self.relay.reopened(held) => {}
        }
    }
}

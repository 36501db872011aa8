//! What the worker does with events that are held for longer than they may wait.

use std::cell::Cell;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::{Settled, Stop, Worker, requested};
use crate::hold::{Held, NotNow, Stay};
use crate::publisher::Publish;
use crate::settle::{Settle, park};
use crate::source::{Delivery, Session, Source};

/// For what is on its way to SNS when everything else is handed back. The broker would take
/// deliveries away ten minutes later.
const LEAVE_WITHIN: Duration = Duration::from_mins(1);

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// An event that can't wait at the gate any more: parks it, or leaves it to the end of the session.
    pub(super) async fn put_off<T: Settle>(
        &self,
        settler: &T,
        mut delivery: Delivery<T::Receipt>,
        stay: &Stay<'_>,
        mut not_now: NotNow,
    ) -> Settled {
        while not_now == NotNow::Park {
            match park(settler, delivery).await? {
                Ok(()) => return Ok(None),
                Err(refused) => {
                    self.room.cannot_park(refused.why);
                    delivery = refused.delivery;
                }
            }
            let started = self.relay.start(&delivery.envelope);
            match self.relay.finish(started, stay).await {
                Ok(outcome) => return self.settle(settler, delivery, outcome).await,
                Err(again) => not_now = again,
            }
        }
        Ok(None)
    }

    /// Lets all deliveries go back that still wait, and what is on its way come to its end.
    pub(super) async fn hand_back<F: Future<Output = Settled>>(
        &self,
        held: &Held,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        stopped: impl Future<Output = ()>,
    ) {
        tracing::warn!(
            source = self.name,
            %held,
            in_flight = in_flight.len() + 1,
            "held for too long: handing the deliveries back; consuming again when it is over"
        );
        tokio::select! {
            biased;
            () = stopped => {}
            _ = self.finish(session, in_flight, LEAVE_WITHIN) => {}
        }
    }

    /// Takes no more and finishes what is in flight. Returns whether that took no longer than `within`.
    pub(super) async fn finish<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        within: Duration,
    ) -> bool {
        let untaken = Cell::new(0);
        let stopping = async { untaken.set(session.stop_taking().await) };
        let finishing = async {
            while let Some(settled) = in_flight.next().await {
                // Void or not: all there is left to do is to finish the others.
                let _ = self.record(settled);
            }
        };
        let finished = timeout(within, join(stopping, finishing)).await.is_ok();
        self.tally.received(untaken.get() as u64);
        self.tally.handed_back(untaken.get() as u64);
        self.monitor.untaken(untaken.get());
        finished
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

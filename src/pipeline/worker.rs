//! The worker of a source: receives, relays and settles deliveries until a stop, then drains.

mod ending;
mod log;
mod pausing;
mod reporting;
#[cfg(test)]
mod tests;

use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, timeout};

use self::reporting::{EventContext, report};
use crate::observe::incidents::IncidentKind;
use crate::observe::monitor::{Monitor, State};
use crate::outcome::{Circuit, Outcome, SourceError};
use crate::pause::Pauses;
use crate::pipeline::ports::{Delivery, Session, Settle, Source};
use crate::pipeline::relay::Relay;
use crate::pipeline::settle::{Unsettled, settle};
use crate::publish::Publish;
use crate::publish::hold::WaitBudget;

const FIRST_RECONNECT: Duration = Duration::from_millis(500);
const LONGEST_RECONNECT: Duration = Duration::from_secs(30);

/// A session that has lived so long was a good one: the next pause is a short one again. Nodes that are restarted in turn may come
/// within seconds of each other; and where a broker ends each session, a pause now and then is a tenth of that time.
const STABLE: Duration = Duration::from_secs(5);

/// For leaving the broker properly, after the grace.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Deliveries that are taken before anything else gets its turn.
const AT_ONCE: usize = 32;

/// What has come is left where it is for so long at most, while the publisher has enough: then it is counted,
/// and a lost connection noticed.
const LOOK: Duration = Duration::from_millis(50);

/// Becomes true when the worker is to stop.
pub type Stop = watch::Receiver<bool>;

/// The worker of one source.
#[derive(Debug)]
pub struct Worker<S, P> {
    /// The source's name in the configuration.
    pub name: String,
    /// Where deliveries come from.
    pub source: S,
    /// What is done with them.
    pub relay: Relay<P>,
    /// What its events may wait for open circuits.
    pub budget: WaitBudget,
    /// Where it is counted and seen from outside.
    pub monitor: Rc<Monitor>,
    /// How long what is in flight may take after a stop.
    pub grace: Duration,
    /// It is one of several lanes of the source, and another one tells of the source's state.
    pub is_lane: bool,
}

/// Why a session ended.
enum SessionEnd {
    Stopped,
    Lost(SourceError),
    /// A delivery was past its deadline while this circuit was open.
    Open(Circuit),
    /// More came than may be in flight, and nothing moved.
    TooMuch,
    /// An operator has paused the source, or everything.
    Paused,
    /// Another worker is to have the deliveries.
    HandOver,
}

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// Works until `stop`, through as many sessions as it takes.
    pub async fn run(&self, mut stop: Stop) {
        let mut pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
        let mut nothing_new = false;
        loop {
            let opened = tokio::select! {
                biased;
                () = requested(&mut stop) => return,
                opened = self.open() => opened,
            };
            let error = match opened {
                Ok(None) => continue,
                Ok(Some(session)) => {
                    let renewed = mem::take(&mut nothing_new);
                    if !self.is_lane {
                        self.log_session(renewed);
                        self.monitor.ended(IncidentKind::NotConsuming);
                    }
                    self.is(State::Consuming);
                    let since = Instant::now();
                    let end = self.serve(session, &mut stop).await;
                    if since.elapsed() > STABLE {
                        pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
                    }
                    match end {
                        SessionEnd::Stopped => return,
                        SessionEnd::Open(circuit) => {
                            tokio::select! {
                                biased;
                                () = requested(&mut stop) => {}
                                () = self.wait_while_open(&circuit) => {}
                            }
                            continue;
                        }
                        SessionEnd::Paused => continue,
                        SessionEnd::HandOver
                        | SessionEnd::TooMuch
                        | SessionEnd::Lost(SourceError::Renewal) => {
                            nothing_new = true;
                            continue;
                        }
                        SessionEnd::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            nothing_new = false;
            self.is(State::Disconnected(error.clone()));
            self.log_not_consuming(&error);
            tokio::select! {
                () = requested(&mut stop) => return,
                () = sleep(pauses.draw()) => {}
            }
        }
    }

    async fn serve(&self, mut session: S::Session, stop: &mut Stop) -> SessionEnd {
        let settler = session.settler();
        self.budget.begin_under(session.lease());
        let mut in_flight = FuturesUnordered::new();
        let begin = |delivery| self.handle(delivery, &settler);
        let mut stopped = pin!(requested(stop));
        let mut paused = pin!(self.relay.pauses().source_paused(&self.name));
        let mut look = pin!(sleep(LOOK));
        let end = 'serving: loop {
            tokio::select! {
                biased;
                () = &mut stopped => break SessionEnd::Stopped,
                () = &mut paused => break SessionEnd::Paused,
                Some(settled) = in_flight.next() => {
                    // And the others of its batch, which are ready as well.
                    let mut next = Some(settled);
                    while let Some(settled) = next {
                        if settled == Settled::Stale {
                            break 'serving SessionEnd::Lost(self.why_lost(&mut session).await);
                        }
                        if settled == Settled::Left && let Some(circuit) = self.budget.requeuing() {
                            break 'serving SessionEnd::Open(circuit);
                        }
                        next = in_flight.next().now_or_never().flatten();
                    }
                }
                (mut more, taken) = async {
                    let most = self.wait_for_capacity(look.as_mut()).await;
                    (most, session.next().await)
                } => {
                    look.as_mut().reset(Instant::now() + LOOK);
                    let mut next = Some(taken);
                    while let Some(taken) = next {
                        match taken {
                            Ok(delivery) => in_flight.push(begin(delivery)),
                            Err(SourceError::TooMuch) => break 'serving SessionEnd::TooMuch,
                            Err(SourceError::HandOver) => break 'serving SessionEnd::HandOver,
                            Err(error) => break 'serving SessionEnd::Lost(error),
                        }
                        more -= 1;
                        next = if more > 0 { session.next().now_or_never() } else { None };
                    }
                }
            }
        };
        match &end {
            SessionEnd::Stopped => self.drain(&mut session, &mut in_flight, begin).await,
            SessionEnd::Paused => self.pause(&mut session, &mut in_flight, begin, stopped).await,
            SessionEnd::Open(_) | SessionEnd::TooMuch | SessionEnd::HandOver => {
                self.requeue(&end, &mut session, &mut in_flight, stopped).await;
            }
            SessionEnd::Lost(_) => {}
        }
        // Their receipts are stale or about to be, and dropping them counts them as requeued.
        drop(in_flight);
        self.budget.begin_anew();
        if !matches!(end, SessionEnd::Lost(_))
            && timeout(CLOSE_TIMEOUT, session.close()).await.is_err()
        {
            tracing::warn!(
                event = "close_unconfirmed",
                source = self.name,
                "broker did not confirm the close of the connection"
            );
        }
        end
    }

    /// The source's state is another one, or still the same.
    fn is(&self, state: State) {
        if !self.is_lane {
            self.monitor.is(state);
        }
    }

    /// Waits until more deliveries are wanted, and returns how many at most. What the publisher has no use for yet
    /// stays where it is: begun, it would only wait in one place more, and be out of the processor's
    /// caches when its turn comes.
    async fn wait_for_capacity(&self, look: Pin<&mut Sleep>) -> usize {
        tokio::select! {
            biased;
            () = self.relay.ready() => AT_ONCE,
            () = look => self.budget.prefetch(),
        }
    }

    /// One event, from its delivery to its acknowledgement.
    fn handle<T: Settle>(
        &self,
        delivery: Delivery<T::Receipt>,
        settler: &T,
    ) -> impl Future<Output = Settled> {
        // Here and not in the future, so that places are taken in the order of delivery.
        let mut started = self.relay.start(&delivery.envelope);
        let taken = self.monitor.taken(started.kind);
        if started.is_mended && self.monitor.mended() {
            self.log_first_mended();
        }
        let trace_guard = started.trace.guard();
        let deadline = self.budget.deadline();
        let asked = settler.asks_for_outcome(&delivery).map(Box::new);
        async move {
            let asks = asked.as_deref();
            let event = EventContext { deadline: &deadline, trace_guard: &trace_guard, asks };
            let outcome = self.relay_event(settler, &mut started, &event).await;
            let (outcome, settled) = self.settle(settler, delivery, outcome, &event).await;
            if taken.end(&outcome) {
                self.log_first(&outcome);
            }
            trace_guard.end(&outcome);
            report(settler, asked, &outcome).await;
            settled
        }
    }

    /// Settles it with this outcome. Returns the one that it had in the end.
    async fn settle<T: Settle>(
        &self,
        settler: &T,
        delivery: Delivery<T::Receipt>,
        outcome: Outcome,
        event: &EventContext<'_>,
    ) -> (Outcome, Settled) {
        self.log(&delivery.envelope, &outcome);
        match settle(settler, delivery, &outcome).await {
            Ok(()) => {
                if outcome == Outcome::Parked {
                    self.budget.parked();
                }
                let settled = match outcome {
                    Outcome::Requeued | Outcome::Parked => Settled::Left,
                    _ => Settled::Done,
                };
                (outcome, settled)
            }
            Err(Unsettled::Stale(_)) => (Outcome::Requeued, Settled::Stale),
            // Boxed, since every event in flight would carry the room for it along.
            Err(Unsettled::NotParked { delivery, why }) => {
                self.budget.cannot_park(&why);
                Box::pin(self.try_again(settler, delivery, event)).await
            }
        }
    }

    /// An event that could not be parked waits where it was, or is parked in the end.
    async fn try_again<T: Settle>(
        &self,
        settler: &T,
        delivery: Delivery<T::Receipt>,
        event: &EventContext<'_>,
    ) -> (Outcome, Settled) {
        let mut started = self.relay.start_again(event.trace_guard.trace(), &delivery.envelope);
        let outcome = self.relay_event(settler, &mut started, event).await;
        self.settle(settler, delivery, outcome, event).await
    }
}

/// What the session learns of a delivery that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Done,
    /// It was parked, or is left to the end of the session.
    Left,
    /// The session had ended before.
    Stale,
}

async fn requested(stop: &mut Stop) {
    // Whoever could ask it to stop being gone is as good as being asked.
    let _ = stop.wait_for(|stop| *stop).await;
}

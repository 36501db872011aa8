//! Take, relay, settle, until told to stop; then drain.

mod ending;
mod held;
mod say;
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

use self::held::Trial;
use crate::hold::{Held, NotNow, Room, Stay};
use crate::monitor::{Monitor, State};
use crate::outcome::Outcome;
use crate::pause::Pauses;
use crate::publisher::Publish;
use crate::relay::Relay;
use crate::settle::{Settle, Void, settle};
use crate::source::{Delivery, Session, Source, SourceError};
use crate::tally::Tally;
use crate::trace::Following;

const FIRST_RECONNECT: Duration = Duration::from_millis(500);
const LONGEST_RECONNECT: Duration = Duration::from_secs(30);

/// A session that has lived so long was a good one: the next pause is a short one again.
const STABLE: Duration = Duration::from_mins(1);

/// For leaving the broker properly, after the grace.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Deliveries that are taken before anything else gets its turn.
const AT_ONCE: usize = 32;

/// What has come is left where it is for so long at most, while the publisher has enough: then it is counted,
/// and a lost connection noticed.
const LOOK: Duration = Duration::from_millis(50);

/// Becomes true when the worker is to stop.
pub type Stop = watch::Receiver<bool>;

/// Works off one source.
#[derive(Debug)]
pub struct Worker<S, P> {
    /// The source's name in the configuration.
    pub name: String,
    /// Where deliveries come from.
    pub source: S,
    /// What is done with them.
    pub relay: Relay<P>,
    /// Where its events wait for what is held.
    pub room: Room,
    /// Where it is counted.
    pub tally: Rc<Tally>,
    /// Where it is seen from outside.
    pub monitor: Rc<Monitor>,
    /// How long what is in flight may take after a stop.
    pub grace: Duration,
}

/// Why a session ended.
enum End {
    Stopped,
    Lost(SourceError),
    /// This has been held for too long.
    Held(Held),
    /// More came than may be in flight, and nothing moved.
    TooMuch,
}

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// Works until `stop`, through as many sessions as it takes.
    pub async fn run(&self, mut stop: Stop) {
        let mut pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
        let mut said = Vec::new();
        let mut nothing_new = false;
        let mut trial = None;
        loop {
            let opened = tokio::select! {
                biased;
                () = requested(&mut stop) => return,
                opened = self.source.open(self.begin(&mut trial)) => opened,
            };
            let error = match opened {
                Ok(session) => {
                    if mem::take(&mut nothing_new) {
                        tracing::debug!(source = self.name, "consuming in a new session");
                    } else {
                        tracing::info!(source = self.name, "consuming");
                    }
                    self.monitor.is(State::Consuming);
                    let since = Instant::now();
                    let end = self.serve(session, &mut trial, &mut stop).await;
                    if since.elapsed() > STABLE {
                        pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
                    }
                    said.clear();
                    match end {
                        End::Stopped => return,
                        End::Held(held) => {
                            nothing_new = trial.is_some();
                            self.monitor.is(State::Waiting(held.clone()));
                            self.wait_until_reopened(&held, &mut stop).await;
                            trial = self.trial(held);
                            continue;
                        }
                        End::TooMuch => {
                            nothing_new = true;
                            continue;
                        }
                        End::Lost(error) if error.is_renewal() => {
                            nothing_new = true;
                            continue;
                        }
                        End::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            nothing_new = false;
            self.monitor.is(State::Disconnected(error.clone()));
            // Each trouble once until it consumes again; two that alternate say nothing new either.
            if !said.contains(&error) {
                tracing::error!(source = self.name, %error, "not consuming, trying again");
                said.push(error);
            }
            tokio::select! {
                () = requested(&mut stop) => return,
                () = sleep(pauses.draw()) => {}
            }
        }
    }

    async fn serve(
        &self,
        mut session: S::Session,
        trial: &mut Option<Trial>,
        stop: &mut Stop,
    ) -> End {
        let settler = session.settler();
        let mut in_flight = FuturesUnordered::new();
        let begin = |delivery| {
            self.tally.received(1);
            self.handle(delivery, &settler)
        };
        let mut stopped = pin!(requested(stop));
        let mut look = pin!(sleep(LOOK));
        let end = 'serving: loop {
            tokio::select! {
                biased;
                () = &mut stopped => break End::Stopped,
                Some(settled) = in_flight.next() => {
                    // And the others of its batch, which are ready as well.
                    let mut next = Some(settled);
                    while let Some(settled) = next {
                        match self.record(settled) {
                            Ok(None) => {}
                            Ok(Some(held)) => break 'serving End::Held(held),
                            Err(Void) => {
                                break 'serving End::Lost(self.why_lost(&mut session).await);
                            }
                        }
                        next = in_flight.next().now_or_never().flatten();
                    }
                    self.has_tried(trial, &mut session);
                }
                (mut more, taken) = async {
                    let most = self.wants(look.as_mut()).await;
                    (most, session.next().await)
                } => {
                    look.as_mut().reset(Instant::now() + LOOK);
                    let mut next = Some(taken);
                    while let Some(taken) = next {
                        match taken {
                            Ok(delivery) => in_flight.push(begin(delivery)),
                            Err(error) if error.is_too_much() => break 'serving End::TooMuch,
                            Err(error) => break 'serving End::Lost(error),
                        }
                        more -= 1;
                        next = if more > 0 { session.next().now_or_never() } else { None };
                    }
                }
            }
        };
        match &end {
            End::Stopped => self.drain(&mut session, &mut in_flight, begin).await,
            End::Held(held) => {
                let again = trial.is_some();
                self.hand_back(held, again, &mut session, &mut in_flight, stopped).await;
            }
            End::TooMuch => self.make_room(&mut session, &mut in_flight, stopped).await,
            End::Lost(_) => {}
        }
        // Their receipts are void or about to be; the broker delivers them again.
        self.tally.handed_back(in_flight.len() as u64);
        drop(in_flight);
        self.room.reopen();
        if !matches!(end, End::Lost(_)) && timeout(CLOSE_TIMEOUT, session.close()).await.is_err() {
            tracing::warn!(source = self.name, "the broker did not say goodbye; left all the same");
        }
        end
    }

    /// Waits until more deliveries are wanted, and returns how many at most. What the publisher has no use for yet
    /// stays where it is: begun, it would only wait in one place more, and be out of the processor's
    /// caches when its turn comes.
    async fn wants(&self, look: Pin<&mut Sleep>) -> usize {
        tokio::select! {
            biased;
            () = self.relay.ready() => AT_ONCE,
            () = look => self.room.prefetch(),
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
        let traced = started.trace.follow();
        let stay = self.room.stay();
        async move {
            let finished = self.relay.finish(&mut started, &stay).await;
            let settled = self.conclude(settler, delivery, finished, &stay, &traced).await;
            taken.end(&settled);
            traced.end(&settled);
            settled
        }
    }

    /// Settles it, or puts it off.
    async fn conclude<T: Settle>(
        &self,
        settler: &T,
        delivery: Delivery<T::Receipt>,
        finished: Result<Outcome, NotNow>,
        stay: &Stay<'_>,
        traced: &Following,
    ) -> Settled {
        match finished {
            Ok(outcome) => self.settle(settler, delivery, outcome).await,
            // Boxed, since every event in flight would carry the room for it along.
            Err(not_now) => Box::pin(self.put_off(settler, delivery, stay, not_now, traced)).await,
        }
    }

    async fn settle<T: Settle>(
        &self,
        settler: &T,
        delivery: Delivery<T::Receipt>,
        outcome: Outcome,
    ) -> Settled {
        self.log(&delivery.envelope, &outcome);
        settle(settler, delivery, &outcome).await?;
        Ok(Some(outcome))
    }

    /// Counts it. Returns what holds, if the session is to end for that.
    fn record(&self, settled: Settled) -> Result<Option<Held>, Void> {
        if let Some(outcome) = settled.inspect_err(|Void| self.tally.handed_back(1))? {
            if self.tally.settled(&outcome) {
                self.announce(&outcome);
            }
            return Ok(None);
        }
        self.tally.handed_back(1);
        Ok(self.room.closed_by())
    }
}

/// An outcome that is safe with the broker, or `None`: the event is held and comes again; or a receipt
/// that was void.
type Settled = Result<Option<Outcome>, Void>;

async fn requested(stop: &mut Stop) {
    // Whoever could ask it to stop being gone is as good as being asked.
    let _ = stop.wait_for(|stop| *stop).await;
}

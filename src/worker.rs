//! Take, relay, settle, until told to stop; then drain.

mod held;
#[cfg(test)]
mod tests;

use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::event::Envelope;
use crate::hold::{Held, Room};
use crate::monitor::{Monitor, State};
use crate::outcome::Outcome;
use crate::pause::Pauses;
use crate::publisher::Publish;
use crate::relay::Relay;
use crate::settle::{Settle, Void, settle};
use crate::source::{Delivery, Session, Source, SourceError};
use crate::tally::Tally;

const FIRST_RECONNECT: Duration = Duration::from_millis(500);
const LONGEST_RECONNECT: Duration = Duration::from_secs(30);

/// A session that has lived so long was a good one: the next pause is a short one again.
const STABLE: Duration = Duration::from_mins(1);

/// For a session that can't settle any more to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For leaving the broker properly, after the grace.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Deliveries that are taken before anything else gets its turn.
const AT_ONCE: usize = 32;

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
}

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// Works until `stop`, through as many sessions as it takes.
    pub async fn run(&self, mut stop: Stop) {
        let mut pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
        let mut said = Vec::new();
        let mut renewed = false;
        loop {
            let opened = tokio::select! {
                biased;
                () = requested(&mut stop) => return,
                opened = self.source.open() => opened,
            };
            let error = match opened {
                Ok(session) => {
                    if mem::take(&mut renewed) {
                        tracing::debug!(source = self.name, "consuming in a new session");
                    } else {
                        tracing::info!(source = self.name, "consuming");
                    }
                    self.monitor.is(State::Consuming);
                    let since = tokio::time::Instant::now();
                    let end = self.serve(session, &mut stop).await;
                    if since.elapsed() > STABLE {
                        pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
                    }
                    said.clear();
                    match end {
                        End::Stopped => return,
                        End::Held(held) => {
                            self.monitor.is(State::Waiting(held.clone()));
                            self.wait_until_reopened(&held, &mut stop).await;
                            continue;
                        }
                        End::Lost(error) if error.is_renewal() => {
                            renewed = true;
                            continue;
                        }
                        End::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            renewed = false;
            self.monitor.is(State::Disconnected(error.clone()));
            // Each trouble once until it consumes again; two that alternate say nothing new either.
            if !said.contains(&error) {
                tracing::error!(source = self.name, %error, "not consuming, trying again");
                said.push(error);
            }
            tokio::select! {
                () = requested(&mut stop) => return,
                () = tokio::time::sleep(pauses.draw()) => {}
            }
        }
    }

    async fn serve(&self, mut session: S::Session, stop: &mut Stop) -> End {
        let settler = session.settler();
        let mut in_flight = FuturesUnordered::new();
        let mut stopped = pin!(requested(stop));
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
                }
                taken = session.next() => {
                    let (mut next, mut more) = (Some(taken), AT_ONCE);
                    while let Some(taken) = next {
                        match taken {
                            Ok(delivery) => {
                                self.tally.received(1);
                                in_flight.push(self.handle(delivery, &settler));
                            }
                            Err(error) => break 'serving End::Lost(error),
                        }
                        more -= 1;
                        next = if more > 0 { session.next().now_or_never() } else { None };
                    }
                }
            }
        };
        match &end {
            End::Stopped => self.drain(&mut session, &mut in_flight).await,
            End::Held(held) => self.hand_back(held, &mut session, &mut in_flight, stopped).await,
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

    /// A settlement has failed, so the session is at its end; it knows the reason.
    async fn why_lost(&self, session: &mut S::Session) -> SourceError {
        let last_words = async {
            loop {
                match session.next().await {
                    Ok(_void) => {
                        self.tally.received(1);
                        self.tally.handed_back(1);
                        self.monitor.untaken(1);
                    }
                    Err(error) => return error,
                }
            }
        };
        let silent = |_| SourceError("the broker takes no acknowledgements any more".to_owned());
        timeout(LAST_WORDS, last_words).await.unwrap_or_else(silent)
    }

    /// One event, from its delivery to its acknowledgement.
    fn handle<T: Settle>(
        &self,
        delivery: Delivery<T::Receipt>,
        settler: &T,
    ) -> impl Future<Output = Settled> {
        // Here and not in the future, so that places are taken in the order of delivery.
        let started = self.relay.start(&delivery.envelope);
        let taken = self.monitor.taken(started.kind);
        let stay = self.room.stay();
        async move {
            let settled = match self.relay.finish(started, &stay).await {
                Ok(outcome) => self.settle(settler, delivery, outcome).await,
                Err(not_now) => Box::pin(self.put_off(settler, delivery, &stay, not_now)).await,
            };
            taken.end(&settled);
            settled
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

    /// Takes no more, and finishes what it has within the grace.
    async fn drain<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
    ) {
        tracing::info!(
            source = self.name,
            in_flight = in_flight.len(),
            grace = ?self.grace,
            "stopping: nothing more is taken"
        );
        if !self.finish(session, in_flight, self.grace).await {
            tracing::warn!(source = self.name, "the grace is over: handing back the rest");
        }
    }

    fn log(&self, envelope: &Envelope, outcome: &Outcome) {
        let (id, key) = (envelope.message_id.as_deref(), &*envelope.routing_key);
        match outcome {
            Outcome::Published(sns) => {
                tracing::debug!(source = self.name, id, key, outcome = "published", sns_id = sns.0);
            }
            Outcome::Skipped(reason) => {
                tracing::debug!(source = self.name, id, key, outcome = "skipped", %reason);
            }
            Outcome::DeadLettered(letter) => tracing::debug!(
                source = self.name,
                id,
                key,
                outcome = "dead-lettered",
                reason = %letter.reason,
                error = letter.error
            ),
        }
    }

    /// The first of each way to end is worth a line, all of them are not.
    fn announce(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Published(_) => tracing::info!(source = self.name, "first event published"),
            Outcome::Skipped(reason) => tracing::info!(
                source = self.name,
                %reason,
                "first event skipped for this reason; further ones are only counted"
            ),
            Outcome::DeadLettered(letter) => tracing::warn!(
                source = self.name,
                reason = %letter.reason,
                error = letter.error,
                "first dead letter for this reason; further ones are only counted"
            ),
        }
    }
}

/// An outcome that is safe with the broker, or `None`: the event is held and comes again; or a receipt
/// that was void.
type Settled = Result<Option<Outcome>, Void>;

async fn requested(stop: &mut Stop) {
    // Whoever could ask it to stop being gone is as good as being asked.
    let _ = stop.wait_for(|stop| *stop).await;
}

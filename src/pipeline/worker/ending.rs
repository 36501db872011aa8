//! Ends a session: events in flight are finished, or handed back.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use super::{SessionEnd, Settled, Worker};
use crate::observe::incidents::{Announcement, IncidentKind};
use crate::outcome::{Circuit, SourceError};
use crate::pipeline::ports::{Delivery, Session, Source};
use crate::publish::Publish;

/// For a session that can't settle any more to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For what is on its way to SNS when everything else is requeued. The broker would take deliveries away ten
/// minutes later.
const LEAVE_WITHIN: Duration = Duration::from_mins(1);

pub(super) type DeliveryOf<S> = Delivery<<<S as Source>::Session as Session>::Receipt>;

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// A settlement has failed, so the session is at its end; it knows the reason.
    pub(super) async fn why_lost(&self, session: &mut S::Session) -> SourceError {
        let last_words = async {
            loop {
                match session.next().await {
                    Ok(_stale) => self.leave(),
                    Err(error) => return error,
                }
            }
        };
        let silent =
            |_| SourceError::Failed("the broker takes no acknowledgements any more".to_owned());
        timeout(LAST_WORDS, last_words).await.unwrap_or_else(silent)
    }

    /// Takes no more, and finishes within the grace what it has and nothing holds. What had come is published as
    /// well: to go back would spend some of its delivery limit.
    pub(super) async fn drain<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        begin: impl Fn(DeliveryOf<S>) -> F,
    ) {
        if !self.is_lane {
            tracing::info!(
                event = "stopping",
                source = self.name,
                in_flight = in_flight.len(),
                grace = ?self.grace,
                "stopping: no further deliveries are taken"
            );
        }
        self.budget.drain();
        self.finish_or_hand_back(session, in_flight, begin, sleep(self.grace)).await;
    }

    /// Takes no more, and finishes what it has and nothing holds, until it is `over`.
    pub(super) async fn finish_or_hand_back<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        begin: impl Fn(DeliveryOf<S>) -> F,
        over: impl Future<Output = ()>,
    ) {
        let begin = |delivery| Some(begin(delivery));
        if !self.finish(session, in_flight, begin, over).await {
            tracing::warn!(
                event = "grace_over",
                source = self.name,
                "grace over: deliveries still in flight are handed back"
            );
        }
    }

    /// Finishes what is under way, and leaves all other deliveries to go back.
    pub(super) async fn requeue<F: Future<Output = Settled>>(
        &self,
        why: &SessionEnd,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        stopped: impl Future<Output = ()>,
    ) {
        let (source, count) = (&self.name, in_flight.len());
        if let SessionEnd::Open(Circuit::Topic(topic)) = why
            && self.relay.pauses().pauses_topic(topic)
        {
            tracing::info!(event = "requeued_paused_too_long", source, %topic, in_flight = count + 1, "a topic is paused for long, and its events cannot \
                be parked: deliveries are handed back; the source consumes again when the topic is resumed");
        } else if let SessionEnd::Open(held) = why {
            if let Some(Announcement { count: times, .. }) = self.handed_back(&held.to_string()) {
                tracing::warn!(event = "requeued_held_too_long", source, %held, in_flight = count + 1, since_last_line = times, "hold lasts too long: \
                    deliveries are handed back; the source consumes again when the hold is over");
            }
        } else if matches!(why, SessionEnd::HandOver) {
            tracing::debug!(
                event = "handing_over",
                source,
                in_flight = count,
                "another worker takes over"
            );
        } else if let Some(Announcement { count: times, .. }) = self.handed_back("bytes") {
            tracing::info!(
                event = "requeued_too_many_bytes",
                source,
                in_flight = count,
                since_last_line = times,
                "more bytes came than amqp.max_in_flight_bytes, and no delivery could be settled: deliveries \
                are handed back; the source consumes again with a smaller prefetch"
            );
        }
        if matches!(why, SessionEnd::HandOver) {
            self.budget.hand_over();
        } else {
            self.budget.drain();
        }
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

    /// Takes no more, begins what had come or leaves it to go back, and finishes what is in flight. Returns whether
    /// that was done before it was `over`.
    async fn finish<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        begin: impl Fn(DeliveryOf<S>) -> Option<F>,
        over: impl Future<Output = ()>,
    ) -> bool {
        let finishing = async {
            let mut stopping = pin!(session.stop_taking());
            let come = loop {
                tokio::select! {
                    biased;
                    come = &mut stopping => break come,
                    // Stale or not: all there is left to do is to finish the others.
                    Some(_) = in_flight.next() => {}
                }
            };
            tracing::debug!(
                event = "deliveries_ended",
                source = self.name,
                "broker delivers no more"
            );
            in_flight.extend(come.into_iter().filter_map(begin));
            while in_flight.next().await.is_some() {}
        };
        tokio::select! {
            biased;
            () = finishing => true,
            () = over => false,
        }
    }

    /// Counts that everything goes back. With an announcement, a line is due.
    fn handed_back(&self, cause: &str) -> Option<Announcement> {
        self.monitor.met(IncidentKind::HandedBack, cause, "deliveries were handed back")
    }

    /// A delivery had come, and goes back.
    fn leave(&self) {
        self.monitor.requeued_untaken();
    }
}

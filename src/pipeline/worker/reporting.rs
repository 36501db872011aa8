//! Reports to a replay what becomes of an event that it has asked for.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;

use super::Worker;
use crate::observe::trace::SpanGuard;
use crate::outcome::Outcome;
use crate::pipeline::ports::{Settle, Source};
use crate::pipeline::relay::Started;
use crate::publish::Publish;
use crate::publish::hold::Deadline;
use crate::replay::{OutcomeReport, ReplayId};

/// A replay is told so soon that its event is held, and again after each of these.
const REPORT_HELD_AFTER: Duration = Duration::from_secs(1);
const REPORT_HELD_EVERY: Duration = Duration::from_secs(5);

/// What belongs to an event until it is settled.
#[derive(Clone, Copy)]
pub(super) struct EventContext<'a> {
    pub(super) deadline: &'a Deadline<'a>,
    pub(super) trace_guard: &'a SpanGuard,
    /// The replay that asks what becomes of it.
    pub(super) asks: Option<&'a ReplayId>,
}

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// As [`Relay::finish`](crate::pipeline::relay::Relay::finish), and reports meanwhile that a circuit holds the event, if a replay asks.
    pub(super) async fn relay_event<T: Settle>(
        &self,
        settler: &T,
        started: &mut Started,
        event: &EventContext<'_>,
    ) -> Outcome {
        match event.asks {
            None => self.relay.finish(started, event.deadline).await,
            Some(id) => self.finish_reporting(settler, *id, started, event.deadline).await,
        }
    }

    // Boxed, since nearly no event is asked for, and every one in flight would carry the room for it along.
    fn finish_reporting<'a, T: Settle>(
        &'a self,
        settler: &'a T,
        id: ReplayId,
        started: &'a mut Started,
        deadline: &'a Deadline<'_>,
    ) -> LocalBoxFuture<'a, Outcome> {
        let topic = started.topic();
        let report_held = async move || {
            let held_by = topic.as_ref().and_then(|topic| self.relay.held_by(topic));
            if let Some(circuit) = held_by {
                settler.report(id, &OutcomeReport::Held(circuit.to_string())).await;
            }
        };
        Box::pin(async move {
            let mut finishing = pin!(self.relay.finish(started, deadline));
            let mut pause = REPORT_HELD_AFTER;
            loop {
                let reporting = async {
                    sleep(pause).await;
                    report_held().await;
                };
                // Both at once: an event that waits for its report would keep those behind it.
                tokio::select! {
                    biased;
                    outcome = &mut finishing => {
                        if matches!(outcome, Outcome::Parked | Outcome::Requeued) {
                            report_held().await;
                        }
                        return outcome;
                    }
                    () = reporting => {}
                }
                pause = REPORT_HELD_EVERY;
            }
        })
    }
}

/// Reports an outcome that is final, if it is asked for.
pub(super) async fn report<T: Settle>(
    settler: &T,
    asked: Option<Box<ReplayId>>,
    outcome: &Outcome,
) {
    if let (Some(id), Some(report)) = (asked, OutcomeReport::of(outcome)) {
        Box::pin(settler.report(*id, &report)).await;
    }
}

//! How a session ends: what is in flight comes to its end, or goes back.

use std::cell::Cell;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use super::{Settled, Worker};
use crate::publisher::Publish;
use crate::source::{Session, Source, SourceError};

/// For a session that can't settle any more to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl<S: Source, P: Publish + 'static> Worker<S, P> {
    /// A settlement has failed, so the session is at its end; it knows the reason.
    pub(super) async fn why_lost(&self, session: &mut S::Session) -> SourceError {
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

    /// Takes no more, and finishes within the grace what it has and nothing holds.
    pub(super) async fn drain<F: Future<Output = Settled>>(
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
        self.room.stop();
        if !self.finish(session, in_flight, sleep(self.grace)).await {
            tracing::warn!(source = self.name, "the grace is over: handing back the rest");
        }
    }

    /// Takes no more and finishes what is in flight. Returns whether that was done before it was `over`.
    pub(super) async fn finish<F: Future<Output = Settled>>(
        &self,
        session: &mut S::Session,
        in_flight: &mut FuturesUnordered<F>,
        over: impl Future<Output = ()>,
    ) -> bool {
        let untaken = Cell::new(0);
        let stopping = async {
            untaken.set(session.stop_taking().await);
            tracing::debug!(source = self.name, "the broker delivers no more");
        };
        let finishing = async {
            while let Some(settled) = in_flight.next().await {
                // Void or not: all there is left to do is to finish the others.
                let _ = self.record(settled);
            }
        };
        let finished = tokio::select! {
            biased;
            _ = join(stopping, finishing) => true,
            () = over => false,
        };
        self.tally.received(untaken.get() as u64);
        self.tally.handed_back(untaken.get() as u64);
        self.monitor.untaken(untaken.get());
        finished
    }
}

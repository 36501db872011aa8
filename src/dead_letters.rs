//! Operations on the dead-letter queue: list, show, replay, export, import and discard.
//!
//! Every operation browses the whole queue and requeues the letters that it does not remove,
//! in their order. An operation should be short, since only one can browse at a time.
//! The command line and the operator's page both use this module.

pub mod archive;
pub(crate) mod argument_parsers;
mod content;
mod count;
mod dry_run;
mod export;
mod filter;
mod filter_words;
mod import;
mod json;
pub(crate) mod letter;
pub(crate) mod provenance;
pub(crate) mod rate_limiter;
mod reading;
mod replay;
mod selector;
mod summary;
#[cfg(test)]
mod tests;
mod turn;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

pub use crate::rabbitmq::message::Message;
pub use content::{Content, Sources};
pub use dry_run::dry_run;
pub use filter::Filter;
pub(crate) use filter::cause;
pub use import::Imported;
pub(crate) use json::{FoundAsJson, report_as_json};
pub use letter::{Letter, LetterId};
pub use provenance::{Death, LetterAuthor, Origin, Trust};
pub use replay::{Address, Rate, Replay, ReplayEnd, Report, Target, Watching};
pub use summary::{Group, Summary};

use self::archive::ArchiveError;
use self::reading::Reading;
use self::selector::{Keep, LetterSelector};
use self::turn::Turn;
use crate::config::Amqp;
use crate::fleet::SharedMembers;
use crate::outcome::SourceError;
use crate::rabbitmq::browse::{QueueBrowser, WaitOptions};
use crate::rabbitmq::connection::Broker;

/// Becomes true when an operation is to end early, and properly.
pub type Stop = watch::Receiver<bool>;

/// A dead-letter queue.
#[derive(Debug)]
pub struct DeadLetters {
    broker: Broker,
    sources: Sources,
    wait_options: WaitOptions,
    /// What is heard of the fleet, and told to it.
    fleet: Option<SharedMembers>,
    /// Whether an operation waits in line.
    in_line: watch::Sender<bool>,
}

/// For another look to end, unless told otherwise.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_mins(1);

/// Why an operation on the dead letters failed.
#[derive(Debug, Error)]
pub enum DeadLettersError {
    /// The broker's side.
    #[error("{0}")]
    Broker(#[from] SourceError),
    /// What is exported to.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
    /// What is imported from.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// A replay has the letters, whose one it is, if that is known, and how far.
    #[error("{0}")]
    Replaying(String),
    /// The operation was told to stop.
    #[error("stopped before it had finished")]
    Stopped,
}

/// How many letters a browse of the queue has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowseCounts {
    /// Letters in the queue.
    pub letters: u64,
    /// Those that the filter means.
    pub matching: u64,
    /// Letters that were there when it began and could not be seen, so that what it says is not all
    /// there is: they have expired meanwhile or were taken, or there are more than 2,097,120.
    pub unseen: u64,
    /// Letters that were to be discarded by the time of their deaths, and are not meant, since that time is only claimed.
    pub claimed: u64,
}

/// The result of a discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// The letters that were seen; those that match were meant.
    pub counts: BrowseCounts,
    /// Whether they were discarded; not if there were none, or if the answer was no.
    pub done: bool,
}

/// A letter with all that it holds.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it says.
    pub letter: Letter,
    /// What it is.
    pub message: Message,
}

impl DeadLetters {
    /// The dead letters of these workers. `name` is how the connections show on RabbitMQ's side.
    #[must_use]
    pub fn new(amqp: Amqp, name: String) -> Self {
        let sources = Sources::new(&amqp);
        let wait_options = WaitOptions { patience: PATIENCE_WITH_OTHERS, waits: Arc::new(|_| {}) };
        let (broker, in_line) = (Broker::new(amqp, name), watch::Sender::new(false));
        Self { broker, sources, wait_options, fleet: None, in_line }
    }

    /// The dead letters of a fleet: a replay is told to it, and who runs another one is heard of it.
    #[must_use]
    pub fn in_fleet(self, fleet: Option<SharedMembers>) -> Self {
        Self { fleet, ..self }
    }

    /// With so much patience until another browser of the queue has ended; `waits` is told when such a wait begins and ends.
    #[must_use]
    pub fn waiting(self, patience: Duration, waits: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self { wait_options: WaitOptions { patience, waits: Arc::new(waits) }, ..self }
    }

    /// The queue's name.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.broker.config().dead_letter_queue
    }

    /// The configured sources.
    #[must_use]
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Looks at all letters, and shows each one that the filter means.
    ///
    /// # Errors
    ///
    /// The queue can't be read to its end.
    pub async fn list(
        &self,
        filter: &Filter,
        stop: &Stop,
        show: impl FnMut(&Letter),
    ) -> Result<BrowseCounts, DeadLettersError> {
        self.list_in_turn(Turn::Patient, filter, stop, show).await
    }

    async fn list_in_turn(
        &self,
        turn: Turn,
        filter: &Filter,
        stop: &Stop,
        mut show: impl FnMut(&Letter),
    ) -> Result<BrowseCounts, DeadLettersError> {
        let mut reading = self.read(turn, filter, Keep::Nothing, stop).await?;
        let read = async {
            while let Some((_, seen)) = reading.next().await? {
                if seen.matches {
                    show(&seen.letter);
                }
            }
            Ok(reading.counts.clone())
        };
        let counts = read.await;
        reading.browser.close().await;
        counts
    }

    /// Looks for the letters that are called so: by the beginning of an id, or by a message id.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    pub async fn find(&self, name: &str, stop: &Stop) -> Result<Vec<Found>, DeadLettersError> {
        /// A name that means more letters than one can mean very many.
        const MOST: usize = 10;
        let filter = Filter { ids: vec![name.to_owned()], ..Filter::default() };
        let mut reading = self.read(Turn::Patient, &filter, Keep::SomeOf, stop).await?;
        let mut found = Vec::new();
        let read = async {
            while let Some((_, seen)) = reading.next().await? {
                if let Some(mut kept) = seen.message
                    && found.len() < MOST
                {
                    let message = std::mem::take(&mut kept.message);
                    found.push(Found { letter: seen.letter, message });
                }
            }
            Ok(found)
        };
        let found = read.await;
        reading.browser.close().await;
        found
    }

    /// Discards the letters that the filter means. `may` is asked with their number, while they
    /// are held: just those are discarded. Those whose time is only claimed are not discarded by it, unless the
    /// filter says so.
    ///
    /// # Errors
    ///
    /// As [`Self::list`]; or the connection was lost, and then some may be left.
    pub async fn discard(
        &self,
        filter: &Filter,
        stop: &Stop,
        may: impl AsyncFnOnce(u64) -> bool,
    ) -> Result<Discarded, DeadLettersError> {
        let reading = self.read(Turn::NotBehindReplay, filter, Keep::Nothing, stop).await?;
        let mut reading = reading.excluding_claimed_times(filter);
        let discard = async {
            let mut tags = Vec::new();
            while let Some((tag, seen)) = reading.next().await? {
                if seen.matches {
                    tags.push(tag);
                }
            }
            reading.discard(tags, may).await
        };
        let discarded = discard.await;
        reading.browser.close().await;
        discarded
    }

    async fn read(
        &self,
        turn: Turn,
        filter: &Filter,
        keep: Keep,
        stop: &Stop,
    ) -> Result<Reading, DeadLettersError> {
        let selector = Arc::new(LetterSelector::new(self.sources.clone(), filter.clone(), keep));
        let reading = Arc::clone(&selector);
        let mut stop = stop.clone();
        let opening = self.in_turn(turn, async |wait_options| {
            let read = move |message| reading.read(message);
            Ok(QueueBrowser::open(&self.broker, self.queue(), wait_options, read).await?)
        });
        let browser = tokio::select! {
            browser = opening => browser?,
            () = stopped(&mut stop) => return Err(DeadLettersError::Stopped),
        };
        selector.begin();
        Ok(Reading::new(browser, stop, filter.limit))
    }
}

/// Waits until told to stop.
pub(crate) async fn stopped(stop: &mut Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could send a stop.
        std::future::pending::<()>().await;
    }
}

//! One round of a replay: browses the queue, and sends the matching letters.
//!
//! Letters that wait to be sent are kept in memory, so a round is limited in bytes;
//! it also ends before the broker's acknowledgement timeout. The remaining letters are
//! requeued for the next round.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::super::selector::{BrowsedLetter, Keep, LetterSelector};
use super::super::{DeadLettersError, stopped};
use super::revive::address;
use super::sender::{Pending, Sender};
use super::{Address, Report, Run};
use crate::dead_letters::turn::Turn;
use crate::rabbitmq::browse::QueueBrowser;
use crate::rabbitmq::browse::reports::OutcomeReports;
use crate::rabbitmq::priorities;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;

/// What browsing has found.
#[derive(Default)]
struct Scanned {
    letters: u64,
    pending: VecDeque<Pending>,
    /// There were more than there is room for.
    more: bool,
    /// Whether addresses are there.
    known: HashMap<Address, Result<(), String>>,
}

impl<S: FnMut(&Report)> Run<'_, S> {
    /// Looks at the first `frozen` letters, or at all that there are, and sends what is meant.
    /// Returns how many of them are left to look at, if there is to be another round.
    pub(super) async fn round(
        &mut self,
        frozen: Option<u64>,
    ) -> Result<Option<u64>, DeadLettersError> {
        let deadline = Instant::now() + self.replay.hold;
        let keep = if self.replay.dry_run { Keep::Nothing } else { Keep::SomeOf };
        let sources = self.dead_letters.sources.clone();
        let (replay, failed) = (self.id, self.failed.clone());
        let selector = LetterSelector::new(sources, self.filter.clone(), keep)
            .without(move |letter| failed.contains(&letter.id) || letter.is_of_replay(replay));
        let (mut browser, publisher) = self.open(Arc::new(selector), frozen.is_none()).await?;
        self.announce();
        let caught = self.scan(&mut browser, &publisher, frozen).await;
        let Scanned { pending, more, letters, .. } = match caught {
            Ok(caught) => caught,
            Err(error) => {
                browser.close().await;
                publisher.close().await;
                return Err(error);
            }
        };
        // Where looking takes nearly as long as letters may be held, some are sent all the same.
        let deadline = deadline.max(Instant::now() + self.replay.hold / 4);
        // Dropped after the browser: with it goes the lock.
        let mut reports = if pending.is_empty() { None } else { self.listen(&browser).await };
        let reports = reports.as_mut();
        let sender = Sender::new(self, &mut browser, &publisher, reports, pending);
        let sent = sender.run(deadline, more).await;
        browser.close().await;
        publisher.close().await;
        Ok(sent.goes_on.then_some(letters - sent.acknowledged))
    }

    async fn open(
        &mut self,
        selector: Arc<LetterSelector>,
        is_first: bool,
    ) -> Result<(QueueBrowser<BrowsedLetter>, ConfirmedPublisher), DeadLettersError> {
        let (broker, queue) = (&self.dead_letters.broker, self.dead_letters.queue());
        // One that has begun is not refused for one that came between two of its rounds.
        let is_refused = is_first && !self.replay.dry_run;
        let turn = if is_refused { Turn::Replay } else { Turn::Patient };
        let opening = self.dead_letters.in_turn(turn, async |wait_options| {
            let publisher = ConfirmedPublisher::open(broker, "replays dead letters").await?;
            let read = move |message| selector.read(message);
            let browser = QueueBrowser::open(broker, queue, wait_options, read).await?;
            Ok((browser, publisher))
        });
        tokio::select! {
            opened = opening => opened,
            () = stopped(&mut self.stop) => Err(DeadLettersError::Stopped),
        }
    }

    /// Begins to receive workers' reports. Without them a replay notices no hold, and no canary is sent.
    async fn listen(&mut self, browser: &QueueBrowser<BrowsedLetter>) -> Option<OutcomeReports> {
        match browser.outcome_reports().await {
            Ok(reports) => Some(reports),
            Err(error) => {
                self.canary.without_reports(&error);
                tracing::debug!(event = "no_outcome_reports", %error, "no worker can report what becomes of replayed events");
                None
            }
        }
    }

    async fn scan(
        &mut self,
        browser: &mut QueueBrowser<BrowsedLetter>,
        publisher: &ConfirmedPublisher,
        frozen: Option<u64>,
    ) -> Result<Scanned, DeadLettersError> {
        let mut scanned = Scanned::default();
        let is_first = frozen.is_none();
        while frozen.is_none_or(|frozen| scanned.letters < frozen) {
            let next = tokio::select! {
                next = browser.next_there() => next?,
                () = stopped(&mut self.stop) => return Err(DeadLettersError::Stopped),
            };
            let Some((tag, seen)) = next else { break };
            scanned.letters += 1;
            self.note(&seen.letter);
            if seen.matches && self.counts(is_first, scanned.pending.len() as u64) {
                self.take(tag, seen, publisher, &mut scanned).await;
            }
        }
        tokio::select! {
            confirmed = browser.confirm() => confirmed?,
            () = stopped(&mut self.stop) => return Err(DeadLettersError::Stopped),
        }
        self.is_read = true;
        if is_first {
            (self.report.letters, self.report.unseen) = (scanned.letters, browser.unseen());
        }
        self.shown();
        Ok(scanned)
    }

    /// Whether a letter that matches is one of those meant: the first round says how many there
    /// are, and later ones find no more.
    fn counts(&mut self, is_first: bool, pending: u64) -> bool {
        let report = &mut self.report;
        if is_first {
            let counts = self.filter.limit.is_none_or(|limit| report.matching < limit);
            report.matching += u64::from(counts);
            return counts;
        }
        report.replayed + report.refusals() + pending < report.matching
    }

    async fn take(
        &mut self,
        tag: u64,
        seen: BrowsedLetter,
        publisher: &ConfirmedPublisher,
        scanned: &mut Scanned,
    ) {
        let letter = seen.letter;
        let there = match address(&letter, &self.replay.target, &self.dead_letters.sources) {
            Ok(address) => {
                is_there(&address, publisher, &mut scanned.known).await.map(|()| address)
            }
            Err(why) => Err(why),
        };
        if let Ok(address) = &there {
            self.judge_priority(address, publisher).await;
        }
        match there {
            Err(why) => self.exclude(letter.id, &why),
            Ok(address) if self.replay.dry_run => {
                super::report::count(&mut self.report.plan, &address.to_string());
            }
            Ok(address) => match seen.message {
                // None overtakes one that there was no room for.
                Some(kept) if !scanned.more => {
                    scanned.pending.push_back(Pending { tag, letter, kept, address });
                }
                _ => scanned.more = true,
            },
        }
    }
}

impl<S: FnMut(&Report)> Run<'_, S> {
    /// Says once of each queue that the priority has no effect there.
    async fn judge_priority(&mut self, address: &Address, publisher: &ConfirmedPublisher) {
        let Some(priority) = self.replay.priority else { return };
        let queue = address.queue();
        if !self.judged.insert(queue.map(str::to_owned)) {
            return;
        }
        let amqp = self.dead_letters.broker.config();
        if let Some(said) = priorities::caveat_of(publisher, amqp, queue, priority).await {
            let remark =
                format!("--priority {priority} {said}; --rate leaves room for live events");
            self.report.remarks.push(remark);
            self.shown();
        }
    }
}

/// Whether an address is there. Each is asked for once: forty thousand letters may have it.
async fn is_there(
    address: &Address,
    publisher: &ConfirmedPublisher,
    known: &mut HashMap<Address, Result<(), String>>,
) -> Result<(), String> {
    // An exchange is there for all of its routing keys.
    let mut asked = address.clone();
    if !asked.exchange.is_empty() {
        asked.routing_key.clear();
    }
    if let Some(known) = known.get(&asked) {
        return known.clone();
    }
    let found = if asked.exchange.is_empty() {
        publisher.find_queue(&asked.routing_key).await
    } else {
        publisher.find_exchange(&asked.exchange).await
    };
    let found = found.map_err(|error| error.to_string());
    known.insert(asked, found.clone());
    found
}

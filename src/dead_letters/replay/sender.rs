//! Sends letters in order: publishes, waits for the confirm, acknowledges. Meanwhile it watches for letters that
//! are dead-lettered again.

mod outcome;

use std::collections::VecDeque;

use tokio::time::{Instant, sleep_until};

use super::super::selector::{BrowsedLetter, KeptMessage};
use super::super::stopped;
use super::canary::Verdict;
use super::revive::revive;
use super::{Address, ReplayEnd, Report, Run};
use crate::dead_letters::letter::{Letter, LetterId};
use crate::outcome::SourceError;
use crate::rabbitmq::browse::QueueBrowser;
use crate::rabbitmq::browse::reports::OutcomeReports;
use crate::rabbitmq::publish::confirm_channel::PendingConfirm;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;
use crate::replay::{OutcomeReport, ReplayId};

/// Letters that may be unconfirmed at once, and so may be there twice after a kill.
const WINDOW: usize = 256;

/// A round's sending.
pub(super) struct Sender<'a, 'r, S> {
    run: &'a mut Run<'r, S>,
    browser: &'a mut QueueBrowser<BrowsedLetter>,
    publisher: &'a ConfirmedPublisher,
    reports: Option<&'a mut OutcomeReports>,
    pending: VecDeque<Pending>,
    in_flight: VecDeque<InFlightLetter>,
    /// A round that sends nothing would be followed by others like it for ever.
    has_begun: bool,
    acknowledged: u64,
    /// Nothing more is to be sent, and why.
    closing: Option<Closing>,
}

struct InFlightLetter {
    tag: u64,
    id: LetterId,
    /// Where it goes, for a message.
    address: String,
    sent: PendingConfirm,
}

/// Why no more is sent in this round.
enum Closing {
    /// Letters have been held for long; what is left is another round's.
    RoundOver,
    Over(ReplayEnd),
}

/// A letter that is to be sent.
pub(super) struct Pending {
    pub(super) tag: u64,
    pub(super) letter: Letter,
    pub(super) kept: KeptMessage,
    pub(super) address: Address,
}

/// What a round has come to.
pub(super) struct RoundEnd {
    pub(super) acknowledged: u64,
    /// There is to be another one.
    pub(super) goes_on: bool,
}

/// The next step of a replay.
enum ReplayStep {
    Stop,
    RoundOver,
    Confirmed(Result<(), PublishError>),
    Arrived(Result<Box<Letter>, SourceError>),
    Reported(ReplayId, OutcomeReport),
    Canary,
    HoldForgotten,
    Blocked,
    Tick,
    Send,
}

impl<'a, 'r, S: FnMut(&Report)> Sender<'a, 'r, S> {
    pub(super) fn new(
        run: &'a mut Run<'r, S>,
        browser: &'a mut QueueBrowser<BrowsedLetter>,
        publisher: &'a ConfirmedPublisher,
        reports: Option<&'a mut OutcomeReports>,
        pending: VecDeque<Pending>,
    ) -> Self {
        let (has_begun, acknowledged, closing, in_flight) = Default::default();
        Self {
            run,
            browser,
            publisher,
            reports,
            pending,
            in_flight,
            has_begun,
            acknowledged,
            closing,
        }
    }

    /// Sends all that is pending; `more` says that there is more for another round.
    pub(super) async fn run(mut self, deadline: Instant, more: bool) -> RoundEnd {
        if !self.pending.is_empty() {
            // As many may have come back before this round.
            self.stop_if_too_many_failed();
            if let Some(why) = self.run.canary.refused() {
                self.close(ReplayEnd::CanaryUnknown(why));
            }
        }
        loop {
            self.watch_canary();
            if self.is_over() {
                break;
            }
            let step = self.step(deadline).await;
            if let Err(error) = self.take(step).await {
                self.closing = Some(Closing::Over(ReplayEnd::Broken(error.to_string())));
                break;
            }
        }
        // These may have arrived; they are among the dead letters still.
        self.run.report.unconfirmed += self.in_flight.len() as u64;
        if self.publisher.alarm().blocked().is_some() && self.run.report.blocked.is_none() {
            self.run.report.blocked = self.publisher.alarm().blocked();
            self.run.shown();
        }
        let goes_on = match self.closing.take() {
            Some(Closing::Over(ended)) => {
                self.run.report.ended = ended;
                false
            }
            // They were held for as long as they may be, and would be sent once more.
            Some(Closing::RoundOver) if !self.in_flight.is_empty() => {
                let why = self.publisher.alarm().blocked().unwrap_or("the broker is slow");
                self.run.report.ended = ReplayEnd::Broken(why.to_owned());
                false
            }
            Some(Closing::RoundOver) => true,
            None => more,
        };
        if !goes_on && self.run.report.ended == ReplayEnd::Done && self.run.report.replayed > 0 {
            self.watch_the_end().await;
        }
        RoundEnd { acknowledged: self.acknowledged, goes_on }
    }

    fn is_over(&self) -> bool {
        if self.closing.is_some() && self.publisher.alarm().blocked().is_some() {
            // The broker takes nothing that was sent before the alarm is over, which may be long.
            return true;
        }
        let waits = self.run.canary.is_watched() || !self.pending.is_empty();
        self.in_flight.is_empty() && (self.closing.is_some() || !waits)
    }

    /// All of the canary is in its queues, or all that there is.
    fn watch_canary(&mut self) {
        let canary = &mut self.run.canary;
        let is_sent = !canary.lets_send() || self.pending.is_empty();
        let is_safe = is_sent && self.in_flight.is_empty() && self.closing.is_none();
        if is_safe && canary.is_sent() {
            canary.watch();
            self.run.report.watching = true;
            self.run.shown();
        }
    }

    async fn step(&mut self, deadline: Instant) -> ReplayStep {
        let Self {
            run, browser, publisher, reports, pending, in_flight, has_begun, closing, ..
        } = self;
        let run = &mut **run;
        let is_open = closing.is_none();
        let blocked = run.report.blocked;
        let may_send = is_open
            && blocked.is_none()
            && !pending.is_empty()
            && in_flight.len() < WINDOW
            && run.canary.lets_send()
            // A canary is sent as a whole, and then watched.
            && (run.sample.held().is_none() || !run.canary.is_over());
        let gives_back = is_open && (*has_begun || !may_send);
        let oldest = in_flight.front_mut();
        tokio::select! {
            biased;
            () = stopped(&mut run.stop), if is_open => ReplayStep::Stop,
            () = sleep_until(deadline), if gives_back => ReplayStep::RoundOver,
            confirmed = async { oldest.expect("asked only if there is one").sent.confirmed().await },
                if oldest.is_some() => ReplayStep::Confirmed(confirmed),
            arrived = browser.next() => {
                ReplayStep::Arrived(arrived.map(|(_, seen)| Box::new(seen.letter)))
            }
            (id, report) = reported(reports) => ReplayStep::Reported(id, report),
            () = publisher.alarm().changes(blocked) => ReplayStep::Blocked,
            () = run.canary.due(), if is_open => ReplayStep::Canary,
            () = run.sample.expires() => ReplayStep::HoldForgotten,
            () = run.pace.ticks() => ReplayStep::Tick,
            () = run.pace.due(), if may_send => ReplayStep::Send,
        }
    }

    /// # Errors
    ///
    /// A connection is gone.
    async fn take(&mut self, step: ReplayStep) -> Result<(), SourceError> {
        match step {
            ReplayStep::Stop => self.close(ReplayEnd::Stopped),
            ReplayStep::Blocked => self.blocked(self.publisher.alarm().blocked()),
            ReplayStep::RoundOver => self.closing = Some(Closing::RoundOver),
            ReplayStep::Confirmed(confirmed) => self.settle(confirmed).await?,
            ReplayStep::Arrived(arrived) => self.note(&*arrived?),
            ReplayStep::Reported(id, report) => self.reported(id, report),
            ReplayStep::HoldForgotten => self.show_held(),
            ReplayStep::Canary => {
                match self.run.canary.ask(self.publisher, self.run.sample.held()).await {
                    Verdict::Wait => {}
                    Verdict::Well => {
                        self.run.report.watching = false;
                        self.run.shown();
                    }
                    Verdict::Held(circuit) => self.close(ReplayEnd::CanaryHeld(circuit)),
                    Verdict::Unknown(why) => self.close(ReplayEnd::CanaryUnknown(why)),
                }
            }
            ReplayStep::Tick => self.run.tick(),
            ReplayStep::Send => self.send().await?,
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), SourceError> {
        let Some(Pending { tag, letter, mut kept, address }) = self.pending.pop_front() else {
            return Ok(());
        };
        self.run.sent += 1;
        self.has_begun = true;
        let asks = self.reports.is_some()
            && (!self.run.canary.is_over() || self.run.sample.asks(self.pending.is_empty()));
        let id = ReplayId { replay: self.run.id, number: self.run.sent, asks };
        let priority = self.run.replay.priority;
        revive(&mut kept.message, &letter, &address, id.to_string(), priority);
        kept.message.sign(self.run.dead_letters.sources.key());
        let (publisher, mut stop) = (self.publisher, self.run.stop.clone());
        let (to, stop) = ((&*address.exchange, &*address.routing_key), stopped(&mut stop));
        let blocked = self.run.report.blocked;
        let told = |blocked| self.blocked(blocked);
        let sending = publisher.publish_unless_stopped(to, &kept.message, stop, blocked, told);
        let sending = sending.await;
        if !matches!(sending, Ok(Some(_))) {
            // It may have been sent or not; it is among the dead letters still.
            self.run.report.unconfirmed += 1;
        }
        let Some(sent) = sending? else {
            self.close(ReplayEnd::Stopped);
            return Ok(());
        };
        self.run.pace.passed();
        let queue = if address.exchange.is_empty() {
            Some(address.routing_key.as_str())
        } else {
            letter.origin.queue.as_deref()
        };
        self.run.canary.sent(id.number, queue);
        self.run.sample.sent(id);
        let address = address.to_string();
        self.in_flight.push_back(InFlightLetter { tag, id: letter.id, address, sent });
        Ok(())
    }

    fn blocked(&mut self, blocked: Option<&'static str>) {
        self.run.report.blocked = blocked;
        self.run.shown();
    }
}

/// The next report, if any can arrive.
async fn reported(reports: &mut Option<&mut OutcomeReports>) -> (ReplayId, OutcomeReport) {
    match reports {
        Some(reports) => reports.next().await,
        None => std::future::pending().await,
    }
}

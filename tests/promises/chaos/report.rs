//! What happened, what came of it, and whether that is what was promised.

use std::fmt;
use std::time::Duration;

use super::account::{Account, few};
use super::plan::WORKERS;
use super::storm::PREFETCH;

#[derive(Default)]
pub struct Report {
    seed: u64,
    events: u32,
    pub account: Account,
    pub kills: usize,
    pub stops: usize,
    /// Of the stops, and of those at the end: without an answer of SNS within the grace.
    pub stops_in_vain: usize,
    pub crashes: usize,
    pub restarts: usize,
    pub cuts: usize,
    pub stalls: usize,
    pub delays: usize,
    pub sns_faults: usize,
    /// Times that a worker began to consume.
    pub sessions: usize,
    /// By the producer, whose confirmation was lost.
    pub fed_again: usize,
    /// Messages that SNS took without the worker being told.
    pub lost_answers: usize,
    pub lasted: Duration,
}

impl Report {
    pub fn new(seed: u64, events: u32) -> Self {
        Self { seed, events, ..Self::default() }
    }

    /// What may come more than once: what was in flight wherever a worker lost its connection
    /// or its life, and what the worker could not know of.
    pub fn excusable(&self) -> usize {
        let ends = self.kills
            + self.stops_in_vain
            + self.cuts
            + self.stalls
            + WORKERS * (self.crashes + self.restarts);
        PREFETCH * ends + self.fed_again + self.lost_answers
    }

    /// Fails the test unless every promise was kept.
    pub fn check(&self) {
        let sums = self.account.sums();
        assert!(sums.lost.is_empty(), "{} lost: {}", sums.lost.len(), few(&sums.lost));
        let accounted = sums.published + sums.skipped + sums.dead + sums.queued;
        assert_eq!(accounted, self.events as usize, "the sums don't add up: {sums:?}");
        assert_eq!(sums.queued, 0, "workers that nothing hinders leave events in the queue");
        let misplaced = self.account.misplaced();
        assert!(misplaced.is_empty(), "where they don't belong: {}", few(&misplaced));
        let wrong = self.account.wrong_letters();
        assert!(wrong.is_empty(), "{} wrong letters, such as {}", wrong.len(), wrong[0]);
        let (duplicates, excusable) = (self.account.duplicates(), self.excusable());
        assert!(duplicates <= excusable, "{duplicates} came more than once, {excusable} may");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums = self.account.sums();
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<34} {value:>8}");
        line("fed", &self.events)?;
        line("  of these poison", &self.account.poison())?;
        line("= published, distinct", &sums.published)?;
        line("+ skipped", &sums.skipped)?;
        line("+ dead-lettered, unpublished", &sums.dead)?;
        line("+ still queued", &sums.queued)?;
        line("+ lost", &sums.lost.len())?;
        line("duplicates", &self.account.duplicates())?;
        line("  excusable at most", &self.excusable())?;
        line("  answers of SNS lost, messages", &self.lost_answers)?;
        line("  fed again by the producer", &self.fed_again)?;
        for (reason, count) in self.account.reasons() {
            line(&format!("dead letters, {reason}"), &count)?;
        }
        line("workers killed", &self.kills)?;
        line("workers stopped in order", &self.stops)?;
        line("  whose grace was too short", &self.stops_in_vain)?;
        line("broker crashes", &self.crashes)?;
        line("broker restarts", &self.restarts)?;
        line("connections cut or refused", &self.cuts)?;
        line("connections stalled", &self.stalls)?;
        line("connections delayed", &self.delays)?;
        line("workers began to consume", &self.sessions)?;
        line("faults of SNS", &self.sns_faults)?;
        line("seconds", &format!("{:.1}", self.lasted.as_secs_f64()))?;
        write!(f, "again: make chaos SEED={} EVENTS={}", self.seed, self.events)
    }
}

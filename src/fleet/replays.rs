//! The replays that run in a fleet: this process's own, other workers', and operators'.

use std::time::Instant;

use super::members::{HeardOperator, Members, SILENT_AFTER};
use super::{Ignored, OperatorReport, ReplayReport, Replaying, Worker};
use crate::limits::MOST_OPERATORS;

impl Members {
    /// The replay that this process runs, if it runs one.
    pub fn set_replay(&mut self, replay: Option<ReplayReport>) {
        self.replay = replay.map(|mut it| {
            it.bound();
            it
        });
    }

    /// The same, to be sent.
    #[must_use]
    pub fn own_replay(&self) -> Option<&ReplayReport> {
        self.replay.as_ref()
    }

    /// A replay of letters in this queue that somebody else runs, as far as somebody was heard lately who does.
    #[must_use]
    pub fn replay_of_another(&self, queue: &str, now: Instant) -> Option<Replaying> {
        let mut replays = self.picture(now).replays.into_iter();
        replays.find(|it| !it.is_this && !it.is_silent && it.replay.queue == queue)
    }

    /// Keeps what an operator's command says.
    pub(super) fn believe_operator(
        &mut self,
        report: OperatorReport,
        now: Instant,
    ) -> Result<(), Ignored> {
        if report.ended {
            self.operators.remove(&report.id);
            self.remember(report.id, u64::MAX);
            return Ok(());
        }
        if !self.operators.contains_key(&report.id) && self.operators.len() >= MOST_OPERATORS {
            return Err(Ignored::TooMany);
        }
        self.operators.insert(report.id.clone(), HeardOperator { report, at: now });
        Ok(())
    }

    /// Whether a command of an operator is silent: it reports each second.
    fn is_operator_silent(&self, heard: &HeardOperator, now: Instant) -> bool {
        self.silence(heard.at, now).is_some_and(|silence| silence > SILENT_AFTER)
    }

    /// Those of workers, and those of operators.
    pub(super) fn replays(&self, workers: &[Worker], now: Instant) -> Vec<Replaying> {
        let of_worker = |it: &Worker| {
            it.report.replay.clone().map(|replay| Replaying {
                by: it.name.clone(),
                is_worker: true,
                is_this: it.is_this,
                is_silent: it.is_silent,
                heard_seconds: it.heard_seconds,
                replay,
            })
        };
        let of_operators = self.operators.values().map(|it| Replaying {
            by: it.report.by.clone(),
            is_worker: false,
            is_this: false,
            is_silent: self.is_operator_silent(it, now),
            heard_seconds: now.saturating_duration_since(it.at).as_secs_f64(),
            replay: it.report.replay.clone(),
        });
        workers.iter().filter_map(of_worker).chain(of_operators).collect()
    }
}

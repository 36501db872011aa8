//! Tells the fleet how a replay is getting on, for as long as it runs.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Report;
use crate::fleet::{ReplayReport, SharedMembers};

/// Between two changes of what is told, unless it comes to its next step.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// The rate is that of the last seconds, of which each has a sample.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const SAMPLES: usize = 6;

/// Tells the fleet of a replay until it is dropped.
#[derive(Debug)]
pub(super) struct Announcer {
    members: Option<SharedMembers>,
    told: ReplayReport,
    at: Option<Instant>,
    /// When so many letters had been replayed.
    samples: VecDeque<(Instant, u64)>,
}

impl Announcer {
    /// Nothing is told before the first [`Self::tell`]. `None`: there is nobody to tell.
    pub(super) fn new(
        members: Option<SharedMembers>,
        queue: &str,
        filter: String,
        is_auto: bool,
    ) -> Self {
        let (queue, began) = (queue.to_owned(), Timestamp::now());
        let told = ReplayReport { queue, filter, began, is_auto, ..Default::default() };
        Self { members, told, at: None, samples: VecDeque::new() }
    }

    /// Tells how far it is, if that is news: at once for another `state`, else a few times a second.
    pub(super) fn tell(&mut self, state: &str, report: &Report) {
        let Some(members) = &self.members else { return };
        let now = Instant::now();
        let is_due = self.at.is_none_or(|at| now >= at + TELL_EVERY) || self.told.state != state;
        if !is_due {
            return;
        }
        self.at = Some(now);
        if self.samples.back().is_none_or(|(at, _)| now >= *at + SAMPLE_EVERY) {
            self.samples.push_back((now, report.replayed));
            while self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        let rate = self.samples.front().map_or(0.0, |(since, before)| {
            let seconds = now.duration_since(*since).as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "it is shown with one digit")]
            let replayed = (report.replayed - before) as f64;
            if seconds > 0.0 { replayed / seconds } else { 0.0 }
        });
        self.told = ReplayReport {
            state: state.to_owned(),
            total: (state != READING).then_some(report.matching),
            done: report.replayed,
            came_back: report.came_back,
            rate,
            limit: report.rate,
            slowed: report.slowed.clone(),
            ..self.told.clone()
        };
        members.lock().set_replay(Some(self.told.clone()));
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        if let Some(members) = &self.members {
            members.lock().set_replay(None);
        }
    }
}

/// The state before the letters are counted.
pub(super) const READING: &str = "reading";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_that_of_the_last_seconds_and_nothing_is_told_after_the_end() {
        let members = SharedMembers::new("chat");
        let mut announcer =
            Announcer::new(Some(members.clone()), "dead", "all dead letters".to_owned(), false);
        let told = || members.lock().own_replay().cloned();
        assert_eq!(told(), None);
        announcer.tell(READING, &Report::default());
        assert_eq!(told().map(|it| (it.state, it.total)), Some((READING.to_owned(), None)));
        let mut report = Report { matching: 500, ..Report::default() };
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            report.replayed += 10;
            announcer.tell("sending", &report);
        }
        let now = told().unwrap();
        assert_eq!((now.total, now.done, &*now.queue), (Some(500), 200, "dead"));
        assert!((now.rate - 10.0).abs() < 0.1, "{now:?}");
        report.replayed += 10;
        announcer.tell("sending", &report);
        assert_eq!(told().unwrap().done, 200, "not that often");
        announcer.tell("held", &report);
        assert_eq!(told().unwrap().done, 210, "but another state at once");
        drop(announcer);
        assert_eq!(told(), None);
    }
}

//! The progress of a replay.

use crate::cli::progress::Progress as Bar;
use crate::dead_letters::Report;
use crate::text::printable;

/// A long queue takes a while.
const LOOKING: &str = "reading all dead letters";

/// Shows reports as they grow.
pub(super) struct Progress {
    bar: Bar,
    was_watching: bool,
    was_blocked: bool,
    remarks: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { bar: Bar::looking(LOOKING), was_watching: false, was_blocked: false, remarks: 0 }
    }

    pub(super) fn show(&mut self, report: &Report) {
        let Report { matching, replayed, came_back, watching, .. } = report;
        for remark in report.remarks.iter().skip(self.remarks) {
            self.bar.print_error(&remarked(remark));
        }
        self.remarks = report.remarks.len();
        let mut state = Vec::new();
        if *came_back > 0 {
            state.push(format!("{came_back} dead-lettered again"));
        }
        if report.refusals() > 0 {
            state.push(format!("{} refused", report.refusals()));
        }
        if let Some(why) = &report.slowed {
            let rate = report.rate.unwrap_or_default();
            state.push(format!("{rate:.0}/s at most: {}", printable(why, false)));
        }
        if *watching {
            state.push("waiting to see what becomes of them".to_owned());
        }
        state.extend(report.held.as_deref().map(|it| format!("waiting: {} is held", held(it))));
        state.extend(report.blocked.map(|why| format!("waiting: {why}")));
        let is_blocked = report.blocked.is_some() || report.held.is_some();
        let news = (*watching && !self.was_watching) || is_blocked != self.was_blocked;
        (self.was_watching, self.was_blocked) = (*watching, is_blocked);
        let line = || format!("replayed {replayed} of {matching}");
        self.bar.show(*replayed, Some(*matching), &state.join(", "), news, line);
    }

    pub(super) fn end(self) {
        self.bar.end();
    }
}

/// A remark as it is shown.
pub(super) fn remarked(remark: &str) -> String {
    format!("warning: {}", printable(remark, false))
}

/// A circuit in words: `service`, or a topic's ARN as a worker has reported it.
pub(super) fn held(circuit: &str) -> String {
    if circuit == "service" {
        return "the service (all topics)".to_owned();
    }
    format!("topic `{}`", printable(circuit, false))
}

//! How far a replay has come: a bar on a terminal, a line now and then elsewhere.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::complain;
use crate::dead_letters::Report;

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

const BAR: &str = "{wide_bar} {pos}/{len}  {rate}  {eta} left  {msg}";

/// Shows reports as they grow.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    lined: Instant,
    was_watching: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is our own, and a test builds it.
            let style = ProgressStyle::with_template(BAR).unwrap_or(ProgressStyle::default_bar());
            bar.with_style(style.with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
                // What it is written to is a line in memory.
                let _ = write!(to, "{:.0}/s", state.per_sec());
            }))
        });
        Self { bar, lined: Instant::now(), was_watching: false }
    }

    pub(super) fn show(&mut self, report: &Report) {
        let Report { matching, replayed, came_back, watching, .. } = report;
        let mut state = Vec::new();
        if *came_back > 0 {
            state.push(format!("{came_back} came back"));
        }
        if report.refusals() > 0 {
            state.push(format!("{} refused", report.refusals()));
        }
        if *watching {
            state.push("watching what becomes of them".to_owned());
        }
        let state = state.join(", ");
        if let Some(bar) = &self.bar {
            if bar.position() == 0 {
                // Looking at the queue took its time, which says nothing of the rate.
                bar.reset();
            }
            bar.set_length(*matching);
            bar.set_position(*replayed);
            bar.set_message(state);
            return;
        }
        let news = *watching && !self.was_watching;
        self.was_watching = *watching;
        if news || self.lined.elapsed() >= LINE_EVERY {
            self.lined = Instant::now();
            let state = if state.is_empty() { state } else { format!("; {state}") };
            complain(&format!("replayed {replayed} of {matching}{state}"));
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_template_is_one() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}

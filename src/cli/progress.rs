//! Progress of long commands: a bar on a terminal, otherwise a line from time to time.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::output::print_error;

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Where it is known how many there are.
const BAR: &str = "{wide_bar} {pos}/{len}  {rate}  {eta} left  {msg}";

/// Where it is not.
const COUNT: &str = "{spinner} {pos}  {rate}  {elapsed}  {msg}";

/// Shows a number as it grows.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    lined: Instant,
}

impl Progress {
    /// `has_end`: it will be known how many there are.
    pub(crate) fn new(has_end: bool) -> Self {
        Self::with(style(if has_end { BAR } else { COUNT }))
    }

    /// It says what is done until it is known how many there are.
    pub(crate) fn looking(at: &'static str) -> Self {
        let progress = Self::with(style("{msg}"));
        if let Some(bar) = &progress.bar {
            bar.set_message(at);
        }
        progress
    }

    fn with(style: ProgressStyle) -> Self {
        let bar =
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
        // Such as on a terminal that can't move its cursor.
        let bar = Some(bar).filter(|bar| !bar.is_hidden());
        Self { bar, lined: Instant::now() }
    }

    /// So many are done, of so many if that is known. Where there is no bar, the line is made when
    /// the last one is long enough ago, or if there are `news`.
    pub(crate) fn show(
        &mut self,
        done: u64,
        of: Option<u64>,
        state: &str,
        news: bool,
        line: impl FnOnce() -> String,
    ) {
        if let Some(bar) = &self.bar {
            if bar.position() == 0 {
                // Getting there took its time, which says nothing of the rate.
                bar.reset();
            }
            if let Some(of) = of {
                if bar.length().is_none() {
                    bar.set_style(style(BAR));
                }
                bar.set_length(of);
            }
            bar.set_position(done);
            bar.set_message(state.to_owned());
        } else if news || self.lined.elapsed() >= LINE_EVERY {
            self.lined = Instant::now();
            let state = if state.is_empty() { String::new() } else { format!("; {state}") };
            print_error(&format!("{}{state}", line()));
        }
    }

    /// Says something without the bar in its way.
    pub(crate) fn print_error(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_error(line)),
            None => print_error(line),
        }
    }

    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The templates are our own, and a test builds them.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
        // What it is written to is a line in memory.
        let _ = write!(to, "{:.0}/s", state.per_sec());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_some() {
        for template in [BAR, COUNT] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}

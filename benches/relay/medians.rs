//! A contestant's figures: medians of its runs.

use crate::rounds::{Run, Sample};

/// A contestant's figures: medians of its runs, and the highest of the peaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medians {
    pub events_per_s: f64,
    /// For 1,000 events.
    pub cpu_ms: f64,
    /// For one event.
    pub requests: f64,
    pub peak_mib: f64,
    /// What the fake SNS could take on one core, in messages; 0 for those that send none.
    pub fake_per_s: f64,
}

impl Medians {
    #[expect(clippy::cast_precision_loss, reason = "counts and sizes far below 2^52")]
    pub(crate) fn of(events: u64, runs: &[Run]) -> Option<Self> {
        let events = events as f64;
        let figure = |of: &dyn Fn(&Sample) -> f64| {
            median(runs.iter().filter_map(|run| run.as_ref().ok()).map(of).collect())
        };
        let samples = runs.iter().filter_map(|run| run.as_ref().ok());
        Some(Self {
            events_per_s: figure(&|it| events / it.seconds)?,
            cpu_ms: figure(&|it| it.cpu.as_secs_f64() * 1e6 / events)?,
            requests: figure(&|it| it.requests as f64 / events)?,
            fake_per_s: figure(&|it| it.messages as f64 / it.fake_cpu.as_secs_f64())?,
            peak_mib: samples.map(|it| it.peak_bytes).max()? as f64 / f64::from(1 << 20),
        })
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

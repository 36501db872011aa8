//! What the figures are to be. Nothing fails when they are not: a machine may be busy.

use std::fmt;

use crate::idle::Idle;
use crate::medians::Medians;
use crate::watched::Watched;

/// A ratio beside its bound. Without a value, what it needs was not measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub name: &'static str,
    pub value: Option<f64>,
    pub bound: Bound,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Exactly(f64),
}

impl Target {
    pub(crate) fn is_met(&self) -> Option<bool> {
        let value = self.value?;
        Some(match self.bound {
            Bound::AtLeast(bound) => value >= bound,
            Bound::AtMost(bound) => value <= bound,
            Bound::Exactly(bound) => (value - bound).abs() < f64::EPSILON,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self {
            Self::AtLeast(bound) => ("≥", bound),
            Self::AtMost(bound) => ("≤", bound),
            Self::Exactly(bound) => ("=", bound),
        };
        write!(f, "{sign} {bound}")
    }
}

/// All of them, from the medians of each contestant by its name.
pub(crate) fn targets(
    of: impl Fn(&str) -> Option<Medians>,
    idle: &Idle,
    watched: Option<Watched>,
) -> Vec<Target> {
    use Bound::{AtLeast, AtMost, Exactly};
    let ratio = |figure: fn(&Medians) -> f64, one: &str, other: &str| {
        Some(figure(&of(one)?) / figure(&of(other)?))
    };
    let worst = |figure: fn(&Medians) -> f64| {
        ["c@0", "c@20", "d@0", "d@20"]
            .into_iter()
            .filter_map(|it| Some(figure(&of(it)?)))
            .reduce(f64::max)
    };
    let target = |name, value, bound| Target { name, value, bound };
    vec![
        target("c/b events/s", ratio(|it| it.events_per_s, "c@0", "b@0"), AtLeast(2.0)),
        target("c/b CPU per event", ratio(|it| it.cpu_ms, "c@0", "b@0"), AtMost(0.45)),
        target("c/a CPU per event", ratio(|it| it.cpu_ms, "c@0", "a@0"), AtMost(2.5)),
        target("requests per event, c", of("c@0").map(|it| it.requests), AtMost(0.11)),
        target("requests per event, c at 20 ms", of("c@20").map(|it| it.requests), AtMost(0.11)),
        target("requests per event, idle", Some(idle_requests(idle)), Exactly(1.0)),
        target("c events/s, 20 ms/0 ms", ratio(|it| it.events_per_s, "c@20", "c@0"), AtLeast(0.9)),
        target("e events/s, 20 ms/0 ms", ratio(|it| it.events_per_s, "e@20", "e@0"), AtLeast(0.9)),
        target("peak RSS in MiB, c and d", worst(|it| it.peak_mib), AtMost(64.0)),
        target("f/c events/s, watched/not", watched.map(|it| it.speed), AtLeast(0.98)),
        target("f/c CPU per event, watched/not", watched.map(|it| it.cpu), AtMost(1.02)),
        target("d/c events/s", ratio(|it| it.events_per_s, "d@0", "c@0"), AtLeast(0.8)),
        target("d/c events/s at 20 ms", ratio(|it| it.events_per_s, "d@20", "c@20"), AtLeast(0.8)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a handful of requests")]
fn idle_requests(idle: &Idle) -> f64 {
    idle.requests as f64 / f64::from(idle.events)
}

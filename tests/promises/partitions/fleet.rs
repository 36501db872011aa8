//! A whole fleet for minutes: workers that come, die, stop and freeze, and an SNS that fails, while events flow. At the
//! end there is an account of each key's events: sent, published, lost, overtaken, published more than once.
//!
//! `make check-partitions` runs a short and fixed plan; `make fleet` draws a long one from a seed.

mod account;
mod drive;
mod excuses;
mod long;
mod plan;
mod producer;
mod report;
mod sky;
mod workers;

use std::time::Duration;

use crate::support::number_from;

/// How much of everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    seed: u64,
    events: usize,
    /// The events come spread over so long, and all faults begin in it.
    lasts: Duration,
    workers: usize,
    partitions: u32,
}

impl Size {
    /// For every day: the same plan each time, in a minute.
    const SHORT: Self =
        Self { seed: 3, events: 6000, lasts: Duration::from_mins(1), workers: 10, partitions: 40 };

    /// `EVENT_PUSHER_FLEET_EVENTS` makes it a long one, which `EVENT_PUSHER_FLEET_SEED` repeats; `…_SECONDS`, `…_WORKERS` and
    /// `…_PARTITIONS` change the rest.
    fn from_environment() -> Self {
        let number = |name: &str| number_from(&format!("EVENT_PUSHER_FLEET_{name}"));
        let Some(events) = number("EVENTS") else {
            return Self::SHORT;
        };
        let small = |name, default: u32| {
            let number = number(name).unwrap_or(default.into());
            u32::try_from(number).ok().filter(|it| *it > 0).unwrap_or_else(|| {
                panic!("EVENT_PUSHER_FLEET_{name} is a number from 1 on, not {number}")
            })
        };
        Self {
            seed: number("SEED").unwrap_or_else(|| fastrand::u32(..).into()),
            events: usize::try_from(events).expect("too many events"),
            lasts: Duration::from_secs(small("SECONDS", 600).into()),
            workers: small("WORKERS", 10) as usize,
            partitions: small("PARTITIONS", 40),
        }
    }

    /// So many that each partition has several.
    fn keys(&self) -> usize {
        self.partitions as usize * 10
    }
}

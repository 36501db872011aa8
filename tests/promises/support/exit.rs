//! How a worker ended, and what it says at the end.

use std::process::ExitStatus;

use serde_json::Value;

/// How a worker ended.
#[derive(Debug)]
pub struct Exit {
    pub status: ExitStatus,
    /// Its last line: `stopped`, unless something else ended it.
    pub last: Value,
    /// Whether it said that something panicked.
    pub panicked: bool,
}

/// What became of all deliveries: the numbers of the line `stopped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub received: u64,
    pub published: u64,
    pub skipped: u64,
    pub dead_lettered: u64,
    pub handed_back: u64,
}

impl Exit {
    /// What became of all deliveries; nothing may be missing in it.
    pub fn totals(&self) -> Totals {
        Totals::of(&self.last)
    }

    /// How many were skipped or dead-lettered for each reason.
    pub fn reasons(&self) -> &str {
        self.last["reasons"].as_str().unwrap_or_default()
    }
}

impl Totals {
    /// So many deliveries, and all are published.
    pub fn published(count: u64) -> Self {
        Self { received: count, published: count, ..Self::default() }
    }

    /// Those of a line `stopped`.
    pub fn of(line: &Value) -> Self {
        assert_eq!(line["event"], "stopped", "{line}");
        let count = |name: &str| {
            line[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {line}"))
        };
        let totals = Self {
            received: count("received"),
            published: count("published"),
            skipped: count("skipped"),
            dead_lettered: count("dead_lettered"),
            handed_back: count("handed_back"),
        };
        let Self { received, published, skipped, dead_lettered, handed_back } = totals;
        assert_eq!(received, published + skipped + dead_lettered + handed_back, "{line}");
        totals
    }
}

//! Counts how deliveries ended. What was received is the sum of all the rest and of what
//! is in flight.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use crate::outcome::{Outcome, Reason, SkipReason};

/// Counts of one worker process, over all of its sources.
#[derive(Debug, Default)]
pub struct Tally(RefCell<Counts>);

/// The numbers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries taken, or at hand when the worker stopped.
    pub received: u64,
    /// Accepted by SNS and acknowledged.
    pub published: u64,
    /// Acknowledged unpublished, since policy says so.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Safe in the dead-letter queue and acknowledged.
    pub dead_lettered: BTreeMap<Reason, u64>,
    /// Returned to the queue unsettled, to be delivered again.
    pub handed_back: u64,
}

impl Tally {
    /// A delivery has come.
    pub fn received(&self, deliveries: u64) {
        self.0.borrow_mut().received += deliveries;
    }

    /// A delivery is settled. Returns whether it is the first that ended in this way.
    pub fn settled(&self, outcome: &Outcome) -> bool {
        let mut counts = self.0.borrow_mut();
        let count = match outcome {
            Outcome::Published(_) => &mut counts.published,
            Outcome::Skipped(reason) => counts.skipped.entry(*reason).or_default(),
            Outcome::DeadLettered(letter) => counts.dead_lettered.entry(letter.reason).or_default(),
        };
        *count += 1;
        *count == 1
    }

    /// Deliveries went back to the queue.
    pub fn handed_back(&self, deliveries: u64) {
        self.0.borrow_mut().handed_back += deliveries;
    }

    /// The numbers now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.borrow().clone()
    }
}

impl Counts {
    /// Deliveries that have no outcome yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let settled = self.published + sum(&self.skipped) + sum(&self.dead_lettered);
        self.received.saturating_sub(settled + self.handed_back)
    }
}

fn sum<R>(counts: &BTreeMap<R, u64>) -> u64 {
    counts.values().sum()
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} received: {} published, ", self.received, self.published)?;
        by_reason(f, &self.skipped, "skipped")?;
        by_reason(f, &self.dead_lettered, "dead-lettered")?;
        write!(f, "{} handed back", self.handed_back)
    }
}

fn by_reason<R: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    counts: &BTreeMap<R, u64>,
    name: &str,
) -> fmt::Result {
    write!(f, "{} {name}", sum(counts))?;
    for (index, (reason, count)) in counts.iter().enumerate() {
        write!(f, "{}{reason} {count}", if index == 0 { " (" } else { ", " })?;
    }
    f.write_str(if counts.is_empty() { ", " } else { "), " })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::MessageId;

    #[test]
    fn the_report_names_every_way_to_end() {
        let tally = Tally::default();
        tally.received(5);
        assert!(tally.settled(&Outcome::Published(MessageId("1".to_owned()))));
        assert!(tally.settled(&Outcome::Skipped(SkipReason::NoText)));
        assert!(!tally.settled(&Outcome::Skipped(SkipReason::NoText)));
        tally.handed_back(1);
        assert_eq!(tally.counts().in_flight(), 1);
        assert_eq!(
            tally.counts().to_string(),
            "5 received: 1 published, 2 skipped (no_text 2), 0 dead-lettered, 1 handed back"
        );
    }
}

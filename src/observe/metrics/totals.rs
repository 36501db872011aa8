//! Totals of all deliveries of a process, by outcome. Received is the sum of the others.

use std::collections::BTreeMap;
use std::fmt;

use crate::outcome::{Reason, SkipReason};

/// The numbers at one moment, over all sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Deliveries taken, or at hand when the worker stopped.
    pub received: u64,
    /// Accepted by SNS and acknowledged.
    pub published: u64,
    /// Acknowledged unpublished, since policy says so; by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Safe in the dead-letter queue and acknowledged; by reason.
    pub dead_lettered: BTreeMap<Reason, u64>,
    /// They come again: parked, requeued, or lost with their session.
    pub handed_back: u64,
    /// Without an end.
    pub in_flight: i64,
}

impl Totals {
    /// Deliveries that ended, for good or for now.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.published + sum(&self.skipped) + sum(&self.dead_lettered) + self.handed_back
    }

    /// Counts of skipped and dead-lettered events by reason, such as `no_text 2, undecodable 1`. `None`: no such event.
    #[must_use]
    pub fn reasons(&self) -> Option<String> {
        let skipped = self.skipped.iter().map(|(reason, count)| format!("{reason} {count}"));
        let dead = self.dead_lettered.iter().map(|(reason, count)| format!("{reason} {count}"));
        let reasons: Vec<_> = skipped.chain(dead).collect();
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }

    /// Deliveries that are neither in flight nor have ended: none, but for those that end while the numbers are read.
    #[must_use]
    #[allow(clippy::cast_possible_wrap, reason = "nobody counts that far")]
    pub fn unaccounted(&self) -> i64 {
        self.received as i64 - self.ended() as i64 - self.in_flight
    }
}

/// Of all reasons.
pub(crate) fn sum<R>(counts: &BTreeMap<R, u64>) -> u64 {
    counts.values().sum()
}

impl fmt::Display for Totals {
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
    use std::rc::Rc;
    use std::sync::Arc;

    use crate::event::EventKind;
    use crate::observe::metrics::Metrics;
    use crate::observe::monitor::Monitor;
    use crate::outcome::{MessageId, Outcome, SkipReason};

    #[test]
    fn the_report_names_every_way_to_end_and_the_first_of_each_is_told() {
        let metrics = Arc::new(Metrics::new());
        let source = |name| Rc::new(Monitor::new(name, Arc::clone(&metrics)));
        let (one, other) = (source("one"), source("other"));
        let published = Outcome::Published(MessageId("1".to_owned()));
        assert!(one.taken(Some(EventKind::Chat)).end(&published));
        assert!(one.taken(None).end(&Outcome::Skipped(SkipReason::NoText)));
        // Of another source, and of another kind.
        let again =
            other.taken(Some(EventKind::Presence)).end(&Outcome::Skipped(SkipReason::NoText));
        assert!(!again);
        assert!(!one.taken(None).end(&Outcome::Parked));
        drop(one.taken(None));
        other.requeued_untaken();
        let in_flight = other.taken(None);
        let totals = metrics.reading().totals();
        assert_eq!((totals.in_flight, totals.unaccounted()), (1, 0));
        assert_eq!(
            totals.to_string(),
            "7 received: 1 published, 2 skipped (no_text 2), 0 dead-lettered, 3 handed back"
        );
        assert_eq!(totals.reasons().as_deref(), Some("no_text 2"));
        drop(in_flight);
    }
}

use crate::metrics::Metrics;
use crate::outcome::{Reason, SkipReason};
use crate::tally::Tally;

/// Two books are kept of the same deliveries: the log's and Prometheus'.
pub(super) fn assert_that_the_metrics_say_the_same(metrics: &Metrics, tally: &Tally) {
    let counts = tally.counts();
    let source = &["test"];
    let told = |outcome, reason| -> u64 {
        let of_kind = |kind| metrics.outcomes.with_label_values(&["test", kind, outcome, reason]);
        ["presence", "chat", "groupchat", "unknown"].iter().map(|kind| of_kind(kind).get()).sum()
    };
    assert_eq!(told("published", ""), counts.published, "{counts}");
    for reason in SkipReason::ALL {
        let skipped = counts.skipped.get(reason).copied().unwrap_or_default();
        assert_eq!(told("skipped", reason.label()), skipped, "{counts}");
    }
    for reason in Reason::ALL {
        let dead = counts.dead_lettered.get(reason).copied().unwrap_or_default();
        assert_eq!(told("dead_lettered", reason.label()), dead, "{counts}");
    }
    assert_eq!(metrics.deliveries.with_label_values(source).get(), counts.received, "{counts}");
    assert_eq!(metrics.handed_back.with_label_values(source).get(), counts.handed_back, "{counts}");
    assert_eq!(metrics.in_flight.with_label_values(source).get(), 0, "{counts}");
}

//! What a monitor counts.

use super::*;

#[test]
fn the_backlog_counts_what_was_delivered_and_not_taken_yet() {
    let metrics = Arc::new(Metrics::new());
    let monitor = Rc::new(Monitor::new("s", Arc::clone(&metrics)).with_prefetch(5));
    let backlog = || {
        monitor.refresh();
        metrics.backlog.with_label_values(&["s"]).get()
    };
    let _taken = (monitor.taken(None), monitor.taken(None));
    monitor.queue(Some((0, 2)));
    assert!((backlog() - 2.0).abs() < f64::EPSILON, "the queue is empty: there are no more");
    monitor.queue(Some((6, 2)));
    assert!((backlog() - 8.0).abs() < f64::EPSILON, "a half of six, and five that came");
}

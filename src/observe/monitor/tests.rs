//! What a monitor counts.

use std::time::Duration;

use super::*;
use crate::outcome::SourceError;

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

#[test]
fn a_source_that_is_not_connected_has_none_of_its_partitions() {
    let metrics = Arc::new(Metrics::new());
    let (monitor, other) = (Monitor::new("s", Arc::clone(&metrics)), Monitor::new("t", metrics));
    let partitions = |monitor: &Monitor| {
        let gathered = monitor.metrics().render().unwrap();
        let line = gathered.lines().find(|it| it.contains("partitions{source=\"s\"}"));
        line.map(|it| it.rsplit(' ').next().unwrap_or_default().to_owned())
    };
    assert_eq!(partitions(&monitor), None);
    let share = PartitionShare { active: 4, of: 9, bound: 5, prefetch: 10 };
    monitor.is(State::Consuming);
    monitor.partitions(share);
    assert_eq!(
        (monitor.seen().partitions, partitions(&monitor).as_deref()),
        (Some(share), Some("4"))
    );
    for monitor in [&monitor, &other] {
        monitor.is(State::Disconnected(SourceError::Failed("gone".to_owned())));
    }
    assert_eq!((monitor.seen().partitions, partitions(&monitor).as_deref()), (None, Some("0")));
}

#[test]
fn a_sorter_that_fails_is_known_until_it_works_and_no_longer_than_its_connection() {
    let monitor = Monitor::new("s", Arc::new(Metrics::new()));
    let states = || {
        let gauge = &monitor.metrics().sorter_state;
        Sorting::LABELS.map(|it| gauge.with_label_values(&["s", it]).get())
    };
    monitor.is(State::Consuming);
    monitor.sorts();
    assert_eq!((monitor.seen().sorting, states()), (Some(Sorting::Works), [1, 0]));
    let error = |said: &str| SourceError::Failed(said.to_owned());
    monitor.cannot_sort(&error("full"));
    let Some(Sorting::Fails(_, since)) = monitor.seen().sorting else { panic!("it fails") };
    monitor.cannot_sort(&error("gone"));
    monitor.sorted(0);
    let fails = Sorting::Fails(error("gone"), since);
    assert_eq!((monitor.seen().sorting, states()), (Some(fails), [0, 1]));
    monitor.sorted(1);
    assert_eq!((monitor.seen().sorting, states()), (Some(Sorting::Works), [1, 0]));
    monitor.is(State::Disconnected(error("lost")));
    assert_eq!((monitor.seen().sorting, states()), (None, [0, 0]));
}

fn sharing(names: [&str; 2]) -> (Arc<Metrics>, [Monitor; 2]) {
    let (metrics, shared) = (Arc::new(Metrics::new()), Rc::<SharedDepth>::default());
    let monitors =
        names.map(|it| Monitor::new(it, Arc::clone(&metrics)).sharing(Rc::clone(&shared)));
    (metrics, monitors)
}

#[test]
fn a_source_that_knows_nothing_of_the_dead_letters_erases_nothing_that_another_knows() {
    let (metrics, [one, other]) = sharing(["one", "other"]);
    let known = || metrics.reading().dead_letters_queued;
    let now = Instant::now();
    one.dead_letters("dead", Some((3, now)));
    other.dead_letters("dead", Some((4, now + Duration::from_secs(1))));
    one.is(State::Disconnected(SourceError::Failed("gone".to_owned())));
    assert_eq!(known(), Some(4), "the other one reads it still");
    one.dead_letters("dead", Some((5, now + Duration::from_secs(2))));
    one.dead_letters("dead", None);
    assert_eq!(known(), Some(4), "what only the one knew is gone");
    other.is(State::Connecting);
    assert_eq!(known(), None, "nobody knows it");
}

#[test]
fn an_old_answer_about_the_dead_letters_replaces_no_later_one() {
    let (metrics, [one, other]) = sharing(["one", "other"]);
    let now = Instant::now();
    one.dead_letters("dead", Some((2000, now + Duration::from_secs(9))));
    other.dead_letters("dead", Some((0, now)));
    assert_eq!(metrics.reading().dead_letters_queued, Some(2000));
}

#[test]
fn a_queue_that_does_not_answer_has_no_depth_and_keeps_its_part_of_the_backlog() {
    let (metrics, [monitor, _]) = sharing(["s", "t"]);
    let seen = || {
        monitor.refresh();
        (metrics.reading().sources["s"].ready, metrics.backlog.with_label_values(&["s"]).get())
    };
    monitor.queue(Some((600, 2)));
    assert_eq!(seen(), (Some(600), 300.0));
    monitor.queue_is_silent();
    assert_eq!(seen(), (None, 300.0), "fewer workers would not help a queue that is busy");
    monitor.queue_is_unknown();
    assert_eq!(seen(), (None, 0.0));
}

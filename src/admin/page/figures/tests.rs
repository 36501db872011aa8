//! Out of readings that are made up.

use super::*;

/// So many events of a second each, in requests of ten.
fn reading(events: u64) -> Reading {
    let seconds = Times { up_to: vec![(1.0, events), (2.0, events)], count: events };
    let source = SourceReading {
        received: events + 3,
        outcomes: BTreeMap::from([(("published".to_owned(), String::new()), events)]),
        in_flight: 3,
        ready: Some(5),
        seconds: seconds.clone(),
        ..SourceReading::default()
    };
    let requests =
        BTreeMap::from([("accepted".to_owned(), events / 10), ("throttled".to_owned(), 2)]);
    let topic = TopicReading { published: events, requests, seconds, ..TopicReading::default() };
    Reading {
        sources: BTreeMap::from([("events".to_owned(), source)]),
        topics: BTreeMap::from([("pm".to_owned(), topic)]),
        entries: (events, events / 10),
        requests_in_flight: 1,
        request_limit: 100.0,
        dead_letters_queued: None,
    }
}

#[tokio::test(start_paused = true)]
async fn rates_percentiles_and_cost_are_those_of_the_last_seconds() {
    let mut history = History::default();
    assert_eq!(history.figures(0.5), Figures { ready: Some(0), ..Figures::default() });
    for second in 0..1000 {
        history.add(reading(1000 * second));
        tokio::time::advance(EVERY).await;
    }
    let figures = history.figures(0.5);
    let near = |it: f64, wanted: f64| assert!((it - wanted).abs() < 0.01 * wanted, "{it} {wanted}");
    near(figures.received_per_second, 1000.0);
    near(figures.published_per_second, 1000.0);
    near(figures.requests.per_second, 100.0);
    near(figures.requests.entries.unwrap(), 10.0);
    near(figures.requests.usd_per_million_events.unwrap(), 0.05);
    near(figures.latency.p50.unwrap(), 0.5);
    assert_eq!((figures.ready, figures.in_flight), (Some(5), 3));
    assert_eq!((figures.totals.unaccounted, figures.missing), (0, 0));
    assert_eq!(figures.topics["pm"].failed_requests, 2);
    assert_eq!(history.points().len(), POINTS, "and no more, however long it runs");
    for _ in 0..=WINDOW {
        history.add(reading(999_000));
        tokio::time::advance(EVERY).await;
    }
    let figures = history.figures(0.5);
    assert_eq!((figures.received_per_second, figures.latency), (0.0, Latency::default()));
}

#[tokio::test(start_paused = true)]
async fn what_is_unaccounted_for_is_missing_only_if_it_stays_so() {
    let mut history = History::default();
    let off_by = |count: u64| {
        let mut reading = reading(1000);
        reading.sources.get_mut("events").unwrap().received += count;
        reading
    };
    for second in 0..50 {
        history.add(off_by(1 + second % 3));
        assert_eq!(history.figures(0.5).missing, 0, "it moves");
    }
    for _ in 0..LASTING {
        history.add(off_by(2));
    }
    assert_eq!(history.figures(0.5).missing, 2);
    history.add(off_by(0));
    assert_eq!(history.figures(0.5).missing, 0, "it was found");
}

#[tokio::test(start_paused = true)]
async fn what_dies_and_what_fails_is_told_by_rate_reason_and_share() {
    let mut history = History::default();
    for second in 0..20 {
        let mut reading = reading(1000 * second);
        let source = reading.sources.get_mut("events").unwrap();
        let dead = |reason: &str| ("dead_lettered".to_owned(), reason.to_owned());
        source.outcomes.insert(dead("rejected"), 7 * second);
        source.outcomes.insert(dead("undecodable"), 9 * second);
        let topic = reading.topics.get_mut("pm").unwrap();
        topic.requests.insert("throttled".to_owned(), 80 * second);
        topic.requests.insert("failed".to_owned(), 20 * second);
        reading.dead_letters_queued = Some(3);
        history.add(reading);
        tokio::time::advance(EVERY).await;
    }
    let figures = history.figures(0.5);
    assert_eq!(figures.dying, [(Reason::Undecodable, 9.0), (Reason::Rejected, 7.0)]);
    assert!((figures.dead_lettered_per_second - 16.0).abs() < 1e-9, "{figures:?}");
    assert_eq!(figures.requests.failed_share, Some(0.5));
    assert_eq!(figures.dead_letters, Some(3));
}

//! The merged picture, out of reports that are made up.

mod partitions;
mod replays;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Effective, Inputs, Key, Origin};
use crate::limits::{LONGEST_FLEET_REPORT, LONGEST_OF_FLEET, MOST_FLEET_SOURCES, MOST_WORKERS};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn effective(values: &[(&str, &str)]) -> Vec<Effective> {
    let one = |(key, value): &(&str, &str)| Effective {
        key: Key::from(*key),
        value: (*value).to_owned(),
        origin: Origin::Default,
    };
    values.iter().map(one).collect()
}

fn report(number: u64, sequence: u64) -> Report {
    Report {
        id: format!("{number:016x}"),
        sequence,
        at: at(0),
        every_ms: 1000,
        host: format!("pod-{number}"),
        version: "1.0.0".to_owned(),
        started: at(-100),
        state: "ready".to_owned(),
        configuration: Fingerprint::of(&effective(&[("sns.region", "a"), ("log.filter", "info")])),
        books: Books { received: 10, published: 6, skipped: 1, in_flight: 3, ..Books::default() },
        rates: Rates { received: 2.0, published: 1.0, dead_lettered: 0.0 },
        ..Report::default()
    }
}

/// A fleet that hears since some time, with a worker of its own.
fn members(now: Instant) -> Members {
    let mut members = Members::new("chat");
    members.set_own(report(0, 1));
    members.set_link(Link::Joined, now);
    members
}

fn hear(members: &mut Members, report: Report, now: Instant) -> Result<(), Ignored> {
    members.hear(Ok((report, false)), now, at(0))
}

#[test]
fn who_is_not_heard_is_silent_and_then_gone_and_an_older_report_is_not_believed() {
    let now = Instant::now();
    let mut members = members(now);
    for number in 1..=2 {
        assert_eq!(hear(&mut members, report(number, 5), now), Ok(()));
    }
    assert_eq!(hear(&mut members, report(1, 5), now), Err(Ignored::Old));
    assert_eq!(members.count_heard(now), 3);
    let later = now + Duration::from_secs(6);
    assert_eq!(hear(&mut members, report(1, 6), later), Ok(()));
    let picture = members.picture(later);
    let silent: Vec<_> = picture.silent().map(|it| &*it.report.host).collect();
    assert_eq!((silent, members.count_heard(later)), (vec!["pod-2"], 2));
    let gone = later + Duration::from_secs(25);
    assert_eq!(hear(&mut members, report(1, 7), gone), Ok(()));
    assert_eq!(members.picture(gone).workers.len(), 2, "one is gone");
    assert_eq!(hear(&mut members, report(2, 5), gone), Err(Ignored::Old), "a copy");
    assert_eq!(hear(&mut members, report(2, 6), gone), Ok(()), "it was only frozen");
    let left = Report { state: LEFT.to_owned(), ..report(2, 7) };
    assert_eq!(hear(&mut members, left, gone), Ok(()));
    assert_eq!(members.picture(gone).workers.len(), 2, "it says so itself");
    assert_eq!(
        hear(&mut members, report(2, 8), gone),
        Err(Ignored::Old),
        "whoever has left is not back"
    );
}

#[test]
fn while_this_worker_hears_nobody_nobody_is_called_silent() {
    let now = Instant::now();
    let mut members = members(now);
    hear(&mut members, report(1, 1), now).unwrap();
    members.set_link(Link::Lost("gone".to_owned()), now);
    let later = now + Duration::from_mins(5);
    members.forget(later);
    let picture = members.picture(later);
    assert_eq!((picture.sums.silent, picture.workers.len(), picture.link.state), (0, 2, "lost"));
    assert_eq!(members.count_heard(later), 0);
    members.set_link(Link::Joined, later);
    let soon = later + Duration::from_secs(4);
    assert_eq!(members.picture(soon).sums.silent, 0, "it has had no time to be heard");
    let then = later + Duration::from_secs(6);
    assert_eq!(members.picture(then).sums.silent, 1);
}

#[test]
fn what_differs_is_named_by_key_and_what_may_differ_is_not() {
    let now = Instant::now();
    let mut members = members(now);
    hear(&mut members, report(1, 1), now).unwrap();
    let values = [("sns.region", "b"), ("log.filter", "debug"), ("amqp.declare", "true")];
    let configuration = Fingerprint::of(&effective(&values));
    hear(&mut members, Report { configuration, ..report(2, 1) }, now).unwrap();
    let configuration = Fingerprint::of(&effective(&[("sns.region", "a"), ("new.key", "1")]));
    let version = "1.1.0".to_owned();
    hear(&mut members, Report { version, configuration, ..report(3, 1) }, now).unwrap();
    // Of a version that tells less.
    let configuration = Fingerprint::default();
    hear(&mut members, Report { configuration, ..report(4, 1) }, now).unwrap();
    let picture = members.picture(now);
    let found: Vec<_> = picture
        .differing()
        .map(|it| (&*it.report.host, it.other_version, it.differs_in.join(" ")))
        .collect();
    let wanted =
        [("pod-2", false, "amqp.declare sns.region".to_owned()), ("pod-3", true, String::new())];
    assert_eq!(found, wanted, "{picture:#?}");
    assert_eq!(picture.versions.len(), 2);
    let json = serde_json::to_value(&picture).unwrap();
    assert!(json["workers"][0]["configuration"].is_null(), "hashes stay here: {json}");
    assert_eq!(json["workers"][0]["host"], "pod-0");
}

#[test]
fn workers_of_one_host_are_told_apart() {
    let now = Instant::now();
    let mut members = members(now);
    for number in [0x1234 << 48, 0x4321 << 48] {
        hear(&mut members, Report { host: "vm".to_owned(), ..report(number, 1) }, now).unwrap();
    }
    let names: Vec<_> = members.picture(now).workers.into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["pod-0", "vm 1234", "vm 4321"]);
}

#[test]
fn of_very_many_keys_groups_are_compared() {
    let named: Vec<_> = (0..300).map(|it| format!("amqp.sources.s{}.key{it}", it % 3)).collect();
    let of = |changed: usize| {
        let value = |it: usize| if it == changed { "x" } else { "y" };
        let values: Vec<_> =
            named.iter().enumerate().map(|(it, key)| (key.as_str(), value(it))).collect();
        Fingerprint::of(&effective(&values))
    };
    assert_eq!(of(999).differences(&of(4), true), ["[amqp.sources.s1]"]);
    let none = Fingerprint { parts: BTreeMap::default(), ..of(4) };
    let bare = Fingerprint { parts: BTreeMap::default(), ..of(999) };
    assert_eq!(bare.differences(&none, true), ["the configuration"]);
    assert!(of(4).differences(&of(4), true).is_empty());
}

#[test]
fn the_sums_of_all_balance_if_each_ones_do() {
    let now = Instant::now();
    let mut members = members(now);
    for number in 1..10 {
        hear(&mut members, report(number, 1), now).unwrap();
    }
    let sums = members.picture(now).sums;
    assert_eq!((sums.workers, sums.books.received, sums.unaccounted), (10, 100, 0));
    assert!((sums.rates.received - 20.0).abs() < 1e-9);
}

#[test]
fn clocks_that_differ_are_told_and_a_signed_report_of_another_time_is_a_copy() {
    let now = Instant::now();
    let mut members = members(now);
    let off = |number, seconds| Report { at: at(seconds), ..report(number, 1) };
    members.hear(Ok((off(1, 300), true)), now, at(0)).unwrap();
    members.hear(Ok((off(2, -5), true)), now, at(0)).unwrap();
    let copy = members.hear(Ok((off(3, -901), true)), now, at(0));
    assert_eq!(copy, Err(Ignored::Clock));
    members.hear(Ok((off(4, -90_000), false)), now, at(0)).unwrap();
    let picture = members.picture(now);
    let clocks: Vec<_> = picture.workers.iter().map(|it| it.clock_ahead_seconds).collect();
    assert_eq!(clocks, [None, Some(300), None, Some(-90_000)]);
    assert_eq!(picture.ignored["clock"], 1);
}

#[test]
fn no_more_workers_are_kept_than_are_shown_and_many_report_more_rarely() {
    let now = Instant::now();
    let mut members = members(now);
    let heard = (1..=300).filter(|it| hear(&mut members, report(*it, 1), now).is_ok()).count();
    assert_eq!((heard, members.picture(now).workers.len()), (MOST_WORKERS - 1, MOST_WORKERS));
    assert_eq!(members.picture(now).ignored["too_many"], 101);
    assert_eq!(members.every(), Duration::from_secs(4));
}

#[test]
fn one_byte_too_many_is_no_report_and_every_part_is_bounded() {
    let mut large = report(1, 1).to_json();
    large.resize(LONGEST_FLEET_REPORT, b' ');
    assert!(Report::read(&large).is_ok());
    large.push(b' ');
    assert_eq!(Report::read(&large), Err(Ignored::TooLarge));
    for bad in ["", "{}", "[]", "{\"id\":\"xyz\",\"sequence\":1}", "{\"id\":7}"] {
        assert_eq!(Report::read(bad.as_bytes()), Err(Ignored::Malformed), "{bad}");
    }
    let long = "x\u{202e}\n".repeat(1000);
    let source = || SourceReport { name: long.clone(), backlog: 1e300, ..SourceReport::default() };
    let report = Report {
        host: long.clone(),
        every_ms: 0,
        sources: std::iter::repeat_with(source).take(MOST_FLEET_SOURCES + 1).collect(),
        ..report(1, 1)
    };
    let bounded = report.clone().bounded();
    assert!(bounded.host.len() < LONGEST_OF_FLEET + 4 && !bounded.host.contains('\n'));
    assert_eq!((bounded.sources.len(), bounded.every_ms), (MOST_FLEET_SOURCES, 100));
    assert!(report.to_json().len() > LONGEST_FLEET_REPORT, "only what is bounded is sent");
    assert!(bounded.to_json().len() <= LONGEST_FLEET_REPORT);
}

#[test]
fn what_a_later_version_says_besides_is_left_out_and_what_a_former_lacks_is_missing() {
    let body = r#"{"id":"00000000000000aa","sequence":3,"partitions":[1,2],"sources":[{"name":"s","new":{}}]}"#;
    let report = Report::read(body.as_bytes()).unwrap();
    assert_eq!((report.sequence, &*report.sources[0].name, &*report.version), (3, "s", ""));
}

proptest! {
    #[test]
    fn whatever_comes_is_a_bounded_report_or_none(body: Vec<u8>, numbers: (u64, i64, f64)) {
        let _ = Report::read(&body);
        let (many, time, rate) = numbers;
        let json = serde_json::json!({
            "id": "00000000000000aa", "sequence": many.max(1), "every_ms": many,
            "books": {"received": many, "published": many, "skipped": many, "dead_lettered": many},
            "rates": {"received": rate}, "sources": [{"name": "s", "backlog": rate, "in_flight": many}],
            "at": Timestamp::from_second(time % 100_000_000_000).unwrap_or_default(),
        });
        let Ok(report) = Report::read(json.to_string().as_bytes()) else { return Ok(()) };
        let now = Instant::now();
        let mut members = members(now);
        hear(&mut members, report, now).unwrap();
        let json = serde_json::to_value(members.picture(now)).unwrap();
        prop_assert!(json["sums"]["rates"]["received"].as_f64().is_some_and(|it| it >= 0.0), "{}", json);
    }
}

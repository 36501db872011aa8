//! What workers say of their partitions, and what is made of it.

use super::*;

fn source(active: u64, ready: u64) -> SourceReport {
    SourceReport {
        name: "events".to_owned(),
        state: "consuming".to_owned(),
        ready: Some(ready),
        partitions: Some(PartitionsReport {
            active,
            of: 40,
            bound: Some(20),
            prefetch: 37,
            sorts: false,
        }),
        ..SourceReport::default()
    }
}

fn with(number: u64, sequence: u64, source: SourceReport) -> Report {
    Report { sources: vec![source], ..report(number, sequence) }
}

/// A worker of its own and another one.
fn two(now: Instant, one: SourceReport, other: SourceReport) -> Members {
    let mut members = members(now);
    members.set_own(with(0, 1, one));
    hear(&mut members, with(1, 1, other), now).unwrap();
    members
}

fn partitions(members: &Members, now: Instant) -> SourcePartitions {
    let [one] = &members.picture(now).partitions[..] else { panic!("one source") };
    one.clone()
}

#[test]
fn the_partitions_of_all_workers_that_are_heard_add_up_and_whoever_has_too_many_is_named() {
    let now = Instant::now();
    let members = two(now, source(20, 0), source(20, 0));
    let all = partitions(&members, now);
    assert_eq!(all.words(), "source events: events come from 40 of 40 partitions");
    let members = two(now, source(15, 0), source(25, 0));
    let all = partitions(&members, now);
    assert_eq!((all.active, &all.beyond[..]), (40, &["pod-1".to_owned()][..]));
    assert!(all.words().ends_with("; more than its share has pod-1"), "{}", all.words());
    let beyond = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let many = SourcePartitions { beyond, ..all };
    assert!(
        many.words().ends_with("; more than its share have a, b, c, 2 more"),
        "{}",
        many.words()
    );
    // What a silent one has may be another's by now.
    let later = now + Duration::from_secs(6);
    assert_eq!(partitions(&members, later).active, 15);
    assert_eq!(
        two(now, SourceReport::default(), SourceReport::default()).picture(now).partitions,
        []
    );
}

#[test]
fn that_events_wait_though_partitions_are_free_is_said_after_some_seconds_and_not_of_an_idle_source()
 {
    let now = Instant::now();
    let after = |mut members: Members, seconds: u64| {
        members.note_shortages(now);
        let then = now + Duration::from_secs(seconds);
        hear(&mut members, with(1, 2, source(10, 0)), then).unwrap();
        members.note_shortages(then);
        partitions(&members, then).short_seconds
    };
    assert_eq!(after(two(now, source(20, 7), source(10, 0)), 4), None, "partitions may be moving");
    assert_eq!(after(two(now, source(20, 7), source(10, 0)), 5), Some(5.0));
    assert_eq!(after(two(now, source(20, 0), source(10, 0)), 60), None, "nothing waits");
    let paused = SourceReport { state: "paused".to_owned(), ..source(0, 7) };
    assert_eq!(after(two(now, source(20, 7), paused), 4), None);
    let all = SourcePartitions {
        short_seconds: Some(7.2),
        ..partitions(&two(now, source(20, 7), source(17, 0)), now)
    };
    assert_eq!(
        all.words(),
        "source events: events come from 37 of 40 partitions; for 7 s events wait all the same: nobody consumes the other 3, or too many \
         events have one key"
    );
}

#[test]
fn a_shortage_that_was_over_begins_anew_and_what_is_held_or_paused_is_none() {
    let now = Instant::now();
    let mut members = two(now, source(20, 7), source(10, 0));
    let mut at = |second: u64, own: Report| {
        let then = now + Duration::from_secs(second);
        members.set_own(own);
        hear(&mut members, with(1, 1 + second, source(10, 0)), then).unwrap();
        members.note_shortages(then);
        partitions(&members, then).short_seconds
    };
    let short = |sequence| with(0, sequence, source(20, 7));
    assert_eq!(at(1, short(2)), None);
    assert_eq!(at(8, short(3)), Some(7.0));
    assert_eq!(at(9, with(0, 4, source(30, 7))), None, "all are taken");
    assert_eq!(at(12, short(5)), None);
    assert_eq!(at(17, short(6)), Some(5.0));
    let held = Report { holds: vec![Hold::default()], ..short(7) };
    assert_eq!(at(18, held), None);
    let paused = SourceReport { state: "paused".to_owned(), ..source(0, 7) };
    assert_eq!(at(30, with(0, 8, paused)), None);
}

#[test]
fn a_worker_with_another_number_of_partitions_or_prefetch_differs_though_its_keys_are_not_told() {
    let now = Instant::now();
    let mut members = two(now, source(20, 0), source(20, 0));
    let other = |number: u64, of: u64, prefetch: u64| {
        let partitions = Some(PartitionsReport { of, prefetch, ..PartitionsReport::default() });
        with(number, 1, SourceReport { partitions, ..source(0, 0) })
    };
    hear(&mut members, other(2, 40, 12), now).unwrap();
    hear(&mut members, other(3, 30, 37), now).unwrap();
    let picture = members.picture(now);
    let found: Vec<_> =
        picture.differing().map(|it| (&*it.name, it.differs_in.join(" "))).collect();
    let wanted = [
        ("pod-2", "amqp.prefetch".to_owned()),
        ("pod-3", "amqp.sources.events.partitions".to_owned()),
    ];
    assert_eq!(found, wanted);
    let all = partitions(&members, now);
    assert_eq!((all.active, all.of), (40, 40), "what most know counts");
}

#[test]
fn what_is_said_of_partitions_is_bounded_and_may_be_missing() {
    let read = |partitions: &str| {
        let body = format!(
            r#"{{"id":"00000000000000aa","sequence":3,"sources":[{{"name":"s","partitions":{partitions}}}]}}"#
        );
        Report::read(body.as_bytes()).map(|it| it.sources[0].partitions)
    };
    let of = |of| Some(PartitionsReport { of, ..PartitionsReport::default() });
    assert_eq!(read(r#"{"of":4,"new":[1]}"#), Ok(of(4)), "a later version says more");
    assert_eq!(read("null"), Ok(None));
    assert_eq!(read("{}"), Ok(None), "of none there is nothing to say");
    let many = r#"{"of":99999999,"active":99999999999,"bound":70000,"prefetch":70000}"#;
    let most = PartitionsReport {
        active: 65_535,
        of: 65_535,
        bound: Some(65_535),
        prefetch: 65_535,
        sorts: false,
    };
    assert_eq!(read(many), Ok(Some(most)));
    for bad in ["7", "\"4\"", r#"{"of":-1}"#, r#"{"of":1e300}"#, r#"{"active":"x"}"#] {
        assert_eq!(read(bad), Err(Ignored::Malformed), "{bad}");
    }
}

#[test]
fn what_most_say_is_shown_as_words_of_one_line() {
    let share = PartitionsReport { active: 4, of: 40, bound: Some(4), prefetch: 1, sorts: false };
    assert_eq!(share.words(), "4 of 40");
    assert_eq!(PartitionsReport { active: 5, ..share }.words(), "5 of 40 (share 4)");
    assert_eq!(PartitionsReport { sorts: true, ..share }.words(), "4 of 40, sorts");
    assert_eq!(PartitionsReport { active: 5, bound: None, ..share }.words(), "5 of 40");
}

#[test]
fn workers_are_compared_with_a_configuration_by_the_keys_that_partitions_need_to_be_alike() {
    let config = |toml: &str| {
        let base = "sns.ordering = \"per-key\"\namqp.sources.events.exchange = \"e\"\n";
        let files = vec![("test.toml".to_owned(), format!("{base}{toml}"))];
        let inputs = Inputs { files, environment: Vec::new() };
        Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap()
    };
    let partitions = "amqp.sources.events.partitions = 40\n";
    let own = config(&format!("{partitions}amqp.prefetch = 400"));
    let compared = Compared::of(&own).unwrap();
    let now = Instant::now();
    let mut members = Members::new("chat");
    members.set_link(Link::Joined, now);
    assert_eq!(members.compare(&compared, now), Comparison { heard: 0, differing: Vec::new() });
    let others = [
        format!("{partitions}amqp.prefetch = 400\nshutdown.grace_ms = 7000"),
        format!("{partitions}amqp.prefetch = 4000"),
        format!("{partitions}amqp.prefetch = 400\namqp.sources.events.partition_by = \"header:x\""),
        "amqp.sources.events.partitions = 30\namqp.prefetch = 400\nsns.pool_size = 7".to_owned(),
    ];
    for (toml, number) in others.iter().zip(1..) {
        let configuration = Fingerprint::of(&config(toml).effective);
        hear(&mut members, Report { configuration, ..report(number, 1) }, now).unwrap();
    }
    // Of one that tells no keys, its numbers.
    let other = with(5, 1, source(0, 0));
    hear(&mut members, Report { configuration: Fingerprint::default(), ..other }, now).unwrap();
    let Comparison { heard, differing } = members.compare(&compared, now);
    let found: Vec<_> = differing.iter().map(|(name, keys)| (&**name, keys.join(" "))).collect();
    let wanted = [
        ("pod-2", "amqp.prefetch"),
        ("pod-3", "amqp.sources.events.partition_by"),
        ("pod-4", "amqp.sources.events.partitions sns.pool_size"),
        ("pod-5", "amqp.prefetch"),
    ];
    assert_eq!((heard, found), (5, wanted.map(|(name, keys)| (name, keys.to_owned())).to_vec()));
    assert!(Compared::of(&config("")).is_none(), "no source has partitions");
}

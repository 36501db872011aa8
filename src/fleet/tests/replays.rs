//! Replays: a worker's is in its report, an operator's is believed as a report is, and is no worker.

use super::*;

fn replay() -> ReplayReport {
    ReplayReport {
        queue: "dead".to_owned(),
        filter: "reason rejected".to_owned(),
        began: at(-60),
        state: "sending".to_owned(),
        total: Some(4000),
        done: 120,
        rate: 9.8,
        limit: Some(10.0),
        ..ReplayReport::default()
    }
}

fn operator(number: u64, sequence: u64) -> OperatorReport {
    let (id, by) = (format!("{number:016x}"), "ann@desk".to_owned());
    OperatorReport { id, sequence, at: at(0), by, ended: false, replay: replay() }
}

fn says(members: &mut Members, report: OperatorReport, now: Instant) -> Result<(), Ignored> {
    members.hear(Ok((report, false)), now, at(0))
}

#[test]
fn an_operators_replay_is_shown_and_is_no_worker_until_it_ends_or_is_long_silent() {
    let now = Instant::now();
    let mut members = members(now);
    assert_eq!(says(&mut members, operator(7, 3), now), Ok(()));
    assert_eq!(says(&mut members, operator(7, 3), now), Err(Ignored::Old), "a copy");
    let picture = members.picture(now);
    assert_eq!((picture.workers.len(), picture.sums.workers, members.count_heard(now)), (1, 1, 1));
    assert_eq!(members.every(), Duration::from_secs(1));
    let [seen] = &picture.replays[..] else { panic!("{picture:#?}") };
    assert_eq!(
        (&*seen.by, seen.is_worker, seen.is_this, seen.is_silent),
        ("ann@desk", false, false, false)
    );
    assert_eq!(
        seen.words(),
        "the command of ann@desk replays since 2027-01-15T07:59:00Z: 120 of 4000 dead letters so far, 9.8/s (limit 10/s); \
         reason rejected"
    );
    assert!(members.replay_of_another("dead", now).is_some());
    assert!(members.replay_of_another("other", now).is_none(), "another queue's");
    let later = now + Duration::from_secs(6);
    assert!(members.picture(later).replays[0].is_silent);
    assert!(members.replay_of_another("dead", later).is_none(), "whoever is silent may be dead");
    let gone = now + Duration::from_secs(31);
    members.forget(gone);
    assert_eq!(members.picture(gone).replays, []);
    assert_eq!(says(&mut members, operator(7, 3), gone), Err(Ignored::Old), "a copy");
    assert_eq!(says(&mut members, operator(7, 4), gone), Ok(()), "it was only frozen");
    let ended = OperatorReport { ended: true, ..operator(7, 5) };
    assert_eq!(says(&mut members, ended, gone), Ok(()));
    assert_eq!(members.picture(gone).replays, []);
    assert_eq!(says(&mut members, operator(7, 6), gone), Err(Ignored::Old), "it has ended");
}

#[test]
fn a_workers_replay_is_in_its_report_and_in_the_picture_of_all() {
    let now = Instant::now();
    let mut members = members(now);
    members.set_replay(Some(replay()));
    assert_eq!(members.own().unwrap().replay, Some(replay()));
    let picture = members.picture(now);
    assert_eq!((&*picture.replays[0].by, picture.replays[0].is_this), ("pod-0", true));
    assert!(members.replay_of_another("dead", now).is_none(), "its own");
    let mut other = self::members(now);
    let sent = Report { replay: Some(replay()), ..report(1, 1) };
    assert_ne!(sent.essence(), report(1, 1).essence(), "it is told at once");
    hear(&mut other, Report::read(&sent.to_json()).unwrap(), now).unwrap();
    let seen = other.replay_of_another("dead", now).unwrap();
    assert_eq!((&*seen.by, seen.is_worker, &seen.replay), ("pod-1", true, &replay()));
    hear(&mut other, report(1, 2), now).unwrap();
    assert_eq!(other.picture(now).replays, []);
    members.set_replay(None);
    assert_eq!(members.picture(now).replays, []);
}

/// What a version without replays reads of a report.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Former {
    id: String,
    sequence: u64,
    state: String,
}

#[test]
fn versions_with_and_without_replays_understand_each_other() {
    let sent = Report { replay: Some(replay()), ..report(1, 1) };
    let former: Former = serde_json::from_slice(&sent.to_json()).unwrap();
    assert_eq!((&*former.id, former.sequence, &*former.state), ("0000000000000001", 1, "ready"));
    // It has no id for them, by which they know that it is no report.
    let former: Former = serde_json::from_slice(&operator(7, 1).to_json()).unwrap();
    assert_eq!((&*former.id, former.sequence), ("", 0));
    assert_eq!(Report::read(&operator(7, 1).to_json()), Err(Ignored::Malformed));
    let body = r#"{"id":"00000000000000aa","sequence":3}"#;
    assert_eq!(Report::read(body.as_bytes()).unwrap().replay, None);
    let later = r#"{"news":1,"operator":{"id":"00000000000000aa","sequence":3,"news":[],"replay":{"total":5,"news":2}}}"#;
    match Said::read(later.as_bytes()).unwrap() {
        Said::Operator(it) => assert_eq!((it.replay.total, it.replay.done), (Some(5), 0)),
        Said::Worker(it) => panic!("{it:?}"),
    }
}

#[test]
fn what_an_operator_says_is_bounded() {
    let long = "x\u{202e}\n".repeat(1000);
    let replay = ReplayReport {
        queue: long.clone(),
        filter: long.clone(),
        state: long.clone(),
        done: u64::MAX,
        rate: 1e300,
        ..replay()
    };
    let sent = OperatorReport { by: long, replay, ..operator(7, 1) };
    let read = OperatorReport::read(&sent.to_json()).unwrap();
    for text in [&read.by, &read.replay.queue, &read.replay.filter, &read.replay.state] {
        assert!(text.len() < LONGEST_OF_FLEET + 4 && !text.contains('\n'), "{text}");
    }
    assert!(read.replay.done < u64::MAX && read.replay.rate <= 1e12);
    for bad in
        ["{\"operator\":{}}", "{\"operator\":{\"id\":\"00000000000000aa\"}}", "{\"operator\":[]}"]
    {
        assert_eq!(Said::read(bad.as_bytes()), Err(Ignored::Malformed), "{bad}");
    }
    let mut large = operator(7, 1).to_json();
    large.resize(LONGEST_FLEET_REPORT + 1, b' ');
    assert_eq!(Said::read(&large), Err(Ignored::TooLarge));
    let now = Instant::now();
    let mut members = members(now);
    let heard =
        (1..=50).filter(|it| says(&mut members, operator(*it + 100, 1), now).is_ok()).count();
    assert_eq!((heard, members.picture(now).ignored["too_many"]), (20, 30));
    let copy =
        members.hear(Ok((OperatorReport { at: at(-901), ..operator(9, 1) }, true)), now, at(0));
    assert_eq!(copy, Err(Ignored::Clock));
}

//! What the headline says, and how bad it is.

use std::time::Duration;

use jiff::Timestamp;

use super::super::incident::latest;
use super::*;
use crate::admin::Status;
use crate::arn::TopicArn;
use crate::observe::monitor::{SourceObservation, State};
use crate::outcome::{Circuit, Scope};
use crate::publish::hold::OpenCircuit;
use crate::publish::memory::fault;

fn ready() -> Readiness {
    ready_in(State::Consuming)
}

fn ready_in(state: State) -> Readiness {
    let since = Timestamp::UNIX_EPOCH;
    let seen = SourceObservation { since, ..SourceObservation::now("events", state) };
    Status { sources: vec![seen], ..Status::starting() }.ready()
}

#[test]
fn a_standby_is_well_and_said_to_be_one() {
    let standby =
        headline(&ready_in(State::Standby), &Signs { dead_letters: Some(0), ..Signs::default() });
    assert_eq!((standby.level, standby.points.len()), (Level::Good, 0), "{standby:?}");
    assert!(standby.title.contains("another worker is the single active consumer"), "{standby:?}");
}

#[test]
fn it_is_well_only_if_there_is_nothing_to_do() {
    let of = |signs| headline(&ready(), &signs);
    let quiet = of(Signs { dead_letters: Some(0), ..Signs::default() });
    assert_eq!(
        (quiet.level, &*quiet.title),
        (Level::Good, "All is well: no events arrive, and the worker is ready")
    );
    let flowing = of(Signs { per_second: 1.0, dead_letters: Some(0), ..Signs::default() });
    assert_eq!((flowing.level, &*flowing.title), (Level::Good, "All is well: events flow"));
    for signs in [
        Signs { dead_letters: Some(1), ..Signs::default() },
        Signs { throttled_per_second: 0.1, ..Signs::default() },
        Signs { replay_waits: true, per_second: 1.0, ..Signs::default() },
    ] {
        let headline = of(signs);
        assert_eq!(headline.level, Level::Attention, "{headline:?}");
        assert!(!headline.points[0].what_to_do.is_empty(), "{headline:?}");
    }
    let lost = of(Signs { missing: 2, dead_letters: Some(0), ..Signs::default() });
    assert_eq!((lost.level, lost.points.len()), (Level::Bad, 1), "{lost:?}");
    assert!(lost.title.contains("cannot account for 2 deliveries"), "{lost:?}");
}

#[test]
fn whether_the_others_flow_is_told_by_what_waits() {
    use Level::{Attention, Bad};

    let arn = TopicArn::build("us-east-1", "123456789012", "rooms").unwrap();
    let of = |sources: &[(&str, bool)], held: usize, per_second: f64| {
        let since = Timestamp::UNIX_EPOCH;
        let seen = |(source, waits): &(&str, bool)| {
            let waiting = waits.then(|| State::Waiting(Circuit::Topic(arn.clone())));
            let state = waiting.unwrap_or(State::Consuming);
            SourceObservation { since, ..SourceObservation::now(source, state) }
        };
        let hold = OpenCircuit {
            circuit: Circuit::Topic(arn.clone()),
            since,
            lasted: Duration::from_hours(1),
            waiting: 0,
            next_probe: Duration::ZERO,
            fault: fault(Scope::Route),
            advice: "create it",
        };
        let sources = sources.iter().map(seen).collect();
        let status = Status { sources, holds: vec![hold; held], ..Status::starting() };
        let signs = Signs { per_second, ..Signs::default() };
        let headline = headline(&status.ready(), &signs);
        assert!(headline.points.iter().all(|it| !it.what_to_do.is_empty()), "{headline:?}");
        (headline.level, headline.title)
    };
    let (flows, waits) = ([("a", false)], [("a", true)]);
    let (both, one) = ([("a", true), ("b", true)], [("a", true), ("b", false)]);
    for (sources, held, per_second, level, title) in [
        (&flows[..], 1, 1.0, Attention, "One topic is held; the others are flowing"),
        (&flows, 2, 1.0, Attention, "2 topics are held; the others are flowing"),
        (&flows, 1, 0.0, Attention, "One topic is held; nothing else is published now"),
        (&waits, 1, 0.0, Bad, "One topic is held, and source a waits for it"),
        (&one, 2, 1.0, Attention, "2 topics are held, and source a waits for one of them"),
        (&both, 1, 0.0, Bad, "One topic is held, and 2 sources wait for it"),
        (&waits, 0, 0.0, Attention, "A topic is flowing again, and its source resumes"),
    ] {
        assert_eq!(of(sources, held, per_second), (level, title.to_owned()));
    }
}

#[test]
fn what_readyz_says_is_said_here_in_the_same_words() {
    let starting = Status::starting().ready();
    let headline = headline(&starting, &Signs::default());
    assert_eq!((headline.level, &*headline.title), (Level::Attention, "Starting"));
    assert_eq!(headline.points[0].what_to_do, starting.problems[0].what_to_do);
}

#[test]
fn a_source_without_a_topic_is_named_and_hides_nothing_else() {
    let source = |source: &str, state| SourceObservation::now(source, state);
    let sources = vec![source("events", State::Consuming), source("rooms", State::NoTopic)];
    let ready = Status { sources, ..Status::starting() }.ready();
    let of = |signs| headline(&ready, &signs);
    let quiet = of(Signs { per_second: 1.0, ..Signs::default() });
    assert_eq!(
        (quiet.level, &*quiet.title),
        (Level::Attention, "Source rooms has no topic and is not consumed")
    );
    assert!(quiet.points[0].what_to_do.contains("discard = true"), "{quiet:?}");
    let dead = of(Signs { dead_letters: Some(3), ..Signs::default() });
    assert!(!dead.title.contains("no other problem"), "{dead:?}");
    assert_eq!(dead.points.len(), 2, "{dead:?}");
    let throttled =
        of(Signs { throttled_per_second: 1.0, dead_letters: Some(0), ..Signs::default() });
    assert_eq!(throttled.points.len(), 2, "{throttled:?}");
}

#[test]
fn an_unknown_number_of_dead_letters_is_never_well() {
    for per_second in [0.0, 5.0] {
        let headline = headline(&ready(), &Signs { per_second, ..Signs::default() });
        assert_eq!((headline.level, headline.points.len()), (Level::Unknown, 1), "{headline:?}");
        assert!(!headline.title.contains("All is well"), "{headline:?}");
    }
    let json = serde_json::to_string(&Level::Unknown).unwrap();
    assert_eq!(json, "\"unknown\"");
}

#[test]
fn an_unknown_number_of_dead_letters_is_said_beside_whatever_else_there_is_to_say() {
    let failing = Failing::of(Some(0.4), &[]);
    let (throttled, waits) = (Signs { throttled_per_second: 1.0, ..Signs::default() }, true);
    for signs in [
        throttled,
        Signs { failing, ..Signs::default() },
        Signs { missing: 3, ..Signs::default() },
        Signs { replay_waits: waits, ..Signs::default() },
    ] {
        let headline = headline(&ready(), &signs);
        let last = headline.points.last().unwrap();
        assert_eq!((headline.points.len(), last.section), (2, Section::Unknown), "{headline:?}");
        assert_ne!(headline.level, Level::Unknown, "the other is worse: {headline:?}");
    }
    // One source has lost its connection, and the other one can't read the queue.
    let sources = [State::Consuming, State::Connecting].map(|it| SourceObservation::now("s", it));
    let ready = Status { sources: sources.into(), ..Status::starting() }.ready();
    let both = headline(&ready, &Signs::default());
    assert_eq!(both.points.last().map(|it| it.section), Some(Section::Unknown), "{both:?}");
    let none = headline(&ready_in(State::Connecting), &Signs::default());
    assert_eq!(none.points.len(), 1, "without a connection that goes without saying: {none:?}");
}

#[test]
fn the_error_beside_a_rate_is_of_the_time_that_the_rate_is_of() {
    use crate::observe::recent::RecentErrors;
    use crate::outcome::Reason;

    let errors = RecentErrors::default();
    errors.note("events", "rejected", &"InvalidParameter: the attribute has no name");
    errors.note("pm", "Throttling", &"Throttling: Rate exceeded");
    let all = errors.all();
    let told = |window| {
        let errors = latest(&all, window);
        let dying = Dying::all(&[(Reason::Rejected, 1.0)], errors);
        (dying[0].error.is_some(), Failing::of(Some(0.5), errors).unwrap().error.is_some())
    };
    assert_eq!(told(Duration::from_mins(1)), (true, true));
    assert_eq!(told(Duration::ZERO), (false, false), "these are older");
}

#[test]
fn what_dies_is_an_incident_with_its_rate_and_its_cause() {
    use crate::outcome::Reason;

    let dying = |per_second| {
        let error = Some("InvalidParameter: the attribute has no name".to_owned());
        let dying = vec![Dying { per_second, reason: Reason::Rejected, error }];
        let signs = Signs { per_second: 20.0, dead_letters: Some(428), dying, ..Signs::default() };
        headline(&ready(), &signs)
    };
    let many = dying(7.0);
    assert_eq!(
        (many.level, &*many.title),
        (Level::Bad, "Events are being dead-lettered: 7 a second, rejected")
    );
    assert!(many.points[0].what.contains("InvalidParameter"), "{many:?}");
    assert!(many.points.iter().any(|it| it.what.contains("428 dead letters")), "{many:?}");
    let few = dying(0.1);
    assert_eq!(few.level, Level::Attention, "{few:?}");
    assert!(few.title.contains("1 event in the last 10 s"), "{few:?}");
}

#[test]
fn a_high_share_of_failing_requests_is_an_incident() {
    let of = |share| {
        let failing = Failing::of(Some(share), &[]);
        headline(&ready(), &Signs { dead_letters: Some(3), failing, ..Signs::default() })
    };
    let outage = of(0.45);
    assert_eq!((outage.level, &*outage.title), (Level::Bad, "45 % of the requests to SNS fail"));
    assert_eq!(of(0.1).level, Level::Attention);
    assert!(of(0.01).title.contains("no other problem"), "one of a hundred is no incident");
}

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::limits::{LONGEST_COMMAND, LONGEST_REASON};

const FLEET: &str = "event-pusher";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn command(id: u64, seconds: i64, order: Order) -> Command {
    let by = Operator { name: "ann@desk".to_owned(), via: Via::Cli };
    Command { id: format!("{id:016x}"), at: at(seconds), fleet: FLEET.to_owned(), by, order }
}

fn pause(target: &Target, until: i64) -> Order {
    Order::Pause { target: target.clone(), until: at(until), reason: "a reason".to_owned() }
}

fn topic(name: &str) -> Target {
    Target::Topic(name.to_owned())
}

fn targets(pauses: &PausedTargets, now: i64) -> Vec<Target> {
    pauses.running(at(now)).into_iter().map(|it| it.target).collect()
}

#[test]
fn a_pause_lasts_until_its_time_or_until_it_is_resumed() {
    let mut pauses = PausedTargets::default();
    let (one, other) = (topic("a"), topic("b"));
    for (id, target) in [(1, &one), (2, &other)] {
        let change = pauses.apply(&command(id, 0, pause(target, 60)), FLEET).unwrap();
        assert!(
            matches!(change, Change::Paused(it) if it.target == *target && it.by.via == Via::Cli)
        );
    }
    assert_eq!(targets(&pauses, 59), [one.clone(), other.clone()]);
    let change = pauses.apply(&command(3, 10, Order::Resume(one.clone())), FLEET).unwrap();
    assert!(matches!(change, Change::Resumed(it) if it.target == one));
    assert_eq!(targets(&pauses, 59), [other]);
    assert_eq!(targets(&pauses, 60), []);
    let again = pauses.apply(&command(4, 11, Order::Resume(one)), FLEET);
    assert_eq!(again, Ok(Change::None));
}

#[test]
fn a_pause_of_a_clock_that_is_far_ahead_does_not_run() {
    let mut pauses = PausedTargets::default();
    let (year, week) = (365 * 24 * 3600, 7 * 24 * 3600);
    pauses.apply(&command(1, year, pause(&topic("a"), year + 60)), FLEET).unwrap();
    pauses.apply(&command(2, 60, pause(&topic("b"), week + 60)), FLEET).unwrap();
    assert_eq!(targets(&pauses, 0), [topic("b")], "a minute ahead is no harm");
}

#[test]
fn what_was_told_is_known_and_a_pause_that_is_known_otherwise_is_kept() {
    let mut pauses = PausedTargets::default();
    pauses.apply(&command(1, 0, pause(&topic("a"), 60)), FLEET).unwrap();
    pauses.apply(&command(2, 1, Order::Resume(topic("b"))), FLEET).unwrap();
    let told = ["a", "b", "c"].map(|it| pauses.tells_of(&topic(it)));
    assert_eq!(told, [true, true, false]);
    let [known] = &pauses.running(at(2))[..] else { panic!("{pauses:?}") };
    let mut others = PausedTargets::default();
    others.keep(known.clone());
    assert_eq!(targets(&others, 59), [topic("a")]);
}

#[test]
fn the_later_command_replaces_the_earlier_one_of_the_same_target_only() {
    let mut pauses = PausedTargets::default();
    pauses.apply(&command(1, 0, pause(&Target::Everything, 600)), FLEET).unwrap();
    pauses.apply(&command(2, 0, pause(&topic("a"), 600)), FLEET).unwrap();
    pauses.apply(&command(3, 5, pause(&Target::Everything, 30)), FLEET).unwrap();
    assert_eq!(targets(&pauses, 30), [topic("a")]);
    pauses.apply(&command(4, 6, Order::Resume(Target::Everything)), FLEET).unwrap();
    assert_eq!(targets(&pauses, 30), [topic("a")]);
}

#[test]
fn what_was_there_before_is_for_others_or_has_no_end_is_ignored() {
    let mut pauses = PausedTargets::default();
    let first = command(1, 0, pause(&topic("a"), 60));
    pauses.apply(&first, FLEET).unwrap();
    pauses.apply(&command(2, 1, Order::Resume(topic("a"))), FLEET).unwrap();
    assert_eq!(pauses.apply(&first, FLEET), Err(Ignored::Repeated));
    assert_eq!(pauses.apply(&command(3, 0, Order::Begin), "other"), Err(Ignored::OtherFleet));
    let week = LONGEST_PAUSE_OF_A_FLEET.as_secs();
    for until in [0, -1, week + 1] {
        let wrong = command(4, 0, pause(&topic("a"), until));
        assert_eq!(pauses.apply(&wrong, FLEET), Err(Ignored::WrongEnd), "{until}");
    }
    assert_eq!(targets(&pauses, 0), []);
    pauses.apply(&command(4, 0, pause(&topic("a"), week)), FLEET).unwrap();
    assert_eq!(targets(&pauses, week - 1), [topic("a")]);
}

#[test]
fn only_so_many_pauses_run_and_those_that_have_ended_make_room() {
    let mut pauses = PausedTargets::default();
    for number in 0..MOST_PAUSES {
        let order = pause(&topic(&number.to_string()), 60);
        pauses.apply(&command(number as u64, 0, order), FLEET).unwrap();
    }
    let one_more = |id, seconds| command(id, seconds, pause(&topic("more"), 600));
    assert_eq!(pauses.apply(&one_more(1000, 59), FLEET), Err(Ignored::TooMany));
    let longer = command(1001, 59, pause(&topic("0"), 600));
    assert!(pauses.apply(&longer, FLEET).is_ok(), "it is one of those");
    assert!(pauses.apply(&one_more(1002, 60), FLEET).is_ok());
    assert_eq!(targets(&pauses, 60), [topic("0"), topic("more")]);
}

#[test]
fn a_command_is_read_as_it_was_written_and_its_texts_are_visible_and_short() {
    for order in [
        Order::Begin,
        pause(&Target::Everything, 60),
        pause(&Target::Source("chat".to_owned()), 60),
        Order::Resume(topic("arn:aws:sns:eu-west-1:123456789012:pm")),
    ] {
        let written = command(7, 0, order);
        assert_eq!(Command::from_bytes(&written.to_bytes()), Ok(written));
    }
    let order = Order::Pause {
        target: topic("a"),
        until: at(60),
        reason: format!("\u{1b}[31mred{}", "x".repeat(1000)),
    };
    let read = Command::from_bytes(&command(7, 0, order).to_bytes()).unwrap();
    let Order::Pause { reason, .. } = read.order else { panic!("{read:?}") };
    assert!(reason.starts_with("[31mred") && reason.len() <= LONGEST_REASON + '…'.len_utf8());
    let of_another_name = command(7, 0, pause(&topic("a\u{202e}b"), 60));
    assert_eq!(Command::from_bytes(&of_another_name.to_bytes()), Err(Ignored::Unreadable));
    assert_eq!(Command::from_bytes(&vec![b' '; LONGEST_COMMAND + 1]), Err(Ignored::TooLarge));
    let text = String::from_utf8(command(7, 0, pause(&topic("a"), 60)).to_bytes()).unwrap();
    for (from, to) in [("\"v\":1", "\"v\":2"), ("topic", "galaxy"), ("\"pause\"", "\"stop\"")] {
        let other = text.replace(from, to);
        assert_eq!(Command::from_bytes(other.as_bytes()), Err(Ignored::Unreadable), "{other}");
    }
    let endless = text.replace("\"until\"", "\"till\"");
    assert_eq!(Command::from_bytes(endless.as_bytes()), Err(Ignored::WrongEnd));
}

#[test]
fn clocks_that_differ_by_minutes_are_told() {
    let given = command(1, 0, Order::Begin);
    assert_eq!(given.clock_difference(at(60)), None);
    assert_eq!(given.clock_difference(at(-61)), Some(SignedDuration::from_secs(-61)));
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Everything),
        "[ab]".prop_map(Target::Source),
        "[abc]".prop_map(Target::Topic),
    ]
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Begin),
        (any_target(), -10..2_000_000_i64).prop_map(|(target, until)| pause(&target, until)),
        any_target().prop_map(Order::Resume),
    ]
}

proptest! {
    /// As a model says that keeps all commands: of each target, the last valid one that is not a repetition counts.
    #[test]
    fn the_state_is_what_the_last_command_of_each_target_says(
        commands in proptest::collection::vec((0..40_u64, 0..1000_i64, any_order()), 0..60),
        now in 0..1_000_000_i64,
    ) {
        let mut pauses = PausedTargets::default();
        let (mut seen, mut last) = (Vec::new(), BTreeMap::new());
        for (id, seconds, order) in commands {
            let command = command(id, seconds, order);
            let applied = pauses.apply(&command, FLEET);
            prop_assert_eq!(applied == Err(Ignored::Repeated), seen.contains(&id));
            if applied.is_err() {
                continue;
            }
            seen.push(id);
            match command.order {
                Order::Begin => {}
                Order::Pause { target, until, .. } => { last.insert(target, until); }
                Order::Resume(target) => { last.remove(&target); }
            }
        }
        let now = at(now.max(1000));
        let expected: Vec<_> = last.into_iter().filter(|(_, until)| *until > now).collect();
        let running = pauses.running(now);
        let running: Vec<_> = running.into_iter().map(|it| (it.target, it.until)).collect();
        prop_assert_eq!(running, expected);
    }

    #[test]
    fn no_message_whatever_it_is_makes_reading_fail(bytes: Vec<u8>, text: String) {
        let _ = Command::from_bytes(&bytes);
        let _ = Command::from_bytes(text.as_bytes());
    }
}

//! What the log says of incidents that occur again and again: the first at once, the others once a minute with their number.

use super::service::answered;
use super::*;
use crate::outcome::SourceError;

fn garbage(_: usize) -> Envelope {
    Envelope { payload: b"no event".to_vec(), ..Envelope::default() }
}

fn counts(it: &Simulation, kind: &str) -> Vec<u64> {
    let lines = it.log.all("incident").into_iter().filter(|line| line["kind"] == kind);
    lines.map(|line| line["since_last_line"].as_u64().unwrap()).collect()
}

#[test]
fn dead_letters_after_the_first_are_told_with_their_number_and_again_after_a_quiet_time() {
    simulate("", &Plugins::default(), async |it| {
        it.publish((0..1).map(garbage));
        it.logs("first_dead_lettered").await;
        it.publish((0..254).map(garbage));
        it.settles(255).await;
        assert!(counts(it, "dead_lettered").is_empty(), "the minute is not over");
        it.until("a line", |it| it.log.count("incident") == 1).await;
        assert_eq!(counts(it, "dead_lettered"), [254]);
        let line = it.logs("incident").await;
        assert_eq!((&line["place"], &line["cause"]), (&"events".into(), &"undecodable".into()));
        assert!(!line["error"].as_str().unwrap().is_empty(), "{line}");
        sleep(Duration::from_hours(1)).await;
        assert_eq!(counts(it, "dead_lettered"), [254], "nothing more to tell");
        it.publish((0..1).map(garbage));
        it.settles(256).await;
        assert_eq!(counts(it, "dead_lettered"), [254, 1], "a second incident, at once");
        assert_eq!(it.log.count("first_dead_lettered"), 1);
    });
}

#[test]
fn throttling_is_told_once_a_minute_with_its_share_of_lines() {
    simulate("", &Plugins::default(), async |it| {
        let count = std::cell::Cell::new(0);
        it.sns.fail_requests(move |_, _| {
            count.set(count.get() + 1);
            (count.get() % 2 == 0).then(|| answered("Throttling"))
        });
        let began = Instant::now();
        let mut published = 0;
        while began.elapsed() < Duration::from_mins(5) {
            it.publish((0..20).map(chat));
            published += 20;
            sleep(Duration::from_secs(1)).await;
        }
        it.settles(published).await;
        let told = counts(it, "request_failed");
        assert!((4..=7).contains(&told.len()) && told[0] == 3, "{told:?}");
        let lines = it.log.all("incident");
        let shares = lines[1..].iter().map(|line| line["share_percent"].as_u64().unwrap());
        assert!(shares.clone().all(|it| (45..=55).contains(&it)), "{lines:#?}");
        assert!(shares.count() >= 3);
    });
}

#[test]
fn three_hundred_dead_letters_in_three_minutes_are_a_line_at_once_and_one_a_minute_and_none_is_left_out()
 {
    let log = std::cell::RefCell::new(None);
    simulate("", &Plugins::default(), async |it| {
        log.replace(Some(it.log.clone()));
        for number in 1..=300 {
            it.publish((0..1).map(garbage));
            it.settles(number).await;
            sleep(Duration::from_millis(600)).await;
        }
        let told = counts(it, "dead_lettered");
        assert!((2..=3).contains(&told.len()), "{told:?}");
        // What came since the last line is told when the worker stops.
        it.publish((0..7).map(garbage));
        it.settles(307).await;
    });
    let log = log.take().unwrap();
    assert_eq!(log.count("first_dead_lettered"), 1);
    let lines = log.all("incident");
    let told = lines.iter().map(|line| line["since_last_line"].as_u64().unwrap());
    assert_eq!(told.sum::<u64>(), 306, "{lines:#?}");
}

#[test]
fn a_topic_that_is_held_and_flows_again_and_again_fills_no_log() {
    simulate("", &Plugins::default(), async |it| {
        for round in 0..20 {
            it.sns.delete_topic("pm");
            it.publish((round..=round).map(chat));
            it.until("a hold", |it| !it.held().is_empty()).await;
            it.sns.heal();
            it.settles(round as u64 + 1).await;
        }
        let lines = |event| it.log.count(event);
        let minutes = it.log.count("held") + counts(it, "held").len();
        assert!(lines("held") >= 1 && minutes <= 3, "{minutes} lines");
        assert!(lines("hold_over") <= lines("held"), "{} ends", lines("hold_over"));
        sleep(Duration::from_mins(2)).await;
        let held = it.log.all("held");
        let told = held.iter().map(|line| line["since_last_line"].as_u64().unwrap());
        let told = told.sum::<u64>() + counts(it, "held").iter().sum::<u64>();
        assert_eq!(told, 20, "each is counted once");
    });
}

#[test]
fn a_topic_that_uses_its_share_again_and_again_fills_no_log() {
    const ROUNDS: usize = 10;
    simulate("[amqp]\nprefetch = 20\n", &Plugins::default(), async |it| {
        let began = Instant::now();
        for round in 1..=ROUNDS {
            it.sns.delete_topic("muc");
            it.publish((50 * (round - 1)..50 * round).map(room));
            it.until("parked events", |it| it.queue().parked() > 0).await;
            it.sns.heal();
            it.has_once("muc", 50 * round).await;
        }
        sleep(Duration::from_mins(2)).await;
        let lines = it.log.all("parking");
        let told = lines.iter().map(|line| line["since_last_line"].as_u64().unwrap());
        let later = counts(it, "share_used");
        assert!(told.sum::<u64>() + later.iter().sum::<u64>() >= ROUNDS as u64, "{lines:#?}");
        let minutes = began.elapsed().as_secs() / 60 + 1;
        assert!((lines.len() + later.len()) as u64 <= minutes, "in {minutes}: {lines:#?}");
    });
}

#[test]
fn events_that_are_mended_after_the_first_are_told_with_their_number() {
    let broken = |_: usize| Envelope {
        payload: br#"{"type":"chat","from_user_id":"a@h","to_user_id":"b@h","message":"\ud83d"}"#
            .to_vec(),
        ..Envelope::default()
    };
    simulate("", &Plugins::default(), async |it| {
        it.publish((0..40).map(broken));
        it.settles(40).await;
        it.until("a line", |it| !counts(it, "mended").is_empty()).await;
        assert_eq!((it.log.count("first_mended"), counts(it, "mended")), (1, vec![39]));
    });
}

fn gone() -> SourceError {
    SourceError::Failed("connection refused".to_owned())
}

/// How many tries lines have told of, and the lines.
fn tries(it: &Simulation, event: &str) -> (u64, usize) {
    let lines = it.log.all(event);
    let told = lines.iter().map(|line| line["since_last_line"].as_u64().unwrap());
    let later = counts(it, event);
    (told.sum::<u64>() + later.iter().sum::<u64>(), lines.len() + later.len())
}

#[test]
fn a_broker_that_is_gone_for_hours_is_told_at_once_and_ever_more_rarely_and_a_second_time_at_once()
{
    simulate("", &Plugins::default(), async |it| {
        it.logs("consuming").await;
        let refuse = async |time| {
            it.queue().refuse(Some(gone()));
            it.queue().cut();
            sleep(time).await;
            it.queue().refuse(None);
        };
        refuse(Duration::from_hours(8)).await;
        it.until("a session", |it| it.log.count("consuming") == 2).await;
        let (told, lines) = tries(it, "not_consuming");
        assert!((8..=20).contains(&lines) && told > 500, "{told} in {lines} lines");
        // Another pause than that which the night has grown to.
        sleep(Duration::from_mins(2)).await;
        refuse(Duration::from_secs(1)).await;
        it.until("a session", |it| it.log.count("consuming") == 3).await;
        let second = tries(it, "not_consuming").1 - lines;
        assert_eq!(second, 2, "the loss and the refusal, each at once");
        assert!(counts(it, "not_consuming").is_empty(), "by their own name");
        sleep(Duration::from_hours(2)).await;
        assert_eq!(tries(it, "not_consuming").1, lines + second, "and nothing more");
    });
}

#[test]
fn a_session_that_is_lost_again_and_again_fills_no_log() {
    simulate("", &Plugins::default(), async |it| {
        it.logs("consuming").await;
        let began = Instant::now();
        for times in 2..=60 {
            it.queue().cut();
            it.until("a session", |it| it.log.count("consuming") == times).await;
        }
        sleep(Duration::from_mins(2)).await;
        let (told, lines) = tries(it, "not_consuming");
        let minutes = began.elapsed().as_secs() / 60 + 1;
        assert!(lines as u64 <= minutes, "{lines} lines in {minutes} minutes");
        assert_eq!(told, 59, "each is counted");
    });
}

#[test]
fn a_second_hold_whose_events_cannot_be_parked_is_told_again() {
    let options = QueueOptions { prefetch: Some(20), parked_for: None, ..QueueOptions::default() };
    let earlier = Some((MemoryQueue::new(options), Service::default()));
    simulate_on("[amqp]\nprefetch = 20\n", &Plugins::default(), earlier, async |it| {
        for hold in 1..=2 {
            it.sns.delete_topic("muc");
            it.publish((50 * (hold - 1)..50 * hold).map(room));
            let before = it.log.count("cannot_park");
            it.until("a line", |it| it.log.count("cannot_park") > before).await;
            assert_eq!(it.log.all("cannot_park")[before]["since_last_line"], 1);
            sleep(Duration::from_mins(50)).await;
            let (told, lines) = tries(it, "cannot_park");
            assert!(lines <= 7 * hold && told >= 10, "{told} in {lines} lines");
            it.sns.heal();
            it.has_once("muc", 50 * hold).await;
            sleep(Duration::from_secs(90)).await;
        }
    });
}

#[test]
fn events_that_are_skipped_are_told_once_an_hour_with_their_number() {
    let silent = |_: usize| message_without_text();
    simulate("", &Plugins::default(), async |it| {
        let began = Instant::now();
        let mut sent = 0;
        while began.elapsed() < Duration::from_hours(3) {
            it.publish((0..10).map(silent));
            sent += 10;
            sleep(Duration::from_mins(1)).await;
        }
        it.settles(sent).await;
        assert_eq!(it.log.count("first_skipped"), 1);
        let lines = it.log.all("skipped");
        assert!((2..=3).contains(&lines.len()), "{lines:#?}");
        let count = lines[0]["since_last_line"].as_u64().unwrap();
        assert!((590..=610).contains(&count), "{lines:#?}");
        assert_eq!(
            (&lines[0]["source"], &lines[0]["reason"]),
            (&"events".into(), &"no_text".into())
        );
    });
}

fn message_without_text() -> Envelope {
    event(&serde_json::json!({ "type": "chat", "from_user_id": "ann@h", "to_user_id": "bob@h" }))
}

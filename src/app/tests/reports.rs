//! What a worker reports to a replay of the events that it has asked for.

use super::*;
use crate::headers::REPLAY_ID;
use crate::replay::{OutcomeReport, ReplayId};

fn id(number: u32, asks: bool) -> ReplayId {
    ReplayId { replay: 0xab, number, asks }
}

/// An event as a replay sends it.
fn replayed(mut event: Envelope, id: ReplayId) -> Envelope {
    event.headers.push((REPLAY_ID.to_owned(), id.to_string()));
    event
}

#[test]
fn the_outcome_of_each_event_that_is_asked_for_is_reported_and_of_no_other() {
    simulate("", &Plugins::default(), async |it| {
        let garbage = Envelope { payload: b"garbage".to_vec(), ..Envelope::default() };
        let received = event(&serde_json::json!({ "type": "none" }));
        it.publish([
            replayed(chat(1), id(1, true)),
            replayed(garbage, id(2, true)),
            replayed(received, id(3, true)),
            replayed(chat(2), id(4, false)),
            chat(3),
        ]);
        it.settles(5).await;
        let mut reports = it.queue().reports();
        reports.sort_by_key(|(id, _)| id.number);
        let expected = [OutcomeReport::Published, OutcomeReport::DeadLettered];
        let expected = expected.into_iter().enumerate();
        let expected: Vec<_> = expected
            .map(|(at, report)| (id(u32::try_from(at).unwrap() + 1, true), report))
            .collect();
        assert_eq!(reports[..2], expected);
        assert!(reports.iter().all(|(id, _)| id.number <= 3), "{reports:?}");
    });
}

#[test]
fn a_held_event_is_reported_as_held_until_it_is_published() {
    simulate("", &Plugins::default(), async |it| {
        it.sns.delete_topic("pm");
        it.publish([replayed(chat(1), id(1, true)), chat(2)]);
        let held = |it: &Simulation| {
            let held = |report: &OutcomeReport| matches!(report, OutcomeReport::Held(circuit) if circuit.ends_with(":pm"));
            it.queue().reports().iter().filter(|(_, report)| held(report)).count()
        };
        it.until("two reports of the hold", |it| held(it) >= 2).await;
        assert_eq!(held(it), it.queue().reports().len(), "nothing else yet");
        it.sns.heal();
        it.settles(2).await;
        assert_eq!(it.queue().reports().last(), Some(&(id(1, true), OutcomeReport::Published)));
    });
}

#[test]
fn an_event_whose_parking_is_refused_is_reported_as_held_for_as_long_as_it_is() {
    let options = QueueOptions { prefetch: Some(4), parked_for: None, ..QueueOptions::default() };
    let earlier = Some((MemoryQueue::new(options), Service::default()));
    simulate_on("[amqp]\nprefetch = 4\n", &Plugins::default(), earlier, async |it| {
        it.sns.delete_topic("muc");
        // Two wait in their slots, and the third one is beyond them.
        it.publish((1..=2).map(room));
        it.until("both slots to be used", |it| it.queue().unacked() == 2).await;
        it.publish([replayed(room(3), id(3, true))]);
        it.logs("cannot_park").await;
        for minutes in 1..=5 {
            let before = it.queue().reports().len();
            sleep(Duration::from_mins(1)).await;
            let more = it.queue().reports().len() - before;
            assert!(
                more >= 10,
                "{more} reports in minute {minutes}: a replay forgets the hold after 90 s"
            );
        }
        it.sns.heal();
        it.settles(3).await;
        assert_eq!(it.queue().reports().last(), Some(&(id(3, true), OutcomeReport::Published)));
    });
}

#[test]
fn a_parked_event_is_reported_as_held_and_never_as_published_before_it_is() {
    simulate("[amqp]\nprefetch = 4\n", &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish(
            (0..20).map(|number| replayed(room(number), id(number.try_into().unwrap(), true))),
        );
        it.until("parked events", |it| it.queue().parked() > 10).await;
        let reports = it.queue().reports();
        assert!(reports.iter().all(|(_, report)| report.label() == "held"), "{reports:?}");
        let told: std::collections::BTreeSet<_> = reports.iter().map(|(id, _)| id.number).collect();
        assert!(told.len() > 10, "each that is parked: {told:?}");
        it.sns.heal();
        it.settles(20).await;
        let published =
            it.queue().reports().iter().filter(|(_, it)| it.label() == "published").count();
        assert_eq!(published, 20);
    });
}

//! What SNS does not take for a reason that is not the event's own is held.

use std::cell::RefCell;

use super::*;
use crate::outcome::Scope;
use crate::publish::memory::fault;

#[test]
fn with_sns_refusing_everything_from_the_start_few_are_dead_and_the_rest_is_published_later() {
    const EVENTS: usize = 3000;
    let totals = simulate("", &Plugins::default(), async |it| {
        it.sns.fail_requests(|_, batch| (!batch.is_empty()).then(|| fault(Scope::Transient)));
        it.publish((0..EVENTS).map(chat));
        it.until("a hold", |it| it.held() == ["service"]).await;
        // All that was in flight has run out of retries, and single events probe.
        let requests = it.sns.requests();
        it.until("probes", |it| it.sns.requests() > requests + 50).await;
        it.sns.heal();
        it.settles(EVENTS as u64).await;
        let dead = it.queue().dead_letters().len();
        assert!(dead < 10, "{dead} dead letters in an outage, with a threshold of 10");
        assert_eq!((it.sns.distinct("pm"), it.sns.of("pm").len()), (EVENTS - dead, EVENTS - dead));
    });
    assert_eq!(totals.published + totals.dead_lettered.values().sum::<u64>(), EVENTS as u64);
}

#[test]
fn a_throttled_backlog_is_slow_and_not_dead() {
    const EVENTS: usize = 800;
    let totals = simulate("", &Plugins::default(), async |it| {
        // At half of all requests, one event of eight would be out of its two retries.
        let mut number = 0_u32;
        it.sns.fail_requests(move |_, _| {
            number += 1;
            (number.wrapping_mul(2_654_435_761) >> 31 == 0).then(throttled)
        });
        it.publish((0..EVENTS).map(chat));
        it.settles(EVENTS as u64).await;
        assert_eq!((it.sns.distinct("pm"), it.sns.of("pm").len()), (EVENTS, EVENTS));
    });
    assert_eq!((totals.published, totals.handed_back), (EVENTS as u64, 0), "{totals}");
}

/// As SNS says it.
fn throttled() -> crate::outcome::Fault {
    crate::outcome::Fault { code: "Throttling".to_owned(), ..fault(Scope::Transient) }
}

#[test]
fn a_held_topic_parks_what_exceeds_its_share_and_starves_no_other() {
    simulate("[amqp]\nprefetch = 20\n", &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..100).map(room));
        it.publish((0..50).map(chat));
        it.until("all chats", |it| it.sns.distinct("pm") == 50).await;
        it.until("parked events", |it| it.queue().parked() > 0).await;
        // Others come through while those that are parked come and go.
        for round in 2..20 {
            it.publish((50 * (round - 1)..50 * round).map(chat));
            it.until("more chats", |it| it.sns.distinct("pm") == 50 * round).await;
            sleep(Duration::from_mins(5)).await;
        }
        assert_eq!((it.sns.distinct("muc"), it.held().len()), (0, 1));
        it.sns.heal();
        it.until("all of them", |it| it.sns.distinct("muc") == 100).await;
        assert_eq!(it.sns.of("muc").len(), 100, "some came twice");
    });
}

#[test]
fn bad_credentials_hold_everything_at_once_and_cost_no_event() {
    let totals = simulate("", &Plugins::default(), async |it| {
        it.sns.fail_requests(|_, _| Some(fault(Scope::Service)));
        it.publish((0..5).map(chat));
        it.until("a hold", |it| it.held() == ["service"]).await;
        sleep(Duration::from_hours(1)).await;
        assert!(it.queue().dead_letters().is_empty());
        it.sns.heal();
        it.until("all of them", |it| it.sns.distinct("pm") == 5).await;
    });
    assert_eq!(totals.published, 5, "{totals}");
}

#[test]
fn a_stop_during_a_hold_hands_back_and_publishes_nothing_twice() {
    for scope in [Scope::Service, Scope::Route] {
        let handed_back = RefCell::new(None);
        let totals = simulate("", &Plugins::default(), async |it| {
            it.publish((0..20).map(chat));
            it.settles(20).await;
            it.sns.fail_requests(move |_, _| Some(fault(scope)));
            it.publish((20..70).map(chat));
            it.until("a hold", |it| !it.held().is_empty() && it.queue().ready() == 0).await;
            handed_back.replace(Some((it.queue().clone(), it.sns.clone())));
        });
        assert_eq!((totals.published, totals.handed_back), (20, 50), "{totals}");
        // What went back is taken by the next worker, and by no other.
        let (queue, sns) = handed_back.take().unwrap();
        assert_eq!((queue.ready(), sns.of("pm").len()), (50, 20));
        sns.heal();
        simulate_on("", &Plugins::default(), Some((queue, sns)), async |it| {
            it.settles(50).await;
            assert_eq!((it.sns.distinct("pm"), it.sns.of("pm").len()), (70, 70));
        });
    }
}

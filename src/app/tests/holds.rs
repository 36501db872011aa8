//! What SNS does not take for a reason that is not the event's own is held.

use super::service::answered;
use super::*;
use crate::outcome::Scope;
use crate::publish::memory::fault;

#[test]
fn with_sns_refusing_everything_from_the_start_few_are_dead_and_the_rest_is_published_later() {
    const EVENTS: usize = 3000;
    let totals = simulate("", &Plugins::default(), async |it| {
        it.sns.fail_requests(|_, batch| (!batch.is_empty()).then(|| fault(Scope::Transient)));
        it.publish((0..EVENTS).map(chat));
        let line = it.logs("held").await;
        assert_eq!((&line["held"], &line["scope"]), (&"service".into(), &"service".into()));
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
            (number.wrapping_mul(2_654_435_761) >> 31 == 0).then(|| answered("Throttling"))
        });
        it.publish((0..EVENTS).map(chat));
        it.settles(EVENTS as u64).await;
        assert_eq!((it.sns.distinct("pm"), it.sns.of("pm").len()), (EVENTS, EVENTS));
    });
    assert_eq!((totals.published, totals.handed_back), (EVENTS as u64, 0), "{totals}");
}

#[test]
fn a_held_topic_parks_what_exceeds_its_share_and_starves_no_other() {
    simulate("[amqp]\nprefetch = 20\n", &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..100).map(room));
        it.publish((0..50).map(chat));
        it.until("all chats", |it| it.sns.distinct("pm") == 50).await;
        it.until("parked events", |it| it.queue().parked() > 0).await;
        let line = it.logs("held").await;
        assert_eq!(line["held"], "arn:aws:sns:us-east-1:123456789012:muc", "{line}");
        assert!(line["advice"].as_str().unwrap().contains("create the topic"), "{line}");
        sleep(Duration::from_mins(10)).await;
        assert_eq!(it.log.count("parking"), 1);
        // Others come through while those that are parked come and go.
        for round in 2..8 {
            it.publish((50 * (round - 1)..50 * round).map(chat));
            it.until("more chats", |it| it.sns.distinct("pm") == 50 * round).await;
            sleep(Duration::from_mins(5)).await;
        }
        assert_eq!((it.sns.distinct("muc"), it.held().len()), (0, 1));
        it.sns.heal();
        it.has_once("muc", 100).await;
        for event in ["held", "hold_over"] {
            assert_eq!(it.log.count(event), 1, "{event}");
        }
    });
}

#[test]
fn bad_credentials_hold_everything_at_once_and_say_so() {
    for code in ["InvalidClientTokenId", "ExpiredToken"] {
        let totals = simulate("", &Plugins::default(), async |it| {
            it.sns.fail_requests(|_, _| Some(answered(code)));
            it.publish((0..5).map(chat));
            let line = it.logs("held").await;
            assert_eq!(line["held"], "service", "{line}");
            assert!(line["error"].as_str().unwrap().starts_with(code), "{line}");
            assert!(line["advice"].as_str().unwrap().contains("sns.access_key_id"), "{line}");
            sleep(Duration::from_mins(15)).await;
            assert!(it.queue().dead_letters().is_empty());
            assert_eq!((it.queue().unacked(), it.held()), (5, vec!["service".to_owned()]));
            it.sns.heal();
            it.logs("hold_over").await;
            it.has_once("pm", 5).await;
        });
        assert_eq!((totals.published, totals.handed_back), (5, 0), "{totals}");
    }
}

#[test]
fn a_hold_is_explained_when_it_begins_from_time_to_time_and_when_it_ends() {
    simulate("", &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..25).map(room));
        let begin = it.logs("held").await;
        let reminder = it.logs("still_held").await;
        for line in [&begin, &reminder] {
            assert_eq!(line["held"], "arn:aws:sns:us-east-1:123456789012:muc", "{line}");
            assert_eq!(line["scope"], "route", "{line}");
            assert!(line["error"].as_str().unwrap().starts_with("NotFound"), "{line}");
            for field in ["since", "next_probe", "advice"] {
                assert!(line[field].is_string(), "no {field} in {line}");
            }
        }
        assert_eq!(reminder["waiting"], 25, "the one that has probed included: {reminder}");
        it.sns.heal();
        let end = it.logs("hold_over").await;
        assert!(end["lasted"].is_string(), "{end}");
        it.has_once("muc", 25).await;
        for event in ["held", "still_held", "hold_over"] {
            assert_eq!(it.log.count(event), 1, "{event}");
        }
    });
}

#[test]
fn without_a_queue_to_park_in_a_held_topic_says_so_and_loses_nothing() {
    let options = QueueOptions { prefetch: Some(20), parked_for: None, ..QueueOptions::default() };
    let queue = MemoryQueue::new(options);
    let earlier = Some((queue, Service::default()));
    simulate_on("[amqp]\nprefetch = 20\n", &Plugins::default(), earlier, async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..50).map(room));
        let line = it.logs("cannot_park").await;
        assert_eq!(line["source"], "events", "{line}");
        assert!(line["error"].as_str().unwrap().contains("no queue"), "{line}");
        // Every minute it is tried again, and said ever more rarely.
        sleep(Duration::from_mins(15)).await;
        assert_eq!((it.queue().ready(), it.queue().unacked()), (30, 20));
        assert!((2..=5).contains(&it.log.count("cannot_park")), "{}", it.log.count("cannot_park"));
        it.sns.heal();
        it.has_once("muc", 50).await;
    });
}

#[test]
fn a_stop_during_a_hold_hands_back_and_publishes_nothing_twice() {
    for scope in [Scope::Service, Scope::Route] {
        let (queue, sns) = (MemoryQueue::default(), Service::default());
        let both = || Some((queue.clone(), sns.clone()));
        let totals = simulate_on("", &Plugins::default(), both(), async |it| {
            it.publish((0..20).map(chat));
            it.settles(20).await;
            it.sns.fail_requests(move |_, _| Some(fault(scope)));
            it.publish((20..70).map(chat));
            it.until("a hold", |it| !it.held().is_empty() && it.queue().ready() == 0).await;
        });
        assert_eq!((totals.published, totals.handed_back), (20, 50), "{totals}");
        // What went back is taken by the next worker, and by no other.
        assert_eq!((queue.ready(), sns.of("pm").len()), (50, 20));
        sns.heal();
        simulate_on("", &Plugins::default(), both(), async |it| {
            it.settles(50).await;
            it.has_once("pm", 70).await;
        });
    }
}

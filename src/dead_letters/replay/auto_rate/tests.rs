//! The rate by what is seen, under a paused clock.

use super::*;
use crate::fleet::QueueLoad;

/// Steps once a second under a paused clock, with the whole rate used.
async fn steps(rate: &mut AutoRate, seen: &Seen, seconds: usize) -> Option<Slowed> {
    let mut slowed = None;
    for _ in 0..seconds {
        tokio::time::advance(Duration::from_secs(1)).await;
        let seen = Seen { sent: rate.rate(), ..seen.clone() };
        slowed = rate.step(Instant::now(), &seen);
    }
    slowed
}

fn seen(load: Load) -> Seen {
    Seen { load, ..Seen::default() }
}

fn oldest(seconds: f64) -> Seen {
    seen(Load { oldest_seconds: seconds, ..Load::default() })
}

fn queue(ready: u64, received_per_second: f64) -> Seen {
    let queue = QueueLoad { ready, received_per_second };
    seen(Load { queues: [("events".to_owned(), queue)].into(), ..Load::default() })
}

fn is(rate: &AutoRate, wanted: f64) {
    assert!((rate.rate() - wanted).abs() < 0.01, "{rate:?}, and not {wanted}");
}

#[tokio::test(start_paused = true)]
async fn it_begins_gently_rises_while_events_are_young_and_has_an_upper_bound() {
    let mut rate = AutoRate::new();
    is(&rate, 10.0);
    assert_eq!(steps(&mut rate, &oldest(1.9), 24).await, None);
    assert!((95.0..105.0).contains(&rate.rate()), "tenfold: {rate:?}");
    steps(&mut rate, &oldest(0.0), 600).await;
    is(&rate, FASTEST);
}

#[tokio::test(start_paused = true)]
async fn it_is_halved_while_events_are_old_and_has_a_lower_bound() {
    let mut rate = AutoRate::new();
    steps(&mut rate, &oldest(0.1), 1).await;
    is(&rate, 11.0);
    assert_eq!(steps(&mut rate, &oldest(5.0), 1).await, Some(Slowed::Old(5.0)));
    is(&rate, 5.5);
    steps(&mut rate, &oldest(5.0), 2).await;
    is(&rate, 5.5);
    steps(&mut rate, &oldest(5.0), 1).await;
    is(&rate, 2.75);
    steps(&mut rate, &oldest(5.0), 60).await;
    is(&rate, SLOWEST);
    // It is soon at the half of what was too much, and goes on less steeply.
    assert_eq!(steps(&mut rate, &oldest(0.1), 18).await, None);
    let half = rate.rate();
    assert!((5.5..6.1).contains(&half), "{rate:?}");
    steps(&mut rate, &oldest(0.1), 4).await;
    is(&rate, half + 4.0 * 11.0 * RISE_NEARBY);
}

#[tokio::test(start_paused = true)]
async fn what_was_old_before_the_replay_may_stay_so_but_not_get_older_nor_old_again() {
    let mut rate = AutoRate::new();
    assert_eq!(steps(&mut rate, &oldest(60.0), 5).await, None);
    assert!(rate.rate() > FIRST);
    assert_eq!(steps(&mut rate, &oldest(80.0), 1).await, Some(Slowed::Old(80.0)));
    assert_eq!(steps(&mut rate, &oldest(10.0), 1).await, None);
    let slowed = steps(&mut rate, &oldest(30.0), 1).await;
    assert_eq!(slowed, Some(Slowed::Old(30.0)), "it was better");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_grows_makes_live_events_wait_though_none_in_flight_is_old() {
    let mut rate = AutoRate::new();
    // A few that wait for a moment are none that wait for long, also where next to nothing flows.
    assert_eq!(steps(&mut rate, &queue(15, 0.0), 1).await, None);
    assert_eq!(steps(&mut rate, &queue(190, 100.0), 1).await, None);
    let before = rate.rate();
    let slowed = steps(&mut rate, &queue(400, 100.0), 1).await;
    assert_eq!(slowed, Some(Slowed::Queued("events".to_owned(), 4.0)));
    is(&rate, before / 2.0);
    steps(&mut rate, &queue(400, 100.0), 5).await;
    is(&rate, before / 2.0);
    steps(&mut rate, &queue(400, 100.0), 1).await;
    is(&rate, before / 4.0);
    // Where it gets shorter it is not halved any more, but does not rise either.
    assert!(steps(&mut rate, &queue(290, 100.0), 12).await.is_some());
    is(&rate, before / 8.0);
    assert!(steps(&mut rate, &queue(205, 100.0), 6).await.is_some());
    is(&rate, before / 8.0);
}

#[tokio::test(start_paused = true)]
async fn what_the_replayed_events_themselves_wait_for_their_outcome_counts() {
    let mut rate = AutoRate::new();
    let waits = |seconds| Seen { wait: Some(Duration::from_secs(seconds)), ..Seen::default() };
    assert_eq!(steps(&mut rate, &waits(1), 1).await, None);
    assert_eq!(steps(&mut rate, &waits(3), 1).await, Some(Slowed::Waiting(3.0)));
    is(&rate, 5.5);
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_it_a_hold_keeps_it_and_what_is_not_used_does_not_rise() {
    let mut rate = AutoRate::new();
    let throttled = seen(Load { is_throttled: true, ..Load::default() });
    assert_eq!(steps(&mut rate, &throttled, 10).await, Some(Slowed::Throttled));
    is(&rate, 5.0);
    let held = seen(Load { held: Some("service".to_owned()), ..Load::default() });
    assert_eq!(steps(&mut rate, &held, 100).await, Some(Slowed::Held("service".to_owned())));
    is(&rate, 5.0);
    for _ in 0..100 {
        assert_eq!(rate.step(Instant::now(), &Seen { sent: 2.0, ..oldest(0.0) }), None);
    }
    is(&rate, 5.0);
    steps(&mut rate, &oldest(0.0), 200).await;
    assert!(rate.rate() > WITHOUT_REPORTS);
    rate.without_reports();
    is(&rate, WITHOUT_REPORTS);
}

//! A stop finishes what it has, and hands back the rest.

use super::*;

#[test]
fn what_the_grace_does_not_suffice_for_is_handed_back_and_ready_again() {
    let settings = "
        [amqp]
        prefetch = 7
        [sns]
        pool_size = 3
        batch_max_entries = 1
        attempt_timeout_ms = 60000
        [shutdown]
        grace_ms = 3000
    ";
    let queue = MemoryQueue::with_prefetch(7);
    let sns = Service::default();
    let both = || Some((queue.clone(), sns.clone()));
    sns.set_latency(Duration::from_hours(1));
    let (totals, took) = simulate_and_stop(settings, &Plugins::default(), both(), async |it| {
        it.publish((0..10).map(chat));
        it.until("all that its prefetch takes", |it| it.queue().unacked() == 7).await;
        it.until("three requests", |it| it.sns.requests() == 3).await;
    });
    let grace = Duration::from_secs(3);
    assert!((grace..2 * grace).contains(&took), "took {took:?}");
    assert_eq!((totals.received, totals.published, totals.handed_back), (7, 0, 7), "{totals}");
    assert_eq!(queue.ready(), 10);
    sns.heal();
    simulate_on(settings, &Plugins::default(), both(), async |it| {
        it.has_once("pm", 10).await;
    });
}

/// Requests under way are finished, and what comes after the signal stays where it is.
#[test]
fn a_stop_takes_nothing_more_and_finishes_what_is_in_flight() {
    let (queue, sns) = (MemoryQueue::default(), Service::default());
    sns.set_latency(Duration::from_secs(3));
    let settings = "[sns]\nbatch_max_entries = 1\n";
    let both = Some((queue.clone(), sns.clone()));
    let (totals, took) = simulate_and_stop(settings, &Plugins::default(), both, async |it| {
        it.publish((0..5).map(chat));
        it.until("five requests", |it| it.sns.requests() == 5).await;
        let (queue, later) = (it.queue().clone(), (5..8).map(chat));
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(1)).await;
            later.for_each(|event| queue.publish(event));
        });
    });
    assert!((2..5).contains(&took.as_secs()), "took {took:?}");
    assert_eq!((totals.received, totals.published, totals.handed_back), (5, 5, 0), "{totals}");
    assert_eq!((queue.ready(), sns.distinct("pm"), sns.of("pm").len()), (3, 5, 5));
}

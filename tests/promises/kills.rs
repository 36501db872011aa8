//! A worker that is killed loses nothing, and repeats no more than it had in flight.

use std::collections::BTreeMap;

use futures_util::future::join;

use crate::support::{End, GENTLY, Stand, Worker, event_of, number_in, wait_for};

/// Deliveries that the broker leaves unacknowledged with one worker at most.
const PREFETCH: u32 = 150;

/// Publishes `events`, and kills all `workers` each time that the queue has fallen to a
/// mark, the first time while events are still being published. Returns how many ends came
/// more than once.
async fn survive(stand: &Stand, workers: usize, events: u32, marks: &[u32]) -> u32 {
    let prefetch = PREFETCH.to_string();
    let settings = [&GENTLY[..], &[("AMQP__PREFETCH", &*prefetch)]].concat();
    let arriving = stand.collect();
    let mut running = Vec::new();
    for _ in 0..workers {
        running.push(Worker::start_with(stand, &settings).await);
    }
    let (early, late) = (0..events / 5, events / 5..events);
    stand.publish_all(early.map(|it| event_of(it).0)).await;
    let killing = replace(stand, running, &settings);
    let publishing = stand.publish_all(late.map(|it| event_of(it).0));
    let (mut running, ()) = join(killing, publishing).await;
    for mark in marks {
        falls_to(stand, events, *mark).await;
        running = replace(stand, running, &settings).await;
    }
    falls_to(stand, events, 0).await;
    for worker in running {
        let exit = worker.stop().await;
        assert!(exit.status.success(), "{exit:?}");
        assert_eq!(exit.totals().handed_back, 0, "{exit:?}");
    }
    let mut ends = BTreeMap::new();
    for (topic, message) in arriving.finish().await {
        *ends.entry((number_in(&message.json()), topic)).or_default() += 1;
    }
    while let Some(letter) = stand.dead_letter_now().await {
        let number = letter.properties.message_id().as_ref().unwrap().as_str().parse().unwrap();
        *ends.entry((number, "dead letters")).or_default() += 1;
    }
    compare(events, &ends)
}

/// Waits until the queue has `mark` events left: patiently as long as it goes on.
async fn falls_to(stand: &Stand, events: u32, mark: u32) {
    for step in (mark..=events).rev().step_by(500).chain([mark]) {
        let fallen = async || (stand.ready(&stand.queue()).await <= step).then_some(());
        wait_for(&format!("no more than {step} events in the queue"), fallen).await;
    }
}

/// Kills every worker after it has published something, and starts others.
async fn replace(stand: &Stand, workers: Vec<Worker>, settings: &[(&str, &str)]) -> Vec<Worker> {
    let mut others = Vec::new();
    for worker in workers {
        worker.logged("first_published").await;
        worker.crash().await;
        others.push(Worker::start_with(stand, settings).await);
    }
    others
}

/// Checks that every event came to its end, and to no other. Returns the repetitions.
fn compare(events: u32, ends: &BTreeMap<(u32, &str), u32>) -> u32 {
    let mut lost = Vec::new();
    let mut found = 0;
    for number in 0..events {
        let place = match event_of(number).1 {
            End::Behind(topic) => topic,
            End::DeadLettered => "dead letters",
            End::Skipped => continue,
        };
        match ends.get(&(number, place)) {
            Some(_) => found += 1,
            None => lost.push((number, place)),
        }
    }
    assert!(lost.is_empty(), "{} events are lost: {lost:?}", lost.len());
    assert_eq!(ends.len(), found, "events are where they don't belong");
    ends.values().sum::<u32>() - u32::try_from(found).unwrap()
}

#[tokio::test]
async fn ten_thousand_events_survive_three_kills_of_the_worker() {
    let stand = Stand::new("kills").await;
    let repeated = survive(&stand, 1, 10_000, &[6000, 3000]).await;
    // What can come twice is what was unacknowledged at a kill, and the broker keeps that
    // below the prefetch: an acknowledgement makes room only once the queue has it.
    assert!(repeated <= 3 * PREFETCH, "{repeated} events came more than once");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn two_workers_that_share_a_queue_survive_a_kill_of_each() {
    let stand = Stand::new("kills-shared").await;
    let repeated = survive(&stand, 2, 2000, &[]).await;
    assert!(repeated <= 2 * PREFETCH, "{repeated} events came more than once");
    stand.leave_nothing().await;
}

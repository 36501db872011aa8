//! Each fault of SNS alone: it comes while events flow, and goes again.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::weather::{FAULTS, Fault, LostAnswers, Weather};
use crate::fake_sns::FakeSns;
use crate::support::{Event, Stand, Worker, number_in, wait_for};

const EVENTS: usize = 300;

/// Events in a row that may be out of retries before everything is held.
const THRESHOLD: usize = 10;

/// Where every second entry fails while others get through, nothing is held; so many events may
/// fail five times in a row: one in 32 of the 200 or more that meet the fault, and some more.
const UNLUCKY: usize = 30;

/// What meets these waits, and not one event is dead-lettered.
const BLAMELESS: [&str; 3] = ["403 AuthorizationError", "404 NotFound", "expired token"];

/// What meets these waits its turn, though nothing is held.
const THROTTLED: [&str; 2] = ["throttled with 400", "throttled with 429"];

/// Faults whose requests take as long as an attempt may.
const SLOW: [&str; 2] = ["never answers", "slow drip"];

#[tokio::test]
async fn no_fault_of_sns_alone_loses_an_event_or_fills_the_dead_letter_queue() {
    join_all((0..FAULTS.len()).map(comes_and_goes)).await;
}

async fn comes_and_goes(fault: usize) {
    let weather = Weather { fault, percent: 100, seed: 1, lasts: Duration::ZERO };
    let (name, lost) = (weather.name(), LostAnswers::default());
    let (stand, sns) = (Stand::new("alone").await, FakeSns::start());
    sns.record();
    let (attempt, retries) = if SLOW.contains(&name) { ("3000", "1") } else { ("5000", "4") };
    let worker = worker_on(&stand, &sns, attempt, retries).await;
    stand.publish_all(events(0..EVENTS / 3)).await;
    let requests = async |count| {
        let what = format!("{count} requests, with the fault \"{name}\"");
        wait_for(&what, async || (sns.counts().requests >= count).then_some(())).await;
    };
    requests(1).await;
    lost.begin(&sns, &weather);
    let before = sns.counts().requests;
    stand.publish_all(events(EVENTS / 3..EVENTS)).await;
    let holds = matches!(FAULTS[fault].1, Fault::Request(_)) && !THROTTLED.contains(&name);
    if holds {
        worker.logged("held").await;
        requests(sns.counts().requests + 3).await;
    } else {
        requests(before + 10).await;
    }
    sns.heal();
    worker.settles(EVENTS).await;
    // An outcome is logged before it is safe; at the end of a worker it is both.
    assert!(worker.stop().await.status.success(), "{name}");

    let accepted = sns.accepted();
    let number_in = |body: &[u8]| number_in(&serde_json::from_slice(body).unwrap());
    let mut ended: BTreeSet<_> = accepted.iter().map(|it| number_in(it.body.as_bytes())).collect();
    let repeated = accepted.len() - ended.len();
    let mut dead = 0;
    while let Some(letter) = stand.dead_letter_now().await {
        ended.insert(number_in(&letter.data));
        dead += 1;
    }
    assert_eq!(ended.len(), EVENTS, "{name}: events are lost");
    let excusable = lost.messages(&sns);
    assert!(repeated <= excusable, "{name}: {repeated} repeated, {excusable} answers were lost");
    let unlucky = match holds {
        _ if BLAMELESS.contains(&name) || THROTTLED.contains(&name) => 0,
        true => THRESHOLD,
        false => UNLUCKY,
    };
    println!("{name}: {dead} dead letters, {repeated} repeated");
    assert!(dead <= unlucky, "{name}: {dead} dead letters");
    stand.leave_nothing().await;
}

fn events(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Event> {
    numbers.map(|number| Event::chat("ann@h", "bob@h", &number.to_string()))
}

/// What fails is soon given up, and what is held soon tried again. `attempt`: in milliseconds.
async fn worker_on(stand: &Stand, sns: &FakeSns, attempt: &str, retries: &str) -> Worker {
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("SNS__POOL_SIZE", "2"),
        ("SNS__ATTEMPT_TIMEOUT_MS", attempt),
        ("SNS__CONNECT_TIMEOUT_MS", "300"),
        ("SNS__PUBLISH_RETRY_COUNT", retries),
        ("SNS__PUBLISH_RETRY_TIME_MS", "5"),
        ("OUTAGE__THRESHOLD", "10"),
        ("OUTAGE__PROBE_MAX_MS", "100"),
    ];
    Worker::start_with(stand, &settings).await
}

//! What a slow SNS and a long queue cost in memory: nothing.

use std::time::Duration;

use crate::fake_sns::FakeSns;
use crate::ports::configuration;
use crate::support::{Event, Stand, Worker, number_from, wait_for};

/// Unless `EVENT_PUSHER_QUEUE_EVENTS` says otherwise.
const EVENTS: u64 = 20_000;

/// For the default prefetch and events of 200 bytes, with a debug build, and with the connection to its fleet, which has threads of its own.
const MOST_KIB: u64 = 80 * 1024;

/// What may still come when all that is ever held has been there once.
const LATE_KIB: u64 = 4 * 1024;

fn events(count: u64) -> impl Iterator<Item = Event> {
    let text = "and so on, until it has its size. ".repeat(3);
    (0..count).map(move |number| {
        let user = number % 1000;
        let from = format!("user{user:04}@localhost/phone");
        Event::chat(&from, &format!("friend{user:04}@localhost"), &text)
    })
}

/// Waits until so many messages of `count` events were accepted, and looks meanwhile at what is delivered and not
/// acknowledged. Returns the most that it saw.
async fn publishes(stand: &Stand, sns: &FakeSns, count: u64, messages: u64) -> u64 {
    let mut most = 0;
    wait_for(&format!("{messages} messages"), async || {
        let delivered = count - u64::from(stand.ready(&stand.queue()).await);
        // Asked for later, and nothing is acknowledged before: the difference is no more
        // than what is held.
        let accepted = sns.counts().messages;
        most = most.max(delivered.saturating_sub(accepted));
        (accepted >= messages).then_some(())
    })
    .await;
    most
}

#[tokio::test]
async fn memory_stays_flat_when_sns_is_slow_and_the_queue_is_long() {
    let count = number_from("EVENT_PUSHER_QUEUE_EVENTS").unwrap_or(EVENTS);
    let (stand, sns) = (Stand::new("memory").await, FakeSns::start());
    sns.set_latency(Duration::from_secs(2));
    let defaults = configuration(&stand);
    let (prefetch, pool_size) =
        (u64::from(defaults.amqp.prefetch), u64::from(defaults.sns.pool_size));
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("LOG__FILTER", "info")];
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all(events(count)).await;
    let worker = Worker::start_with(&stand, &settings).await;

    let mut most = publishes(&stand, &sns, count, prefetch).await;
    let before = worker.peak_kib();
    most = most.max(publishes(&stand, &sns, count, 3 * prefetch).await);
    let after = worker.peak_kib();
    println!("{after} KiB at most, with {count} events");
    assert!(after <= MOST_KIB, "{after} KiB");
    // The kernel counts pages for each processor by itself, and adds them up late: the same peak may be read some pages lower.
    let late = after.saturating_sub(before);
    assert!(late <= LATE_KIB, "from {before} to {after} KiB");
    assert!(most > prefetch / 2 && most <= prefetch, "{most} held, with a prefetch of {prefetch}");
    assert!(sns.counts().most_in_flight <= pool_size);

    let exit = worker.stop().await;
    assert_eq!(exit.totals().dead_lettered, 0, "{exit:?}");
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

//! How the worker consumes: little at first, and not in vain.

mod long;

use std::collections::BTreeMap;

use lapin::types::AMQPValue;

use crate::fake_sns::FakeSns;
use crate::support::{
    Door, Event, Proxy, Stand, Totals, Worker, deliveries_before, quorum, wait_for,
};

/// What a worker holds before it has settled something.
const FIRST: u32 = 10;

/// What SNS has not answered is no failure yet.
const PATIENTLY: (&str, &str) = ("SNS__ATTEMPT_TIMEOUT_MS", "60000");

fn chat(number: u32) -> Event {
    Event::chat("alice@localhost", "bob@localhost", &number.to_string())
}

/// Waits until all but so many events are with the worker.
async fn holds(stand: &Stand, count: u32, all: u32) {
    stand.has_ready(&stand.queue(), all - count).await;
}

/// Takes everything out of the stand's queue; returns how many events had been delivered how often before.
async fn take_all(stand: &Stand) -> BTreeMap<u64, u32> {
    let mut all = BTreeMap::new();
    while let Some(event) = stand.get(&stand.queue()).await {
        *all.entry(deliveries_before(&event)).or_default() += 1;
    }
    all
}

#[tokio::test]
async fn a_worker_that_dies_of_its_start_spends_the_delivery_limit_of_a_few_events_only() {
    const EVENTS: u32 = 200;
    const CRASHES: u64 = 4;
    let stand = Stand::new("crash-loop").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let address = sns.address().to_string();
    let settings = [("SNS__SNS_HOST", &*address)];
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    for _ in 0..CRASHES {
        let worker = Worker::start_with(&stand, &settings).await;
        holds(&stand, FIRST, EVENTS).await;
        worker.crash().await;
        holds(&stand, 0, EVENTS).await;
    }
    assert_eq!(take_all(&stand).await, BTreeMap::from([(0, EVENTS - FIRST), (CRASHES, FIRST)]));
    stand.leave_nothing().await;
}

/// Else a few events of a topic that is held would keep all others waiting.
#[tokio::test]
async fn a_worker_that_lives_takes_its_full_prefetch_whatever_becomes_of_the_first_events() {
    const EVENTS: u32 = 60;
    let stand = Stand::new("ramp").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let address = sns.address().to_string();
    let settings = [("SNS__SNS_HOST", &*address), ("AMQP__PREFETCH", "40"), PATIENTLY];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    holds(&stand, FIRST, EVENTS).await;
    holds(&stand, 40, EVENTS).await;
    sns.set(Door::Open);
    worker.settles(EVENTS as usize).await;
    // What the first events have held of it is there for others now.
    sns.set(Door::Silent);
    stand.publish_all((0..EVENTS).map(chat)).await;
    holds(&stand, 40, EVENTS).await;
    sns.set(Door::Open);
    worker.settles(2 * EVENTS as usize).await;
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(120), "{exit:?}");
    stand.leave_nothing().await;
}

/// What goes back to a quorum queue goes behind all that came back before, and has one delivery less left.
#[tokio::test]
async fn a_worker_that_takes_its_full_prefetch_sends_nothing_back_for_it() {
    const EVENTS: u32 = 600;
    let (stand, sns) = (Stand::new("growing").await, FakeSns::start());
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    let mut no_second_delivery = quorum();
    no_second_delivery.insert("x-delivery-limit".into(), 0.into());
    let exchange = AMQPValue::LongString(stand.dead_letter_queue().into());
    no_second_delivery.insert("x-dead-letter-exchange".into(), exchange);
    stand.declare_events_with(no_second_delivery).await;
    // Large ones, for which the queue takes its time.
    let text = "and so on, until it has its size. ".repeat(1500);
    let large = |number| Event::chat(&format!("a{number}@h"), "b@h", &text);
    stand.publish_all((0..EVENTS).map(large)).await;
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        // Each event by itself, so that acknowledgements come and go without a break.
        ("SNS__BATCH_MAX_ENTRIES", "1"),
        ("AMQP__DECLARE", "false"),
        ("AMQP__PREFETCH", "40"),
    ];
    let mut workers = Vec::new();
    for _ in 0..5 {
        workers.push(Worker::start_with(&stand, &settings).await);
    }
    let all = async || {
        let sent_back = stand.ready(&stand.dead_letter_queue()).await;
        (sns.counts().messages + u64::from(sent_back) == u64::from(EVENTS)).then_some(sent_back)
    };
    assert_eq!(wait_for("all events", all).await, 0, "were sent back");
    for worker in workers {
        worker.stop().await;
    }
    stand.leave_nothing().await;
}

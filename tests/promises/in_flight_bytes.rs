//! What is in flight is bounded in bytes, whatever the prefetch says: in a hold, out of it, and when sizes change.

use std::time::Instant;

use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{
    ADMIN, Admin, Event, Letter, Scrape, Stand, Totals, Worker, dlq_program, wait_for,
};

/// What the issue and docs/performance.md say.
const MOST_KIB: u64 = 256 * 1024;
const MOST_KIB_OF_GIANTS: u64 = 384 * 1024;

/// As much as SNS takes, nearly.
const LARGE: usize = 250_000;
/// As much as RabbitMQ takes since version 4, nearly.
const GIANT: usize = 16 * 1024 * 1024 - 1024;

/// An event of so many bytes, in its place within a conversation.
fn event(number: usize, bytes: usize) -> Event {
    let text = format!("{number:06} {}", "x".repeat(bytes.saturating_sub(80)));
    Event::chat("ann@localhost/phone", "bob@localhost", &text)
}

/// The numbers of what was accepted, in order.
fn accepted(sns: &FakeSns) -> Vec<usize> {
    let number = |body: &str| body.split_once(r#""message":"#)?.1.get(1..7)?.parse().ok();
    sns.accepted().iter().filter_map(|it| number(&it.body)).collect()
}

/// How many of `count` events the worker has.
async fn delivered(stand: &Stand, count: usize) -> usize {
    count - stand.ready(&stand.queue()).await as usize
}

#[tokio::test]
async fn large_events_that_sns_holds_up_fit_in_a_small_container_and_all_are_published_later() {
    const EVENTS: usize = 1600;
    let (stand, sns) = (Stand::new("bytes-held").await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..EVENTS).map(|number| event(number, LARGE))).await;
    let url = sns.url();
    let settings =
        [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300"), ("LOG__FILTER", "info")];
    let worker = Worker::start_with(&stand, &settings).await;
    wait_for("more than the first ten", async || {
        (delivered(&stand, EVENTS).await > 10).then_some(())
    })
    .await;
    // Probes of some seconds more.
    let before = sns.counts().requests;
    sns.until(|counts| counts.requests > before + 15).await;
    let held = delivered(&stand, EVENTS).await;
    let in_hold = worker.peak_kib();
    assert!((200..=270).contains(&held), "{held} deliveries of {LARGE} bytes in 64 MiB");
    sns.heal();
    // Step by step, since a busy machine may need a minute for all.
    for published in (100..=EVENTS as u64).step_by(100) {
        sns.until(|counts| counts.messages >= published).await;
    }
    println!("{in_hold} KiB in the hold, {} KiB in all", worker.peak_kib());
    assert!(worker.peak_kib() <= MOST_KIB, "{} KiB", worker.peak_kib());
    let exit = worker.stop().await;
    let Totals { dead_lettered, handed_back, .. } = exit.totals();
    assert_eq!((dead_lettered, handed_back), (0, 0), "{exit:?}");
    stand.leave_nothing().await;
}

/// Nothing is settled before the session is open, and so nothing that it waits for may come behind the first deliveries.
#[tokio::test]
async fn a_source_begins_although_its_first_deliveries_are_more_than_it_may_have() {
    const EVENTS: usize = 14;
    let (stand, sns) = (Stand::new("bytes-begin").await, FakeSns::start());
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..EVENTS).map(|number| event(number, 240_000))).await;
    let url = sns.url();
    let settings = [("SNS__SNS_HOST", &*url), ("AMQP__MAX_IN_FLIGHT_BYTES", "1048576")];
    let worker = Worker::start_with(&stand, &settings).await;
    sns.until(|counts| counts.messages == EVENTS as u64).await;
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(14), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn giants_that_can_not_be_dead_lettered_yet_fit_in_a_small_container_and_later_all_are() {
    const EVENTS: usize = 60;
    let (stand, sns) = (Stand::new("bytes-giants").await, FakeSns::start());
    stand.declare_dead_letters_by_hand().await;
    stand.declare_events_by_hand().await;
    for number in 0..EVENTS {
        stand.publish(event(number, GIANT)).await;
    }
    let url = sns.url();
    let settings =
        [("SNS__SNS_HOST", &*url), ("AMQP__DECLARE", "false"), ("LOG__FILTER", "info"), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    // No queue is bound for dead letters. It has more than it may, and stops at that; or takes all.
    let admin = Admin::of(&worker).await;
    wait_for("a full worker", async || {
        let takes_all = admin.scrape().await.sum("in_flight", &[]) > 20;
        (takes_all || worker.find("requeued_too_many_bytes").is_some()).then_some(())
    })
    .await;
    stand.bind_dead_letter_queue().await;
    let all = u32::try_from(EVENTS).unwrap();
    stand.has_ready(&stand.dead_letter_queue(), all).await;
    println!("{} KiB with giants", worker.peak_kib());
    assert!(worker.peak_kib() <= MOST_KIB_OF_GIANTS, "{} KiB", worker.peak_kib());
    let exit = worker.stop().await;
    assert_eq!(exit.totals().dead_lettered, EVENTS as u64, "{exit:?}");
    stand.purge(&stand.dead_letter_queue()).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn order_is_kept_when_events_become_larger_than_what_their_prefetch_was_made_for() {
    const SMALL: usize = 100;
    const EVENTS: usize = 200;
    let (stand, sns) = (Stand::new("bytes-order").await, FakeSns::start());
    sns.record();
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("SNS__ORDERING", "per-key"),
        ("SNS__BATCH_MAX_ENTRIES", "1"),
        ("OUTAGE__PROBE_MAX_MS", "300"),
        ("AMQP__MAX_IN_FLIGHT_BYTES", "1048576"),
        ("LOG__FILTER", "info"),
        ADMIN,
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    stand.publish_all((0..SMALL).map(|number| event(number, 200))).await;
    sns.until(|counts| counts.messages >= SMALL as u64).await;

    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    let bytes = |number| 20_000 + number % 7 * 10_000;
    stand.publish_all((SMALL..EVENTS).map(|number| event(number, bytes(number)))).await;
    // It has more than it may, and so gives it back and takes less.
    admin.shows("deliveries that went back", |it| it.sum("handed_back_total", &[]) > 10).await;
    admin.shows("some of them again", |it| it.sum("in_flight", &[]) > 10).await;
    let held = admin.scrape().await.sum("in_flight", &[]);
    assert!(held < 40, "{held} in flight");
    sns.heal();
    wait_for("all of them", async || (accepted(&sns).len() >= EVENTS).then_some(())).await;
    assert_eq!(accepted(&sns), (0..EVENTS).collect::<Vec<_>>());
    // And smaller ones flow again.
    stand.publish_all((EVENTS..2 * EVENTS).map(|number| event(number, 200))).await;
    wait_for("the rest", async || (accepted(&sns).len() >= 2 * EVENTS).then_some(())).await;
    assert_eq!(accepted(&sns), (0..2 * EVENTS).collect::<Vec<_>>());
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_stop_while_too_much_has_come_loses_nothing_and_keeps_the_order() {
    const EVENTS: usize = 120;
    let (stand, sns) = (Stand::new("bytes-stop").await, FakeSns::start());
    sns.record();
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("SNS__ORDERING", "per-key"),
        ("OUTAGE__PROBE_MAX_MS", "300"),
        ("AMQP__MAX_IN_FLIGHT_BYTES", "1048576"),
        ("LOG__FILTER", "info"),
        ADMIN,
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    stand.publish_all((0..20).map(|number| event(number, 200))).await;
    sns.until(|counts| counts.messages >= 20).await;
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    stand.publish_all((20..EVENTS).map(|number| event(number, 100_000))).await;
    admin.shows("a full worker", |it| it.sum("in_flight", &[]) >= 8).await;
    let exit = worker.stop().await;
    assert!(exit.status.success(), "{exit:?}");
    stand.has_ready(&stand.queue(), u32::try_from(EVENTS).unwrap() - 20).await;
    sns.heal();
    let worker = Worker::start_with(&stand, &settings).await;
    wait_for("all of them", async || (accepted(&sns).len() >= EVENTS).then_some(())).await;
    assert_eq!(accepted(&sns), (0..EVENTS).collect::<Vec<_>>());
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn rubbish_is_dead_lettered_at_a_bounded_rate_while_another_source_flows() {
    const RUBBISH: u32 = 300;
    const INNOCENTS: usize = 500;
    let (stand, sns) = (Stand::new("rubbish").await, FakeSns::start());
    let (url, other) = (sns.url(), format!("{}.other", stand.id));
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("AMQP__SOURCES__OTHER__EXCHANGE", &*other),
        ("AMQP__SOURCES__OTHER__QUEUE", &*other),
        ("AMQP__DEAD_LETTERS_PER_SECOND", "10"),
        ("LOG__FILTER", "info"),
        ADMIN,
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    // One of the sources consumes, and the other may have no queue yet.
    for queue in [&stand.queue(), &other] {
        wait_for("both sources", async || {
            (stand.has_queue(queue).await && stand.consumers(queue).await > 0).then_some(())
        })
        .await;
    }
    let began = Instant::now();
    stand.publish_all((0..RUBBISH).map(|_| Event::new("rubbish"))).await;
    for number in 0..INNOCENTS {
        stand.publish_to(&other, event(number, 200)).await;
    }
    sns.until(|counts| counts.messages >= INNOCENTS as u64).await;
    let dead = stand.dead_letter_queue();
    wait_for("more than the burst", async || (stand.ready(&dead).await > 120).then_some(())).await;
    let written = f64::from(stand.ready(&dead).await);
    let allowed = 10.0f64.mul_add(began.elapsed().as_secs_f64(), 101.0);
    assert!(written <= allowed, "{written} dead letters, where {allowed} are allowed");
    // Those that wait are in flight or in the queue, and none is lost.
    stand.has_ready(&dead, RUBBISH).await;
    let all = |it: &Scrape| it.sum("dead_letters_queued", &[]) == i64::from(RUBBISH);
    Admin::of(&worker).await.shows("how long the dead-letter queue is", all).await;
    worker.stop().await;
    stand.purge(&dead).await;
    for queue in [other.as_str(), &format!("{other}.held")] {
        if stand.has_queue(queue).await {
            stand.delete(queue).await;
        }
    }
    stand.delete_exchange(&other).await;
    stand.leave_nothing().await;
}

/// Nobody would wait out the grace for them.
#[tokio::test]
async fn letters_that_wait_for_their_turn_go_back_when_the_worker_stops() {
    const RUBBISH: u32 = 400;
    let stand = Stand::new("rubbish-stop").await;
    let settings =
        [("AMQP__DEAD_LETTERS_PER_SECOND", "2"), ("SHUTDOWN__GRACE_MS", "600000"), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_all((0..RUBBISH).map(|_| Event::new("rubbish"))).await;
    let admin = Admin::of(&worker).await;
    let wait = |it: &Scrape| it.sum("in_flight", &[]) > 50;
    admin.shows("letters that wait", wait).await;
    let exit = worker.stop().await;
    assert!(exit.status.success(), "{exit:?}");
    let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
    wait_for("all of them in one queue or the other", async || {
        (stand.ready(&queue).await + stand.ready(&dead).await == RUBBISH).then_some(())
    })
    .await;
    assert!(stand.ready(&queue).await > 0, "{exit:?}");
    for queue in [queue, dead] {
        stand.purge(&queue).await;
    }
    stand.leave_nothing().await;
}

/// A look at dead letters has bounds of its own: bodies are dropped as they are read.
#[tokio::test]
async fn a_look_at_large_letters_needs_little_memory() {
    const LETTERS: usize = 1200;
    let stand = Stand::new("bytes-look").await;
    stand.declare_all("quorum").await;
    let letter = |number| Letter { body: vec![b'x'; LARGE], ..Letter::number(&stand, number) };
    stand.bury((0..LETTERS).map(letter)).await;
    let (ended, peak) = dlq_program(&stand, &["list"]).start().wait_measured().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    println!("{peak} KiB for a look at {LETTERS} letters");
    assert!(peak <= MOST_KIB, "{peak} KiB");
    stand.purge(&stand.dead_letter_queue()).await;
    stand.leave_nothing().await;
}

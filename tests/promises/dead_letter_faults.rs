//! Where dead letters can't be made safe, their originals stay unacknowledged; the worker says why
//! once, and tries until it can.

use std::collections::BTreeSet;

use lapin::ExchangeKind;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::support::{ADMIN, Admin, Event, OwnBroker, Scrape, Stand, Worker, quorum, wait_for};

/// The topology is somebody else's: what is missing stays missing.
const BY_HAND: [(&str, &str); 1] = [("AMQP__DECLARE", "false")];

const LETTERS: u32 = 12;

/// No format knows them.
async fn publish_garbage(stand: &Stand) {
    stand.publish_all((0..LETTERS).map(|number| Event::new(format!("garbage {number}")))).await;
}

/// Each letter comes, and none twice.
async fn all_arrive(stand: &Stand) {
    let letters = stand.take_dead_letters(LETTERS as usize).await;
    let texts: BTreeSet<_> = letters.iter().map(|it| it.data.clone()).collect();
    assert_eq!(texts.len(), LETTERS as usize, "a letter came twice");
}

async fn leave(stand: Stand, worker: Worker) {
    worker.logged("dead_letters_taken_again").await;
    assert_eq!(worker.stop().await.status.code(), Some(0));
    assert!(stand.dead_letter_now().await.is_none(), "a letter came twice");
    stand.leave_nothing().await;
}

async fn delete_dead_letter_exchange(stand: &Stand) {
    let options = ExchangeDeleteOptions::default();
    stand.channel.exchange_delete(stand.dead_letter_queue().into(), options).await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_exchange_that_is_deleted_is_declared_again() {
    let stand = Stand::new("letter-declared").await;
    let worker = Worker::start(&stand).await;
    stand.publish(Event::new("garbage")).await;
    stand.take_dead_letters(1).await;
    delete_dead_letter_exchange(&stand).await;
    publish_garbage(&stand).await;
    all_arrive(&stand).await;
    assert_eq!(worker.count("cannot_dead_letter"), 1, "{:#?}", worker.log());
    leave(stand, worker).await;
}

#[tokio::test]
async fn somebody_elses_dead_letter_exchange_that_is_deleted_is_waited_for() {
    let stand = Stand::new("letter-deleted").await;
    stand.declare_dead_letters_by_hand().await;
    stand.declare_events_by_hand().await;
    let worker = Worker::start_with(&stand, &BY_HAND).await;
    delete_dead_letter_exchange(&stand).await;
    publish_garbage(&stand).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    let exchange = stand.dead_letter_queue();
    assert!(line.contains(&format!("no exchange '{exchange}'")), "{line}");
    worker.crash().await;
    stand.has_ready(&stand.queue(), LETTERS).await;

    // A worker does not start without; this one loses it again.
    stand.declare_exchange(&exchange, ExchangeKind::Fanout, true).await;
    let worker = Worker::start_with(&stand, &BY_HAND).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(line.contains("no queue is bound to it"), "{line}");
    delete_dead_letter_exchange(&stand).await;
    let line = worker.logged_times("cannot_dead_letter", 2).await["error"].to_string();
    assert!(line.contains(&format!("no exchange '{exchange}'")), "{line}");
    assert_eq!(worker.count("cannot_dead_letter"), 2, "{:#?}", worker.log());
    stand.declare_exchange(&exchange, ExchangeKind::Fanout, true).await;
    stand.bind_dead_letter_queue().await;
    all_arrive(&stand).await;
    leave(stand, worker).await;
}

#[tokio::test]
async fn a_full_dead_letter_queue_is_waited_for() {
    const ROOM: u32 = 5;
    let stand = Stand::new("letter-full").await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), i64::from(ROOM).into());
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let dead = stand.dead_letter_queue();
    stand.declare_queue(&dead, full).await;
    stand.declare_exchange(&dead, ExchangeKind::Fanout, true).await;
    stand.bind_dead_letter_queue().await;
    stand.declare_events_by_hand().await;
    let settings = [BY_HAND[0], ("SHUTDOWN__GRACE_MS", "100"), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    publish_garbage(&stand).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(line.contains("refused; check whether the dead-letter queue is full"), "{line}");
    stand.has_ready(&dead, ROOM).await;
    let safe = |it: &Scrape| it.sum("outcomes_total", &[]) == i64::from(ROOM);
    admin.shows("those that are safe", safe).await;
    // Acknowledged are those that are safe, and no other; a kill could come before the
    // acknowledgements.
    worker.stop().await;
    stand.has_ready(&stand.queue(), LETTERS - ROOM).await;

    let worker = Worker::start_with(&stand, &BY_HAND).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(line.contains("check whether the dead-letter queue is full"), "{line}");
    all_arrive(&stand).await;
    leave(stand, worker).await;
}

/// Somebody else's exchange takes some letters and not others; their confirms come together.
#[tokio::test]
async fn a_letter_that_no_queue_takes_is_not_taken_for_one_that_a_queue_took() {
    const EACH: usize = 200;
    let stand = Stand::new("letter-mixed").await;
    stand.declare_events_by_hand().await;
    stand.declare_queue(&stand.dead_letter_queue(), quorum()).await;
    stand.declare_exchange(&stand.dead_letter_queue(), ExchangeKind::Topic, true).await;
    for key in ["", "lands"] {
        stand.bind(&stand.dead_letter_queue(), &stand.dead_letter_queue(), key).await;
    }
    let garbage = |number: usize| {
        let key = if number.is_multiple_of(2) { "lands" } else { "nowhere" };
        Event::new(format!("garbage {number}")).routed(key)
    };
    stand.publish_all((0..2 * EACH).map(garbage)).await;
    let worker = Worker::start_with(&stand, &BY_HAND).await;
    // Those that can't land hold up the rest.
    wait_for("some to land", async || {
        (stand.ready(&stand.dead_letter_queue()).await >= 5).then_some(())
    })
    .await;
    worker.logged("cannot_dead_letter").await;
    worker.crash().await;
    // What has landed may be here too: the crash can come before the acknowledgement.
    let mut missing: BTreeSet<_> = (0..EACH).map(|it| garbage(2 * it + 1).payload).collect();
    wait_for("all that can't to be in their queue still", async || {
        while let Some(event) = stand.get(&stand.queue()).await {
            missing.remove(&event.data);
        }
        missing.is_empty().then_some(())
    })
    .await;
    stand.purge(&stand.dead_letter_queue()).await;
    stand.leave_nothing().await;
}

/// A source whose queue for parked events is somebody else's can't start; the others can, and dead-letter.
#[tokio::test]
async fn what_is_wrong_with_one_source_keeps_no_dead_letter_of_another() {
    let stand = Stand::new("letter-others").await;
    let other = format!("{}.other", stand.id);
    let held = format!("{other}.held");
    stand.declare_queue(&held, FieldTable::default()).await;
    let settings =
        [("AMQP__SOURCES__OTHER__EXCHANGE", &*other), ("AMQP__SOURCES__OTHER__QUEUE", &*other)];
    let worker = Worker::start_with(&stand, &settings).await;
    let line = worker.logged("not_consuming").await;
    assert_eq!(line["source"], "other", "{line}");
    assert!(line["error"].to_string().contains(&held), "{line}");
    publish_garbage(&stand).await;
    all_arrive(&stand).await;
    assert_eq!(worker.count("cannot_dead_letter"), 0, "{:#?}", worker.log());
    assert_eq!(worker.stop().await.status.code(), Some(0));
    for queue in [other.as_str(), &held] {
        stand.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    stand.channel.exchange_delete(other.into(), ExchangeDeleteOptions::default()).await.unwrap();
    stand.leave_nothing().await;
}

/// A memory alarm: who publishes is blocked, and who consumes is not.
#[tokio::test]
async fn an_alarm_that_blocks_publishing_delays_dead_letters_and_nothing_else() {
    let (broker, _guard) = OwnBroker::alone().await;
    let stand = Stand::on("letter-blocked", &broker.uri(0)).await;
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    stand.declare_events_by_hand().await;
    publish_garbage(&stand).await;
    stand.publish_all((0..LETTERS).map(|_| Event::presence("alice@localhost", true))).await;
    let before = broker.eval(0, "vm_memory_monitor:get_vm_memory_high_watermark().").await;
    let set = "vm_memory_monitor:set_vm_memory_high_watermark";
    broker.eval(0, &format!("{set}(0.00001).")).await;

    let worker = Worker::start_with(&stand, &BY_HAND).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(
        line.contains("RabbitMQ has a memory or disk alarm and blocks who publishes"),
        "{line}"
    );
    // The others are published and acknowledged meanwhile.
    stand.receive("presence", LETTERS as usize).await;
    broker.keeps(&stand.queue(), LETTERS).await;
    assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 0);

    broker.eval(0, &format!("{set}({before}).")).await;
    all_arrive(&stand).await;
    assert_eq!(worker.count("cannot_dead_letter"), 1, "{:#?}", worker.log());
    leave(stand, worker).await;
}

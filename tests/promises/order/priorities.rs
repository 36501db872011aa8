//! Priorities that a producer gives.

use super::conversations::number_of;
use super::{all_was_published, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Event, Stand, Worker, on_both_brokers};

const EACH: usize = 30;

/// One conversation, whose messages have these priorities in turn.
fn conversation(priorities: [Option<u8>; 3]) -> impl Iterator<Item = Event> {
    (0..EACH).map(move |number| {
        let event = Event::chat("ann@h", "bob@h", &format!("0 {number}"));
        let properties = match priorities[number % priorities.len()] {
            Some(priority) => event.properties.with_priority(priority),
            None => event.properties,
        };
        Event { properties, ..event }
    })
}

/// The numbers of a conversation that waits in the queue, as they are published.
async fn published(stand: Stand, priorities: [Option<u8>; 3]) -> Vec<usize> {
    Worker::create_queue(&stand, &[("SNS__ORDERING", "per-key")]).await;
    stand.publish_all(conversation(priorities)).await;
    let sns = FakeSns::start();
    sns.record();
    let worker = worker_on(&stand, &sns, &[]).await;
    worker.settles(EACH).await;
    all_was_published(stand, worker, EACH).await;
    sns.accepted().iter().map(|message| number_of(message).1).collect()
}

on_both_brokers! {
    /// From RabbitMQ 4.3 on a quorum queue delivers what has a higher priority first; before, it knew no priorities.
    async fn a_conversation_keeps_its_order_within_each_priority(stand: Stand) {
        let is_sorted = stand.is_newest();
        let came = published(stand, [Some(1), None, Some(9)]).await;
        let of = |turn: usize| (0..EACH).filter(move |number| number % 3 == turn);
        let expected: Vec<_> = if is_sorted { of(2).chain(of(1)).chain(of(0)).collect() } else { (0..EACH).collect() };
        assert_eq!(came, expected);
    }

    /// 4 is the priority of what has none.
    async fn a_conversation_of_one_priority_keeps_its_order(stand: Stand) {
        let came = published(stand, [Some(4), None, Some(4)]).await;
        assert_eq!(came, (0..EACH).collect::<Vec<_>>());
    }
}

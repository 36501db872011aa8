//! A producer's priorities.

use super::conversations::number_of;
use super::{all_was_published, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Event, Stand, Worker};

/// Quorum queues of RabbitMQ 4.3 deliver what has a higher priority first; those of 3.10 know of none.
#[tokio::test]
async fn a_conversation_keeps_its_order_within_one_priority() {
    const EVENTS: usize = 20;
    let (stand, sns) = (Stand::new("priorities").await, FakeSns::start());
    sns.record();
    Worker::create_queue(&stand, &[("SNS__ORDERING", "per-key")]).await;
    let urgent = |number: usize| number % 4 == 3;
    stand
        .publish_all((0..EVENTS).map(|number| {
            let event = Event::chat("ann@h", "bob@h", &format!("0 {number}"));
            let priority = if urgent(number) { 9 } else { 1 };
            Event { properties: event.properties.clone().with_priority(priority), ..event }
        }))
        .await;
    let worker = worker_on(&stand, &sns, &[]).await;
    sns.until(|counts| counts.messages >= EVENTS as u64).await;
    let came: Vec<_> = sns.accepted().iter().map(|it| number_of(it).1).collect();
    let mut expected: Vec<_> = (0..EVENTS).collect();
    if stand.is_newest() {
        expected.sort_by_key(|number| !urgent(*number));
    }
    assert_eq!(came, expected);
    all_was_published(stand, worker, EVENTS).await;
}

//! Consumers that follow each other, each of which has five seconds.

use std::ops::RangeInclusive;

use super::super::conversations::{distinct, number_of};
use super::super::worker_on;
use super::super::workers::SHARED;
use super::{has_consumers, nobody_consumes};
use crate::fake_sns::{EntryFault, FakeSns};
use crate::support::{Event, Stand, wait_for};

/// Until it is called again, SNS fails the first message of these keys.
fn hold_up(sns: &FakeSns, keys: RangeInclusive<usize>) {
    sns.fail_entries(move |message| {
        let (key, number) = number_of(message);
        let fault = EntryFault::Failed { code: "InternalError", sender_fault: false };
        (number == 0 && keys.contains(&key)).then_some(fault)
    });
}

/// Where workers share a queue, the consumers of each follow each other: what takes long outlives the consumer that
/// got it, and a quorum queue puts back what each consumer held by itself.
#[tokio::test]
async fn what_several_consumers_of_a_dead_worker_held_comes_back_in_order() {
    let (stand, sns) = (Stand::new("order-consumers").await, FakeSns::start());
    sns.record();
    let settings = [("SNS__PUBLISH_RETRY_TIME_MS", "10"), ("AMQP__PREFETCH", "20"), SHARED];
    let say = async |keys: RangeInclusive<usize>, number: usize| {
        let chat = |key| Event::chat(&format!("a{key}@h"), "b@h", &format!("{key} {number}"));
        stand.publish_all(keys.map(chat)).await;
    };
    hold_up(&sns, 1..=20);
    let worker = worker_on(&stand, &sns, &settings).await;
    // All of the first consumer's deliveries stay open, and so it goes after five seconds.
    say(1..=10, 0).await;
    has_consumers(&stand, 2).await;
    say(11..=20, 0).await;
    stand.has_ready(&stand.queue(), 0).await;
    // With those the second consumer's time ends, all of whose deliveries stay open.
    hold_up(&sns, 11..=20);
    worker.settles(10).await;
    has_consumers(&stand, 1).await;
    has_consumers(&stand, 2).await;
    hold_up(&sns, 11..=12);
    say(11..=13, 1).await;
    worker.settles(19).await;
    worker.crash().await;
    nobody_consumes(&stand).await;
    sns.heal();
    let worker = worker_on(&stand, &sns, &settings).await;
    // What was accepted, and not acknowledged before the kill, comes again.
    let all = async || (distinct(&sns.accepted()) == 23).then_some(());
    wait_for("all messages", all).await;
    worker.stop().await;
    let accepted: Vec<_> = sns.accepted().iter().map(number_of).collect();
    for key in [11, 12] {
        let numbers = accepted.iter().filter(|it| it.0 == key).map(|it| it.1);
        assert!(numbers.eq([0, 1]), "{accepted:?}");
    }
    stand.leave_nothing().await;
}

//! A source whose events are divided into partitions: all workers publish at once, and every conversation keeps its order,
//! whoever comes, goes, dies or freezes.

mod bad_input;
mod before;
mod crew;
mod fleet;
mod flow;
mod hand_overs;
mod long;
mod moving;
mod sorting;
mod topology;
mod view;

use std::ops::Range;

use self::crew::Crew;
use self::flow::{while_events_flow, while_events_of};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{Conversations, routed_event_of};
use crate::support::{Ended, Event, Program, Stand, wait_for};

const PARTITIONS: &str = "AMQP__SOURCES__EVENTS__PARTITIONS";
const PER_KEY: (&str, &str) = ("SNS__ORDERING", "per-key");

/// For promises that are about a partition and not about many.
const FEW: u32 = 4;
const FEW_PARTITIONS: (&str, &str) = (PARTITIONS, "4");
const MORE_PARTITIONS: (&str, &str) = (PARTITIONS, "8");

fn partition_of(stand: &Stand, partitions: u32, number: u32) -> String {
    format!("{}.{partitions}.{number:02}", stand.queue())
}

fn all_partitions(stand: &Stand, partitions: u32) -> Vec<String> {
    (0..partitions).map(|number| partition_of(stand, partitions, number)).collect()
}

/// Between the source's exchange and its partitions.
fn hash_exchange_of(stand: &Stand, partitions: u32) -> String {
    format!("{}.{partitions}.hash", stand.queue())
}

/// The queue that every worker consumes, so that they know how many they are.
fn marker_of(stand: &Stand) -> String {
    format!("{}.partitions", stand.queue())
}

/// It tells what it has accepted.
fn recording_sns() -> FakeSns {
    let sns = FakeSns::start();
    sns.record();
    sns
}

/// Conversations where a test sends each message at a time of its own.
const KEYS: usize = 40;

/// Their messages of these numbers.
fn messages(numbers: Range<usize>) -> impl Iterator<Item = Event> {
    numbers.flat_map(|number| (0..KEYS).map(move |key| routed_event_of(key, number)))
}

async fn check(stand: &Stand, settings: &[(&str, &str)]) -> Ended {
    let check = Program::new(&["check", "--config", "stand.toml"]);
    let check = check.with_file("stand.toml", &stand.configuration());
    settings.iter().fold(check, |it, (key, value)| it.with(key, value)).run().await
}

/// Waits until SNS has taken every message.
async fn all_come(sns: &FakeSns, said: &Conversations) {
    wait_for("all messages", async || {
        let enough = sns.counts().messages >= said.count() as u64;
        (enough && said.have_all_come(&sns.accepted())).then_some(())
    })
    .await;
}

/// Removes what the stand and the workers made, and fails if an event is left anywhere.
async fn leave_nothing(stand: Stand, partitions: u32) {
    for queue in all_partitions(&stand, partitions) {
        let deleted = stand.channel.queue_delete(queue.as_str().into(), <_>::default());
        assert_eq!(deleted.await.unwrap(), 0, "messages were left in {queue}");
    }
    stand.delete(&marker_of(&stand)).await;
    stand.delete_exchange(&hash_exchange_of(&stand, partitions)).await;
    stand.leave_nothing().await;
}

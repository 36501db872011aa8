//! A source that had no partitions before: what is left from then, and workers that are still configured as then.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;

use super::{
    Crew, FEW, FEW_PARTITIONS, KEYS, PER_KEY, all_come, hash_exchange_of, leave_nothing, messages,
    recording_sns,
};
use crate::fake_sns::{FakeSns, RequestFault};
use crate::order::conversations::{Conversations, routed_event_of};
use crate::order::worker_on;
use crate::support::{Stand, Worker, binary, on_both_brokers, wait_for};

const EACH: usize = 20;

/// From so many of `EACH` on, messages come when there are partitions.
const LATER: usize = 12;

/// A worker of this version without partitions does as one of the version before, which knows of none.
const FORMER: [(&str, &str); 1] = [("AMQP__SOURCES__EVENTS__ON_ORDER_LOST", "warn")];

fn slow_sns() -> FakeSns {
    let sns = recording_sns();
    sns.set_latency(Duration::from_millis(100));
    sns
}

/// One that may never consume.
fn worker_spawned(stand: &Stand, sns: &FakeSns, further: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let settings = [&[PER_KEY, ("SNS__SNS_HOST", &*url)], further].concat();
    Worker::spawn(stand, binary(), &settings)
}

on_both_brokers! {
    async fn what_waits_from_before_the_partitions_comes_first(stand: Stand) {
        let sns = slow_sns();
        Worker::create_queue(&stand, &[PER_KEY]).await;
        stand.publish_all(messages(0..LATER)).await;
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        // Both at once, and each of them finds that there were no partitions before.
        crew.grow(2).await;
        stand.publish_all(messages(LATER..EACH)).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, EACH)).await;
        leave_nothing(stand, FEW).await;
    }

    async fn a_first_start_is_taken_back_as_long_as_nothing_waits_in_the_partitions(stand: Stand) {
        let sns = slow_sns();
        Worker::create_queue(&stand, &[PER_KEY]).await;
        stand.publish_all(messages(0..LATER)).await;
        sns.fail_requests(|_| Some(RequestFault::INVALID_TOKEN));
        let begin = async || {
            let divided = worker_spawned(&stand, &sns, &[FEW_PARTITIONS]);
            divided.logged("partitions_begin").await;
            divided.stop().await;
        };
        begin().await;
        let worker = worker_spawned(&stand, &sns, &[]);
        worker.logged("consuming").await;
        assert!(!stand.has_exchange(&hash_exchange_of(&stand, FEW)).await, "events are copied");
        worker.stop().await;
        begin().await;
        stand.publish_all(messages(LATER..EACH)).await;
        let worker = worker_spawned(&stand, &sns, &[]);
        let refused = worker.logged("not_consuming").await["error"].to_string();
        assert!(refused.contains("what waits in them would stay there"), "{refused}");
        worker.stop().await;
        let by = ("AMQP__SOURCES__EVENTS__PARTITION_BY", "conversation");
        let worker = worker_spawned(&stand, &sns, &[FEW_PARTITIONS, by]);
        let refused = worker.logged("not_consuming").await["error"].to_string();
        assert!(refused.contains("by another key"), "{refused}");
        worker.stop().await;
        sns.heal();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.grow(1).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, EACH)).await;
        // A worker without partitions makes dead letters of the last messages before them.
        stand.channel.queue_purge(stand.dead_letter_queue().into(), <_>::default()).await.unwrap();
        leave_nothing(stand, FEW).await;
    }

    async fn a_last_message_that_somebody_else_takes_is_put_again(stand: Stand) {
        Worker::create_queue(&stand, &[PER_KEY]).await;
        let thief = stand.another_channel().await;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let none = FieldTable::default();
        let stealing = thief.basic_consume(stand.queue().into(), "former".into(), options, none);
        let mut stolen = stealing.await.unwrap();
        let settings = [FEW_PARTITIONS, PER_KEY];
        let worker = Worker::spawn(&stand, binary(), &settings);
        // The worker of a former version is the active consumer, and then ends.
        let last = stolen.next().await.unwrap().unwrap();
        assert!(last.properties.kind().is_some());
        thief.close(200, "bye".into()).await.unwrap();
        worker.logged("consuming").await;
        stand.publish(routed_event_of(0, 0)).await;
        stand.receive("pm", 1).await;
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    async fn what_comes_to_the_queue_that_was_is_published_too(stand: Stand) {
        let sns = slow_sns();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.grow(2).await;
        // By the default exchange, as a replay comes.
        for event in messages(0..1) {
            stand.publish_to("", event.routed(&stand.queue())).await;
        }
        crew.ends_in_order(&Conversations::in_turn(KEYS, 1)).await;
        leave_nothing(stand, FEW).await;
    }

    async fn a_worker_without_partitions_beside_them_loses_nothing_and_is_told_of(stand: Stand) {
        let sns = slow_sns();
        let mut crew = Crew::new(&stand, &sns, "4", &[("AMQP__SOURCES__EVENTS__ON_ORDER_LOST", "warn")]);
        crew.grow(2).await;
        stand.publish_all(messages(0..1)).await;
        let former = worker_on(&stand, &sns, &FORMER).await;
        stand.publish_all(messages(1..LATER)).await;
        let told = async || crew.workers.iter().find_map(|it| it.find("partitions_bypassed"));
        let line = wait_for("a worker that tells", told).await;
        assert_eq!((line["level"].as_str(), line["source"].as_str()), (Some("WARN"), Some("events")), "{line}");
        former.stop().await;
        stand.publish_all(messages(LATER..EACH)).await;
        // Order can't be kept meanwhile.
        let said = Conversations::in_turn(KEYS, EACH);
        all_come(&sns, &said).await;
        // And what came past the partitions, a second time.
        stand.has_ready(&stand.queue(), 0).await;
        for worker in std::mem::take(&mut crew.workers) {
            assert_eq!(worker.stop().await.totals().dead_lettered, 0);
        }
        drop(crew);
        leave_nothing(stand, FEW).await;
    }

    async fn a_worker_without_partitions_beside_them_stops_those_that_are_to_stop(stand: Stand) {
        let sns = slow_sns();
        let mut crew = Crew::new(&stand, &sns, "4", &[("AMQP__SOURCES__EVENTS__ON_ORDER_LOST", "stop")]);
        crew.grow(1).await;
        let former = worker_on(&stand, &sns, &FORMER).await;
        stand.publish_all(messages(0..LATER)).await;
        crew.workers[0].logged("partitions_bypassed").await;
        let stopped = crew.workers[0].logged("not_consuming").await["error"].to_string();
        assert!(stopped.contains("past their partitions"), "{stopped}");
        former.stop().await;
        stand.publish_all(messages(LATER..EACH)).await;
        let said = Conversations::in_turn(KEYS, EACH);
        all_come(&sns, &said).await;
        // And what came past the partitions, a second time.
        stand.has_ready(&stand.queue(), 0).await;
        for worker in std::mem::take(&mut crew.workers) {
            assert_eq!(worker.stop().await.totals().dead_lettered, 0);
        }
        drop(crew);
        leave_nothing(stand, FEW).await;
    }
}

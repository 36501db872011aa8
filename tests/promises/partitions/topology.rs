//! What a source with partitions has at the broker, and which event goes where.

use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::json;

use super::{
    Crew, FEW, FEW_PARTITIONS, KEYS, PER_KEY, all_partitions, check, hash_exchange_of,
    leave_nothing, marker_of, messages, while_events_flow,
};
use crate::fake_sns::FakeSns;
use crate::order::conversations::Conversations;
use crate::support::{Admin, Event, Stand, Worker, on_both_brokers, quorum, wait_for};

const EVENTS: u32 = 40;

const FIFO: [(&str, &str); 3] = [
    ("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm.fifo"),
    ("SNS__MUC_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:muc.fifo"),
    ("SNS__ORDERING", "none"),
];

/// How many events are in each partition.
async fn filled(stand: &Stand) -> Vec<u32> {
    let mut filled = Vec::new();
    for queue in all_partitions(stand, FEW) {
        filled.push(stand.ready(&queue).await);
    }
    filled
}

/// Chats of one conversation, which the producer has routed in many ways.
fn one_conversation() -> impl Iterator<Item = Event> {
    (0..EVENTS).map(|number| {
        Event::chat("ann@h", "bob@h", &number.to_string()).routed(&format!("key.{number}"))
    })
}

fn with_header(event: Event, name: &str) -> Event {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), AMQPValue::LongString("ann and bob".into()));
    Event { properties: event.properties.with_headers(headers), ..event }
}

fn with_correlation_id(event: Event) -> Event {
    let id = ShortString::from("ann and bob");
    Event { properties: event.properties.with_correlation_id(id), ..event }
}

/// All events are in one partition, and are published from there in their order.
async fn are_together(stand: Stand, by: &str, events: impl Iterator<Item = Event>) {
    let key = ("AMQP__SOURCES__EVENTS__PARTITION_BY", by);
    let settings = [FEW_PARTITIONS, PER_KEY, key];
    Worker::create_queue(&stand, &settings).await;
    stand.publish_all(events).await;
    let mut filled = filled(&stand).await;
    filled.sort_unstable();
    assert_eq!(filled, [0, 0, 0, EVENTS], "{by}");
    let worker = Worker::start_with(&stand, &settings).await;
    stand.receive("pm", EVENTS as usize).await;
    worker.stop().await;
    leave_nothing(stand, FEW).await;
}

on_both_brokers! {
    async fn events_are_divided_by_routing_key_and_none_goes_to_the_queue_that_was(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY];
        Worker::create_queue(&stand, &settings).await;
        assert!(stand.has_exchange(&hash_exchange_of(&stand, FEW)).await);
        stand.publish_all(one_conversation()).await;
        assert_eq!(stand.ready(&stand.queue()).await, 0);
        let filled = filled(&stand).await;
        assert_eq!(filled.iter().sum::<u32>(), EVENTS, "{filled:?}");
        assert!(filled.iter().all(|it| *it > 0), "{filled:?}");
        let worker = Worker::start_with(&stand, &settings).await;
        stand.receive("pm", EVENTS as usize).await;
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    async fn events_with_the_same_header_are_in_one_partition_however_they_are_routed(stand: Stand) {
        let events = one_conversation().map(|it| with_header(it, "conversation"));
        are_together(stand, "header:conversation", events).await;
    }

    async fn events_with_the_same_correlation_id_are_in_one_partition_too(stand: Stand) {
        are_together(stand, "property:correlation_id", one_conversation().map(with_correlation_id)).await;
    }

    async fn a_queue_that_every_worker_consumes_counts_them_and_knows_the_number_of_partitions(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY];
        let mut workers = vec![Worker::start_with(&stand, &settings).await];
        let marker = marker_of(&stand);
        for count in 1..=3 {
            let counted = async || (stand.consumers(&marker).await == count).then_some(());
            wait_for(&format!("{count} consumers"), counted).await;
            workers.push(Worker::start_with(&stand, &settings).await);
        }
        let mut arguments = quorum();
        let text = |it: &str| AMQPValue::LongString(it.into());
        arguments.insert("x-dead-letter-exchange".into(), text(&stand.dead_letter_queue()));
        arguments.insert("x-dead-letter-routing-key".into(), text("routing-key"));
        for (length, accepted) in [(i64::from(FEW), true), (i64::from(FEW) + 1, false)] {
            arguments.insert("x-max-length".into(), length.into());
            let refusal = stand.redeclare_queue(&marker, &arguments).await;
            assert_eq!(refusal.is_none(), accepted, "{refusal:?}");
        }
        for worker in workers {
            worker.stop().await;
        }
        leave_nothing(stand, FEW).await;
    }

    async fn every_worker_consumes_and_is_ready_and_check_finds_all_well(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.grow(2).await;
        let said = while_events_flow(&stand, 0, crew.settles()).await;
        for worker in &crew.workers {
            let (status, body) = Admin::of(worker).await.ready().await;
            assert_eq!((status, &body["sources"][0]["state"]), (200, &json!("consuming")), "{body}");
        }
        let checked = check(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        checked.line(&hash_exchange_of(&stand, FEW));
        crew.ends_in_order(&said).await;
        leave_nothing(stand, FEW).await;
    }

    async fn fifo_topics_are_order_enough_for_partitions(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let mut crew = Crew::new(&stand, &sns, "4", &FIFO);
        crew.grow(2).await;
        stand.publish_all(messages(0..5)).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, 5)).await;
        assert!(sns.accepted().iter().all(|it| it.group.is_some()));
        leave_nothing(stand, FEW).await;
    }

    async fn check_makes_nothing_of_what_run_will_declare(stand: Stand) {
        let checked = check(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        for queue in all_partitions(&stand, FEW).iter().chain([&marker_of(&stand)]) {
            assert!(!stand.has_queue(queue).await, "check created queue {queue}");
        }
        assert!(!stand.has_exchange(&hash_exchange_of(&stand, FEW)).await);
    }
}

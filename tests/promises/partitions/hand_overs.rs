//! What is handed over again and again is no poison, and what kills its workers is.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use std::time::Duration;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{FEW, FEW_PARTITIONS, PER_KEY, all_partitions, leave_nothing};
use crate::order::conversations::routed_event_of;
use crate::support::{Event, Stand, Worker, header, on_both_brokers, wait_for};

/// Five times the delivery limit.
const HAND_OVERS: usize = 100;

/// The partition that an event is in.
async fn partition_with_event(stand: &Stand) -> String {
    wait_for("an event in a partition", async || {
        for queue in all_partitions(stand, FEW) {
            if stand.ready(&queue).await == 1 {
                return Some(queue);
            }
        }
        None
    })
    .await
}

/// Takes what is there, and goes as a worker does that gives a partition to another one. Returns the first of it.
async fn take_and_go(stand: &Stand, queue: &str) -> Delivery {
    let channel = stand.another_channel().await;
    channel.basic_qos(10, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let mut consumer = consuming.await.unwrap();
    let first = consumer.next().await.unwrap().unwrap();
    channel.close(200, "handed over".into()).await.unwrap();
    first
}

/// Where workers write down what they do with an event of which others may have died.
fn suspects_of(stand: &Stand) -> String {
    format!("{}.suspects", stand.queue())
}

/// As docs/partitions.md says.
async fn declare_suspects(stand: &Stand) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(1_000_000_000));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1000));
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(86_400_000));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = stand.channel.queue_declare(suspects_of(stand).into(), options, arguments);
    declared.await.unwrap();
}

/// What a worker writes before it begins this event.
fn begun(queue: &str, event: &Delivery) -> String {
    let id = event.properties.message_id().as_ref().map(ShortString::as_str);
    let mut hash = Sha256::new();
    let (key, id_or_none) = (event.routing_key.as_str(), id.unwrap_or_default());
    for part in [queue.as_bytes(), key.as_bytes(), id_or_none.as_bytes(), &event.data] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update([u8::from(id.is_some())]);
    let digits: Vec<_> = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("begun {}", digits.concat())
}

/// Says three times that an event is begun, as this user of the broker if there is one.
async fn accuse(stand: &Stand, queue: &str, event: &Delivery, user: Option<&str>) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let properties = match user {
        Some(user) => properties.with_user_id(user.into()),
        None => properties,
    };
    let (to, body) = (suspects_of(stand), begun(queue, event));
    for _ in 0..3 {
        let (key, properties) = (to.as_str().into(), properties.clone());
        let sent = stand.channel.basic_publish(
            "".into(),
            key,
            <_>::default(),
            body.as_bytes(),
            properties,
        );
        sent.await.unwrap().await.unwrap();
    }
}

on_both_brokers! {
    async fn an_event_survives_a_hundred_hand_overs(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY];
        Worker::create_queue(&stand, &settings).await;
        stand.publish(routed_event_of(0, 0)).await;
        let queue = partition_with_event(&stand).await;
        for _ in 0..HAND_OVERS {
            take_and_go(&stand, &queue).await;
        }
        stand.has_ready(&queue, 1).await;
        let worker = Worker::start_with(&stand, &settings).await;
        stand.receive("pm", 1).await;
        assert!(stand.dead_letter_now().await.is_none());
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    async fn an_event_that_kills_its_worker_ends_with_the_dead_letters(stand: Stand) {
        const DEATHS: usize = 12;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let settings = [
            FEW_PARTITIONS,
            PER_KEY,
            ("SNS__SNS_HOST", &*url),
            ("SNS__ATTEMPT_TIMEOUT_MS", "60000"),
            ("AMQP__DELIVERY_LIMIT", "2"),
        ];
        let mut worker = Worker::start_with(&stand, &settings).await;
        let event: Event = routed_event_of(0, 0).identified("killer");
        stand.publish(event.clone()).await;
        let mut deaths = 0;
        let letter = loop {
            tokio::select! {
                // An accepted request is the event in flight, which it stays: nobody answers.
                request = silent.accept() => {
                    worker.crash().await;
                    drop(request);
                    deaths += 1;
                    assert!(deaths <= DEATHS, "it has killed {deaths} workers");
                    worker = Worker::start_with(&stand, &settings).await;
                }
                mut letter = stand.take_dead_letters(1) => break letter.remove(0),
            }
        };
        println!("dead after {deaths} deaths");
        assert!(deaths > 2, "dead after {deaths} deaths");
        assert_eq!(letter.data, event.payload);
        assert_eq!(letter.properties.message_id(), event.properties.message_id());
        println!("{:?}", header(&letter, "event-pusher-reason"));
        worker.stop().await;
        stand.delete(&suspects_of(&stand)).await;
        leave_nothing(stand, FEW).await;
    }

    async fn an_event_that_is_handed_back_in_order_is_no_poison_however_often(stand: Stand) {
        const TIMES: usize = 6;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let limit = ("AMQP__DELIVERY_LIMIT", "1");
        let settings = [
            FEW_PARTITIONS,
            PER_KEY,
            limit,
            ("SNS__SNS_HOST", &*url),
            ("SNS__ATTEMPT_TIMEOUT_MS", "60000"),
            ("SHUTDOWN__GRACE_MS", "100"),
        ];
        Worker::create_queue(&stand, &settings).await;
        stand.publish(routed_event_of(0, 0)).await;
        let queue = partition_with_event(&stand).await;
        for time in 0..TIMES {
            let worker = Worker::start_with(&stand, &settings).await;
            // Nobody answers.
            let request = silent.accept().await.unwrap();
            if time > 0 {
                worker.logged("suspect_begun").await;
            }
            worker.stop().await;
            drop(request);
            stand.has_ready(&queue, 1).await;
        }
        let worker = Worker::start_with(&stand, &[FEW_PARTITIONS, PER_KEY, limit]).await;
        stand.receive("pm", 1).await;
        assert!(stand.dead_letter_now().await.is_none());
        worker.stop().await;
        stand.delete(&suspects_of(&stand)).await;
        leave_nothing(stand, FEW).await;
    }

    async fn others_of_its_partition_follow_an_event_that_its_worker_lives_with(stand: Stand) {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let limit = ("AMQP__DELIVERY_LIMIT", "1");
        let timeouts = ("SNS__ATTEMPT_TIMEOUT_MS", "60000");
        let settings = [FEW_PARTITIONS, PER_KEY, limit, ("SNS__SNS_HOST", &*url), timeouts];
        Worker::create_queue(&stand, &settings).await;
        stand.publish(routed_event_of(0, 0)).await;
        let queue = partition_with_event(&stand).await;
        take_and_go(&stand, &queue).await;
        // Of another conversation, and in the same partition.
        stand.publish(routed_event_of(2, 0).routed("conversation-0")).await;
        stand.has_ready(&queue, 2).await;
        let worker = Worker::start_with(&stand, &settings).await;
        let _first = silent.accept().await.unwrap();
        let second = timeout(Duration::from_secs(7), silent.accept()).await;
        assert!(second.is_err(), "the first one is not alone");
        let _second = timeout(Duration::from_secs(10), silent.accept()).await.unwrap().unwrap();
        worker.crash().await;
        stand.has_ready(&queue, 2).await;
        let worker = Worker::start_with(&stand, &[FEW_PARTITIONS, PER_KEY, limit]).await;
        stand.receive("pm", 2).await;
        assert!(stand.dead_letter_now().await.is_none());
        worker.stop().await;
        stand.delete(&suspects_of(&stand)).await;
        leave_nothing(stand, FEW).await;
    }

    async fn without_the_queue_for_suspects_events_flow_and_the_log_says_so(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY, ("AMQP__DELIVERY_LIMIT", "1")];
        Worker::create_queue(&stand, &settings).await;
        // Somebody else's.
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let suspects = suspects_of(&stand);
        let other = stand.channel.queue_declare(suspects.as_str().into(), options, <_>::default());
        other.await.unwrap();
        stand.publish(routed_event_of(0, 0)).await;
        let queue = partition_with_event(&stand).await;
        take_and_go(&stand, &queue).await;
        stand.has_ready(&queue, 1).await;
        let worker = Worker::start_with(&stand, &settings).await;
        stand.receive("pm", 1).await;
        println!("{}", worker.logged("suspects_unknown").await);
        worker.stop().await;
        stand.delete(&suspects).await;
        leave_nothing(stand, FEW).await;
    }

    async fn who_is_no_worker_condemns_no_event(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY, ("AMQP__DELIVERY_LIMIT", "1")];
        Worker::create_queue(&stand, &settings).await;
        declare_suspects(&stand).await;
        for (number, user) in [(0, None), (1, Some("guest"))] {
            stand.publish(routed_event_of(0, number)).await;
            let queue = partition_with_event(&stand).await;
            let event = take_and_go(&stand, &queue).await;
            stand.has_ready(&queue, 1).await;
            accuse(&stand, &queue, &event, user).await;
            let worker = Worker::start_with(&stand, &settings).await;
            if user.is_none() {
                worker.logged("suspect_begun").await;
                stand.receive("pm", 1).await;
                assert!(stand.dead_letter_now().await.is_none());
            } else {
                // The workers' own user.
                let letter = stand.take_dead_letters(1).await.remove(0);
                assert_eq!(letter.data, event.data);
            }
            worker.stop().await;
        }
        stand.delete(&suspects_of(&stand)).await;
        leave_nothing(stand, FEW).await;
    }
}

//! FIFO topics: on the emulator, read back as subscribers get it, and on the fake in a storm.

use std::collections::{BTreeMap, BTreeSet};

use super::conversations::{Conversations, number_of};
use super::storm::Storm;
use super::{EACH, KEYS, all_was_published, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Event, FifoTopic, Stand, Worker};

/// Messages of each conversation on the emulator.
const SAID: usize = 25;

/// Conversations of three pairs, both sides speaking, one message after the other.
fn conversations() -> Vec<Event> {
    let pairs = [("ann@h", "bob@h"), ("ann@h", "cem@h"), ("bob@h", "cem@h")];
    let said = (0..SAID).flat_map(|number| {
        pairs.map(|(one, other)| {
            let (from, to) = if number % 2 == 0 { (one, other) } else { (other, one) };
            let event = Event::chat(from, to, &number.to_string());
            event.identified(&format!("{one}-{other}-{number}"))
        })
    });
    said.collect()
}

fn number_in(body: &str) -> usize {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["message"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_fifo_topic_gets_every_conversation_in_order_in_a_group_of_its_own() {
    let stand = Stand::new("fifo").await;
    let topic = FifoTopic::create(&stand).await;
    let worker = Worker::start_with(&stand, &[("SNS__PM_MESSAGES_TOPIC", &topic.arn)]).await;
    stand.publish_all(conversations()).await;
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (group, body) in topic.receive(3 * SAID).await {
        groups.entry(group).or_default().push(number_in(&body));
    }
    let names: Vec<_> = groups.keys().map(String::as_str).collect();
    assert_eq!(names, ["chat/ann@h,bob@h", "chat/ann@h,cem@h", "chat/bob@h,cem@h"]);
    for (group, numbers) in groups {
        assert!(numbers.into_iter().eq(0..SAID), "{group} is out of order");
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_fifo_topic_drops_no_message_that_only_says_the_same() {
    let stand = Stand::new("fifo-same").await;
    let topic = FifoTopic::create(&stand).await;
    let worker = Worker::start_with(&stand, &[("SNS__PM_MESSAGES_TOPIC", &topic.arn)]).await;
    for id in ["first", "second"] {
        stand.publish(Event::chat("ann@h", "bob@h", "ok").identified(id)).await;
    }
    assert_eq!(topic.receive(2).await.len(), 2);
    worker.stop().await;
    stand.leave_nothing().await;
}

const FIFO: [(&str, &str); 3] = [
    ("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm.fifo"),
    ("SNS__MUC_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:muc.fifo"),
    // It makes no difference: a FIFO topic is nothing without order.
    ("SNS__ORDERING", "none"),
];

/// The producer's id in the event for one, in the message's properties for another, and none
/// for a third.
fn identified(index: usize, event: Event) -> Event {
    match index % 3 {
        0 => {
            let mut json: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
            json["id"] = format!("event-{index}").into();
            Event { payload: json.to_string().into_bytes(), ..event }.identified("not this one")
        }
        1 => event.identified(&format!("message-{index}")),
        _ => event,
    }
}

fn is_id_of(dedup_id: &str, index: usize) -> bool {
    match index % 3 {
        0 => dedup_id == format!("event-{index}"),
        1 => dedup_id == format!("message-{index}"),
        _ => dedup_id.len() == 64 && dedup_id.bytes().all(|byte| byte.is_ascii_hexdigit()),
    }
}

#[tokio::test]
async fn a_fifo_topic_keeps_order_in_a_storm_and_a_message_has_the_same_ids_each_time_it_comes() {
    let (stand, sns) = (Stand::new("order-fifo").await, FakeSns::start());
    sns.record();
    let storm = Storm::begin(&sns);
    let said = Conversations::new(KEYS, EACH, storm.seed);
    let worker = worker_on(&stand, &sns, &FIFO).await;
    let events = said.events().enumerate().map(|(index, event)| identified(index, event));
    stand.publish_all(events).await;
    worker.settles(said.count()).await;
    let accepted = sns.accepted();
    said.came_in_order(&accepted);
    assert!(said.some_overtook(&accepted), "in the order of delivery, as if there were one key");
    let mut ids = BTreeSet::new();
    for message in &accepted {
        let (index, (key, _)) = (said.index_of(message), number_of(message));
        let group = if key % 2 == 0 {
            format!("chat/a{key}@localhost,b{key}@localhost")
        } else {
            format!("room/r{key}@conference.localhost")
        };
        assert_eq!(message.group.as_deref(), Some(&*group));
        let id = message.dedup_id.as_deref().unwrap();
        assert!(is_id_of(id, index), "event {index} has the id {id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), said.count(), "a FIFO topic drops what has an id that was there before");
    all_was_published(stand, worker, said.count()).await;
}

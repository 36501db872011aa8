//! Order, where it is asked for.

use std::collections::BTreeMap;

use crate::support::{Event, FifoTopic, Stand, Worker};

const EACH: usize = 25;

/// Conversations of three pairs, both sides speaking, one message after the other.
fn conversations() -> Vec<Event> {
    let pairs = [("ann@h", "bob@h"), ("ann@h", "cem@h"), ("bob@h", "cem@h")];
    let said = (0..EACH).flat_map(|number| {
        pairs.map(|(one, other)| {
            let (from, to) = if number % 2 == 0 { (one, other) } else { (other, one) };
            let event = Event::chat(from, to, &number.to_string());
            event.identified(&format!("{one}-{other}-{number}"))
        })
    });
    said.collect()
}

fn number(body: &str) -> usize {
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
    for (group, body) in topic.receive(3 * EACH).await {
        groups.entry(group).or_default().push(number(&body));
    }
    let names: Vec<_> = groups.keys().map(String::as_str).collect();
    assert_eq!(names, ["chat/ann@h,bob@h", "chat/ann@h,cem@h", "chat/bob@h,cem@h"]);
    for (group, numbers) in groups {
        assert!(numbers.into_iter().eq(0..EACH), "{group} is out of order");
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

//! [`Publish`]: topics in memory, and SNS.

use std::collections::BTreeSet;

use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::outcome::{MessageId, Scope};
use event_pusher_sns::plugin::{AttributeValue, Attributes};
use event_pusher_sns::publish::{MemoryTopics, Publish};
use event_pusher_sns::route::Notification;
use event_pusher_sns::sns::Sns;

use super::configuration;
use crate::support::Stand;

/// A place to publish to, and a look at what arrived there.
trait Place {
    type Publish: Publish;
    fn publish(&self) -> &Self::Publish;
    fn topic(&self) -> TopicArn;
    /// Bodies, each with a text and a number among its attributes.
    async fn arrived(&self, count: usize) -> Vec<(String, Option<(String, String)>)>;
}

impl Place for MemoryTopics {
    type Publish = Self;

    fn publish(&self) -> &Self {
        self
    }

    fn topic(&self) -> TopicArn {
        TopicArn::build("us-east-1", "123456789012", "pm").unwrap()
    }

    async fn arrived(&self, count: usize) -> Vec<(String, Option<(String, String)>)> {
        let published = self.published();
        assert_eq!(published.len(), count);
        let text = |it: &Notification, name| {
            it.attributes.iter().find(|(found, _)| *found == name).map(|(_, value)| match value {
                AttributeValue::String(text) | AttributeValue::Number(text) => text.clone(),
                AttributeValue::Binary(_) => panic!("{name} is no text"),
            })
        };
        let both = |it: &Notification| Some((text(it, "text")?, text(it, "number")?));
        published.iter().map(|it| (it.body.clone(), both(it))).collect()
    }
}

struct Emulator {
    stand: Stand,
    sns: Sns,
}

impl Emulator {
    async fn new() -> Self {
        let stand = Stand::new("port").await;
        let config = configuration(&stand);
        let topics = config.topics().map(|(_, topic)| topic.clone()).collect::<Vec<_>>();
        Self { sns: Sns::new(&config.sns, topics).await, stand }
    }
}

impl Place for Emulator {
    type Publish = Sns;

    fn publish(&self) -> &Sns {
        &self.sns
    }

    fn topic(&self) -> TopicArn {
        configuration(&self.stand).sns.routing.pm_messages_topic.unwrap()
    }

    async fn arrived(&self, count: usize) -> Vec<(String, Option<(String, String)>)> {
        let received = self.stand.receive("pm", count).await;
        let read = received.into_iter().map(|it| {
            let value =
                |name| it.attributes.get(name).map(|(_, value): &(_, String)| value.clone());
            let both = value("text").zip(value("number"));
            (it.body, both)
        });
        read.collect()
    }
}

fn notification(topic: TopicArn, body: &str, attributes: Attributes) -> Notification {
    let body = body.to_owned();
    Notification { topic, body, attributes, order: None, group: None, dedup_id: None }
}

async fn publish(place: &impl Place, body: &str, attributes: Attributes) -> MessageId {
    place.publish().publish(&notification(place.topic(), body, attributes)).await.unwrap()
}

async fn ids_differ(place: impl Place) {
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        let id = publish(&place, "the same", Attributes::default()).await;
        assert!(!id.0.is_empty());
        ids.insert(id.0);
    }
    assert_eq!(ids.len(), 5);
    assert_eq!(place.arrived(5).await.len(), 5);
}

async fn bodies_arrive(place: impl Place) {
    let body = "{\"message\":\"ü 🦀 \\u0001 <&>\"}";
    publish(&place, body, Attributes::default()).await;
    assert_eq!(place.arrived(1).await, [(body.to_owned(), None)]);
}

async fn attributes_arrive(place: impl Place) {
    let mut attributes = Attributes::default();
    attributes.set("text", "ü & <b>");
    attributes.set("number", 42_i64);
    publish(&place, "{}", attributes).await;
    let expected = Some(("ü & <b>".to_owned(), "42".to_owned()));
    assert_eq!(place.arrived(1).await, [("{}".to_owned(), expected)]);
}

async fn a_batch_arrives(place: impl Place) {
    let bodies = ["a", "b", "c"];
    let batch = bodies.map(|body| notification(place.topic(), body, Attributes::default()));
    let answers = place.publish().publish_batch(&batch.each_ref()).await.unwrap();
    let ids: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().0).collect();
    assert_eq!(ids.len(), bodies.len());
    let arrived: Vec<_> = place.arrived(3).await.into_iter().map(|(body, _)| body).collect();
    assert_eq!(arrived, bodies);
}

macro_rules! conformance_of_publish {
    ($name:ident, $place:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn every_accepted_message_has_an_id_of_its_own() {
                ids_differ($place).await;
            }

            #[tokio::test]
            async fn a_body_arrives_as_it_was_given() {
                bodies_arrive($place).await;
            }

            #[tokio::test]
            async fn a_batch_is_answered_one_by_one_and_arrives_in_order() {
                a_batch_arrives($place).await;
            }

            #[tokio::test]
            async fn attributes_arrive_as_they_were_given() {
                attributes_arrive($place).await;
            }
        }
    };
}

conformance_of_publish!(memory_topics, MemoryTopics::default());
conformance_of_publish!(sns, Emulator::new().await);

#[tokio::test]
async fn a_missing_topic_is_the_routes_fault_and_not_the_messages() {
    let place = Emulator::new().await;
    let topic = TopicArn::build("us-east-1", "123456789012", "gone").unwrap();
    let lost = notification(topic.clone(), "{}", Attributes::default());
    assert_eq!(place.sns.publish(&lost).await.unwrap_err().scope, Scope::Route);
    assert_eq!(place.sns.publish_batch(&[&lost, &lost]).await.unwrap_err().scope, Scope::Route);
    assert_eq!(place.sns.find_topic(&topic).await.unwrap_err().scope, Scope::Route);
    place.sns.find_topic(&place.topic()).await.unwrap();
}

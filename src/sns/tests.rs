//! Our requests beside those of the SDK's own client: the same bytes.

use std::sync::{Arc, Mutex};

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use proptest::prelude::*;

use super::form;
use crate::arn::TopicArn;
use crate::plugin::{AttributeValue, Attributes};
use crate::route::{Notification, OrderKey};

fn topic() -> TopicArn {
    TopicArn::parse("arn:aws:sns:eu-west-1:123456789012:chat.fifo").unwrap()
}

/// Keeps the body of the request that the SDK would send, and answers nothing.
#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<String>>);

impl HttpClient for Captured {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Captured {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap().to_vec();
        *self.0.lock().unwrap() = String::from_utf8(body).unwrap();
        HttpConnectorFuture::ready(Err(ConnectorError::user("captured".into())))
    }
}

impl Captured {
    fn body(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

fn sdk() -> (Client, Captured) {
    let captured = Captured::default();
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(captured.clone())
        .build();
    (Client::from_conf(config), captured)
}

fn attribute(value: &AttributeValue) -> MessageAttributeValue {
    let builder = MessageAttributeValue::builder().data_type(value.data_type());
    let builder = match value {
        AttributeValue::String(text) | AttributeValue::Number(text) => builder.string_value(text),
        AttributeValue::Binary(bytes) => builder.binary_value(Blob::new(bytes.clone())),
    };
    builder.build().unwrap()
}

/// The SDK keeps attributes in a map without order, so there is one at most.
fn notification() -> impl Strategy<Value = Notification> {
    let value = prop_oneof![
        any::<String>().prop_map(AttributeValue::String),
        any::<i64>().prop_map(|it| AttributeValue::Number(it.to_string())),
        any::<Vec<u8>>().prop_map(AttributeValue::Binary),
    ];
    let attributes = prop::option::of((any::<String>(), value));
    let group = prop::option::of(any::<String>().prop_map(OrderKey::from));
    let dedup_id = prop::option::of(any::<String>());
    (any::<String>(), attributes, group, dedup_id).prop_map(
        |(body, attributes, group, dedup_id)| Notification {
            topic: topic(),
            body,
            attributes: attributes.into_iter().collect::<Attributes>(),
            order: None,
            group,
            dedup_id,
        },
    )
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_publish_is_the_sdks_own_to_the_byte(notification in notification()) {
        let (client, captured) = sdk();
        let mut request = client
            .publish()
            .topic_arn(notification.topic.as_str())
            .message(&notification.body)
            .set_message_group_id(notification.group.as_ref().map(|it| it.as_str().to_owned()))
            .set_message_deduplication_id(notification.dedup_id.clone());
        for (name, value) in notification.attributes.iter() {
            request = request.message_attributes(name, attribute(value));
        }
        // The answer that the captured request gets is of no interest.
        let _ = runtime().block_on(request.send());
        prop_assert_eq!(form::publish(&notification), captured.body());
    }

    #[test]
    fn a_batch_is_the_sdks_own_to_the_byte(batch in prop::collection::vec(notification(), 1..=10)) {
        let (client, captured) = sdk();
        let mut request = client.publish_batch().topic_arn(topic().as_str());
        for (id, notification) in batch.iter().enumerate() {
            let mut entry = PublishBatchRequestEntry::builder()
                .id(id.to_string())
                .message(&notification.body)
                .set_message_group_id(notification.group.as_ref().map(|it| it.as_str().to_owned()))
                .set_message_deduplication_id(notification.dedup_id.clone());
            for (name, value) in notification.attributes.iter() {
                entry = entry.message_attributes(name, attribute(value));
            }
            request = request.publish_batch_request_entries(entry.build().unwrap());
        }
        let _ = runtime().block_on(request.send());
        let ours = form::publish_batch(&topic(), &batch.iter().collect::<Vec<_>>());
        prop_assert_eq!(ours, captured.body());
    }
}

#[test]
fn the_question_for_a_topic_is_the_sdks_own() {
    let (client, captured) = sdk();
    let request = client.get_topic_attributes().topic_arn(topic().as_str());
    let _ = runtime().block_on(request.send());
    assert_eq!(form::get_topic_attributes(&topic()), captured.body());
}

//! The fake SNS, tried with the real SDK: what other tests and the benchmark trust it for.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

#[path = "fake_sns/mod.rs"]
mod fake;
#[path = "fake_sns/own/faults.rs"]
mod faults;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::{Duration, Instant};

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::operation::publish_batch::{PublishBatchError, PublishBatchOutput};
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use fake::{EntryFault, FakeSns, RequestFault, next, share};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:pm";

fn client(sns: &FakeSns) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5));
    patient_client(sns, &timeouts.build())
}

fn patient_client(sns: &FakeSns, timeouts: &TimeoutConfig) -> Client {
    Client::from_conf(
        aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.clone())
            .endpoint_url(sns.url())
            .build(),
    )
}

async fn publish(client: &Client, body: &str) -> Result<Option<String>, SdkError<PublishError>> {
    let answer = client.publish().topic_arn(TOPIC).message(body).send().await;
    answer.map(|answer| answer.message_id)
}

fn entry(id: impl Display, body: &str) -> PublishBatchRequestEntry {
    PublishBatchRequestEntry::builder().id(id.to_string()).message(body).build().unwrap()
}

async fn publish_batch(
    client: &Client,
    entries: impl IntoIterator<Item = PublishBatchRequestEntry>,
) -> Result<PublishBatchOutput, SdkError<PublishBatchError>> {
    let entries = Some(entries.into_iter().collect());
    let request = client.publish_batch().topic_arn(TOPIC);
    request.set_publish_batch_request_entries(entries).send().await
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

#[tokio::test]
async fn a_publish_is_recorded_as_it_was_meant() {
    let sns = FakeSns::start();
    sns.record();
    let body = "{\"message\": \"1 + 1 = 2 & 100 % ünïcode 🦀\\n\"}";
    let binary =
        MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new("abc"));
    let answer = client(&sns)
        .publish()
        .topic_arn(TOPIC)
        .message(body)
        .message_attributes("text", text("a=b"))
        .message_attributes("binary", binary.build().unwrap())
        .message_group_id("a@b")
        .message_deduplication_id("1")
        .send()
        .await
        .unwrap();
    assert!(answer.message_id().is_some());
    let [message] = &sns.accepted()[..] else { panic!("{:?}", sns.accepted()) };
    assert_eq!((&*message.topic, &*message.body), (TOPIC, body));
    assert_eq!((message.group.as_deref(), message.dedup_id.as_deref()), (Some("a@b"), Some("1")));
    assert_eq!(message.attributes["text"].value, "a=b");
    assert_eq!(message.attributes["binary"].data_type, "Binary");
    assert_eq!(message.attributes["binary"].value, "YWJj");
}

#[tokio::test]
async fn a_batch_is_accepted_in_order_and_counted() {
    let sns = FakeSns::start();
    sns.record();
    let client = client(&sns);
    for batch in ["a", "b"] {
        let entries = (0..10).map(|id| entry(id, &format!("{batch}{id}")));
        let answer = publish_batch(&client, entries).await.unwrap();
        let ids: Vec<_> = answer.successful().iter().filter_map(|it| it.id()).collect();
        assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert!(answer.failed().is_empty());
    }
    let accepted = sns.accepted();
    assert_eq!(accepted.len(), 20);
    assert_eq!((&*accepted[3].body, accepted[3].request), ("a3", 1));
    assert_eq!((&*accepted[19].body, accepted[19].request), ("b9", 2));
    let counts = sns.counts();
    assert_eq!((counts.connections, counts.requests, counts.messages), (1, 2, 20));
    assert_eq!((counts.in_flight, counts.most_in_flight), (0, 1));
}

#[tokio::test]
async fn message_ids_are_unique() {
    let sns = FakeSns::start();
    let client = client(&sns);
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let answer = publish_batch(&client, (0..10).map(|id| entry(id, "text"))).await.unwrap();
        ids.extend(answer.successful().iter().map(|it| it.message_id().unwrap().to_owned()));
        ids.extend(publish(&client, "text").await.unwrap());
    }
    assert_eq!(ids.len(), 33);
}

#[tokio::test]
async fn topics_are_there() {
    let sns = FakeSns::start();
    let answer = client(&sns).get_topic_attributes().topic_arn(TOPIC).send().await.unwrap();
    assert_eq!(answer.attributes().unwrap()["TopicArn"], TOPIC);
    assert_eq!(sns.counts().requests, 0, "only publishing counts");
}

#[tokio::test]
async fn latency_is_kept_and_requests_overlap() {
    // So long that the last of them comes before the first is answered.
    const LATENCY: Duration = Duration::from_secs(2);
    let sns = FakeSns::start();
    sns.set_latency(LATENCY);
    let client = client(&sns);
    let publishes = (0..8).map(|_| publish(&client, "text"));
    let began = Instant::now();
    for answer in futures_util::future::join_all(publishes).await {
        answer.unwrap();
    }
    assert!(began.elapsed() >= LATENCY, "{:?}", began.elapsed());
    assert_eq!(sns.counts().most_in_flight, 8);
}

#[tokio::test]
async fn the_real_limits_hold() {
    let sns = FakeSns::start();
    let client = client(&sns);
    let refused = async |entries: Vec<PublishBatchRequestEntry>| {
        let error = publish_batch(&client, entries).await.unwrap_err();
        assert_eq!(status(&error), Some(400));
        code(&error).unwrap().to_owned()
    };
    let half = "x".repeat(131_072);
    assert_eq!(refused(vec![]).await, "EmptyBatchRequest");
    let eleven = (0..11).map(|id| entry(id, "text")).collect();
    assert_eq!(refused(eleven).await, "TooManyEntriesInBatchRequest");
    assert_eq!(refused(vec![entry(1, "a"), entry(1, "b")]).await, "BatchEntryIdsNotDistinct");
    assert_eq!(refused(vec![entry("a.b", "a")]).await, "InvalidBatchEntryId");
    assert_eq!(refused(vec![entry("a".repeat(81), "a")]).await, "InvalidBatchEntryId");
    assert_eq!(
        refused(vec![entry(1, &half), entry(2, &half), entry(3, "x")]).await,
        "BatchRequestTooLong"
    );
    publish_batch(&client, [entry(1, &half), entry(2, &half)]).await.expect("just within");

    let whole = "ü".repeat(131_072);
    publish(&client, &whole).await.expect("just within, counted in bytes");
    let request = client.publish().topic_arn(TOPIC).message(&whole);
    let error = request.message_attributes("a", text("b")).send().await.unwrap_err();
    assert_eq!(code(&error), Some("InvalidParameter"), "attributes count");
    let error = publish(&client, "").await.unwrap_err();
    assert_eq!(code(&error), Some("InvalidParameter"));
    assert_eq!(sns.counts().messages, 3);
}

#[tokio::test]
async fn a_fifo_topic_asks_for_a_group() {
    let sns = FakeSns::start();
    let fifo = format!("{TOPIC}.fifo");
    let request = client(&sns).publish().topic_arn(&fifo).message("text");
    let error = request.clone().send().await.unwrap_err();
    assert_eq!(code(&error), Some("InvalidParameter"));
    request.message_group_id("a").message_deduplication_id("1").send().await.unwrap();
}

#[tokio::test]
async fn one_can_wait_for_counts_and_start_anew_on_the_same_port() {
    let sns = FakeSns::start();
    let client = client(&sns);
    let sending = async {
        for _ in 0..3 {
            publish(&client, "text").await.unwrap();
        }
    };
    let (counts, ()) = futures_util::join!(sns.until(|counts| counts.messages == 2), sending);
    assert_eq!(counts.messages, 2);
    sns.reset_counts();
    assert_eq!(sns.counts().messages, 0);

    let port = sns.port();
    drop(sns);
    publish(&client, "text").await.expect_err("nobody listens");
    let sns = FakeSns::start_on(port);
    publish(&client, "text").await.unwrap();
    assert_eq!(sns.counts().messages, 1);
}

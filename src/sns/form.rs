//! Requests in the form of the AWS Query protocol, as SNS's API reference describes them.
//!
//! The bytes are those that the SDK's own serializer writes; a test compares them.

use aws_smithy_types::base64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::arn::TopicArn;
use crate::plugin::AttributeValue;
use crate::route::Notification;

/// All but what RFC 3986 calls unreserved: what a signature needs escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a body grows by when it is escaped: a quarter of JSON is quotes, braces and colons.
const GROWTH: usize = 2;
const FIELD_NAMES: usize = 256;

/// A `Publish` of one notification.
pub(super) fn publish(notification: &Notification) -> String {
    let mut form = begin("Publish", &notification.topic, notification.size());
    message(&mut form, "", notification);
    form
}

/// A `PublishBatch` to the topic that all of `batch` have. An entry's id is its place.
pub(super) fn publish_batch(topic: &TopicArn, batch: &[&Notification]) -> String {
    let bytes = batch.iter().map(|it| it.size() + FIELD_NAMES).sum();
    let mut form = begin("PublishBatch", topic, bytes);
    for (id, notification) in batch.iter().enumerate() {
        let prefix = format!("PublishBatchRequestEntries.member.{}.", id + 1);
        field(&mut form, &prefix, "Id", &id.to_string());
        message(&mut form, &prefix, notification);
    }
    form
}

/// Asks for what is known of a topic.
pub(super) fn get_topic_attributes(topic: &TopicArn) -> String {
    begin("GetTopicAttributes", topic, 0)
}

fn begin(action: &str, topic: &TopicArn, bytes: usize) -> String {
    let mut form = String::with_capacity(bytes * GROWTH + FIELD_NAMES);
    form.push_str("Action=");
    form.push_str(action);
    form.push_str("&Version=2010-03-31");
    field(&mut form, "", "TopicArn", topic.as_str());
    form
}

fn message(form: &mut String, prefix: &str, notification: &Notification) {
    field(form, prefix, "Message", &notification.body);
    for (place, (name, value)) in notification.attributes.iter().enumerate() {
        let prefix = format!("{prefix}MessageAttributes.entry.{}.", place + 1);
        field(form, &prefix, "Name", name);
        field(form, &prefix, "Value.DataType", value.data_type());
        match value {
            AttributeValue::String(text) | AttributeValue::Number(text) => {
                field(form, &prefix, "Value.StringValue", text);
            }
            AttributeValue::Binary(bytes) => {
                field(form, &prefix, "Value.BinaryValue", &base64::encode(bytes));
            }
        }
    }
    if let Some(id) = &notification.dedup_id {
        field(form, prefix, "MessageDeduplicationId", id);
    }
    if let Some(group) = &notification.group {
        field(form, prefix, "MessageGroupId", group.as_str());
    }
}

fn field(form: &mut String, prefix: &str, name: &str, value: &str) {
    for part in ["&", prefix, name, "="] {
        form.push_str(part);
    }
    form.extend(utf8_percent_encode(value, RESERVED));
}

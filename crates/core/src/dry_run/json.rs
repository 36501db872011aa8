use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{DryRun, DryRunOutcome};
use crate::arn::TopicArn;
use crate::event::EventKind;
use crate::plugin::AttributeValue;
use crate::route::{Notification, OrderKey};

/// A dry run as JSON: what `try --json` and `dead-letters show --json` write, whose names
/// and meanings docs/try.md lists. What does not apply is left out.
#[derive(Debug, Default, Serialize)]
pub struct DryRunJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    outcome: &'static str,
    /// Parts of the payload were replaced to read it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    /// As it would be sent: the order of its keys included.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Attribute<'a> {
    #[serde(rename = "type")]
    data_type: &'static str,
    value: Value<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    /// Bytes, as base64.
    Encoded(String),
}

impl DryRun {
    /// All of it, with what users wrote.
    #[must_use]
    pub fn as_json(&self) -> DryRunJson<'_> {
        let (kind, mended) = (self.kind.map(EventKind::label), self.is_mended);
        let mut json = DryRunJson { kind, mended, ..DryRunJson::default() };
        match &self.outcome {
            DryRunOutcome::Publish(notification) => json.publish(notification),
            DryRunOutcome::Skip(reason) => {
                json.outcome = "skipped";
                json.reason = Some(reason.label());
            }
            DryRunOutcome::DeadLetter(letter) => {
                json.outcome = "dead_lettered";
                json.reason = Some(letter.reason.label());
                json.error = Some(&letter.error);
                json.topic = letter.topic.as_ref().map(TopicArn::as_str);
            }
        }
        json
    }
}

impl<'a> DryRunJson<'a> {
    fn publish(&mut self, notification: &'a Notification) {
        let Notification { topic, body, attributes, order, group, dedup_id } = notification;
        self.outcome = "published";
        self.topic = Some(topic.as_str());
        // A body is JSON, whoever made it.
        self.body = serde_json::from_str(body).ok();
        self.attributes = attributes.iter().map(|(name, it)| (name, it.into())).collect();
        self.bytes = Some(notification.size());
        self.order = order.as_ref().map(OrderKey::as_str);
        self.group = group.as_ref().map(OrderKey::as_str);
        self.dedup_id = dedup_id.as_deref();
    }

    /// Without body and attributes: they hold what users wrote.
    #[must_use]
    pub fn without_event_text(self) -> Self {
        Self { body: None, attributes: BTreeMap::new(), ..self }
    }
}

impl<'a> From<&'a AttributeValue> for Attribute<'a> {
    fn from(attribute: &'a AttributeValue) -> Self {
        let value = match attribute {
            AttributeValue::String(text) | AttributeValue::Number(text) => Value::Text(text),
            AttributeValue::Binary(bytes) => Value::Encoded(BASE64_STANDARD.encode(bytes)),
        };
        Self { data_type: attribute.data_type(), value }
    }
}

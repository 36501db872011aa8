//! One request to Amazon SNS, and what its answer means.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, StalledStreamProtectionConfig,
};
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish_batch::PublishBatchOutput;
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{BatchResultErrorEntry, MessageAttributeValue, PublishBatchRequestEntry};
use secrecy::ExposeSecret;

use super::Publish;
use super::classify::{one_line, scope_of, scope_of_entry};
use crate::arn::TopicArn;
use crate::config;
use crate::outcome::{Fault, MessageId, Scope};
use crate::plugin::AttributeValue;
use crate::route::Notification;

/// Amazon SNS, or whatever speaks its protocol at `sns_host`.
#[derive(Debug, Clone)]
pub struct Sns {
    /// One client for each region that a topic is in: an endpoint takes only its own region's ARNs.
    clients: BTreeMap<String, Client>,
}

impl Sns {
    /// Sets up the clients that `topics` need. Nothing is sent.
    pub async fn new(config: &config::Sns, topics: impl IntoIterator<Item = TopicArn>) -> Self {
        let base = base_config(config).await;
        let regions: BTreeSet<_> =
            topics.into_iter().map(|topic| topic.region().to_owned()).collect();
        let clients = regions
            .into_iter()
            .map(|region| {
                let regional = base.clone().region(Region::new(region.clone())).build();
                (region, Client::from_conf(regional))
            })
            .collect();
        Self { clients }
    }

    /// Asks SNS for the topic's attributes: it is there, and the credentials may see it.
    ///
    /// # Errors
    ///
    /// A [`Fault`] as for a publish.
    pub async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        let request = self.client(topic)?.get_topic_attributes().topic_arn(topic.as_str());
        request.send().await.map(drop).map_err(|error| fault_of(&error))
    }

    fn client(&self, topic: &TopicArn) -> Result<&Client, Fault> {
        self.clients.get(topic.region()).ok_or_else(|| Fault {
            scope: Scope::Route,
            code: "region".to_owned(),
            detail: format!("no client was set up for the region of {topic}"),
        })
    }
}

impl Publish for Sns {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        let mut request = self
            .client(&notification.topic)?
            .publish()
            .topic_arn(notification.topic.as_str())
            .message(&notification.body)
            .set_message_group_id(notification.group.as_ref().map(|key| key.as_str().to_owned()))
            .set_message_deduplication_id(notification.dedup_id.clone());
        for (name, value) in notification.attributes.iter() {
            request = request.message_attributes(name, attribute(value)?);
        }
        match request.send().await {
            Ok(answer) => id_of(answer.message_id),
            Err(error) => Err(fault_of(&error)),
        }
    }

    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let entries = batch.iter().enumerate().map(|(id, notification)| entry(id, notification));
        let request = self
            .client(&first.topic)?
            .publish_batch()
            .topic_arn(first.topic.as_str())
            .set_publish_batch_request_entries(Some(entries.collect::<Result<_, _>>()?));
        match request.send().await {
            Ok(answer) => Ok(answers_in_order(answer, batch.len())),
            Err(error) => Err(fault_of(&error)),
        }
    }
}

/// An entry's id is its place in the batch.
fn entry(id: usize, notification: &Notification) -> Result<PublishBatchRequestEntry, Fault> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(id.to_string())
        .message(&notification.body)
        .set_message_group_id(notification.group.as_ref().map(|key| key.as_str().to_owned()))
        .set_message_deduplication_id(notification.dedup_id.clone());
    for (name, value) in notification.attributes.iter() {
        entry = entry.message_attributes(name, attribute(value)?);
    }
    entry.build().map_err(|error| Fault {
        scope: Scope::Message,
        code: "request".to_owned(),
        detail: error.to_string(),
    })
}

/// HTTP 200 can carry failed entries. One that the answer does not name counts as not published.
fn answers_in_order(answer: PublishBatchOutput, entries: usize) -> Vec<Result<MessageId, Fault>> {
    let mut answers: Vec<Option<Result<MessageId, Fault>>> = vec![None; entries];
    let mut unknown = 0_usize;
    let mut put = |id: Option<&str>, answer| {
        let slot = id.and_then(|id| id.parse::<usize>().ok()).and_then(|id| answers.get_mut(id));
        match slot {
            Some(slot) => *slot = Some(answer),
            None => unknown += 1,
        }
    };
    for accepted in answer.successful.unwrap_or_default() {
        put(accepted.id.as_deref(), id_of(accepted.message_id));
    }
    for failed in answer.failed.unwrap_or_default() {
        put(Some(&failed.id), Err(fault_of_entry(&failed)));
    }
    let missing = answers.iter().filter(|answer| answer.is_none()).count();
    if unknown + missing > 0 {
        tracing::warn!(unknown, missing, "SNS's answer to a batch does not fit it; trying again");
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
}

/// Without an id nothing says that the message was accepted.
fn id_of(id: Option<String>) -> Result<MessageId, Fault> {
    id.filter(|id| !id.is_empty()).map(MessageId).ok_or_else(unanswered)
}

fn unanswered() -> Fault {
    Fault::unanswered("SNS's answer does not name the message")
}

fn fault_of_entry(failed: &BatchResultErrorEntry) -> Fault {
    let detail = failed.message.as_deref().unwrap_or_default();
    Fault {
        scope: scope_of_entry(&failed.code, failed.sender_fault, detail),
        code: failed.code.clone(),
        detail: one_line(detail),
    }
}

async fn base_config(config: &config::Sns) -> aws_sdk_sns::config::Builder {
    let shared = aws_config::defaults(BehaviorVersion::latest());
    let shared = match &config.credentials {
        Some(keys) => shared.credentials_provider(Credentials::new(
            keys.access_key_id.expose_secret(),
            keys.secret_access_key.expose_secret(),
            keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "configuration",
        )),
        None => shared,
    };
    // Region: set for each client. Without one here the SDK would ask the instance's metadata.
    let region = config.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let shared = shared.region(Region::new(region)).load().await;

    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.attempt_timeout)
        .operation_attempt_timeout(config.attempt_timeout)
        .operation_timeout(config.attempt_timeout)
        .build();
    let mut base = aws_sdk_sns::config::Builder::from(&shared)
        // publisher/retry.rs retries; two layers of retries would multiply.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // It watches long bodies; ours are short, and every attempt has its timeout.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Within the attempt's own time, so that slow credentials show as what they are.
        .identity_cache(
            IdentityCache::lazy().load_timeout(config.attempt_timeout.mul_f64(0.8)).build(),
        );
    if let Some(endpoint) = &config.endpoint {
        base = base.endpoint_url(endpoint.as_str());
    }
    base
}

fn attribute(value: &AttributeValue) -> Result<MessageAttributeValue, Fault> {
    let builder = MessageAttributeValue::builder().data_type(value.data_type());
    let builder = match value {
        AttributeValue::String(text) | AttributeValue::Number(text) => builder.string_value(text),
        AttributeValue::Binary(bytes) => builder.binary_value(Blob::new(bytes.clone())),
    };
    builder.build().map_err(|error| Fault {
        scope: Scope::Message,
        code: "attribute".to_owned(),
        detail: error.to_string(),
    })
}

fn fault_of<E>(error: &SdkError<E>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let ours = |scope, code: &str| Fault {
        scope,
        code: code.to_owned(),
        detail: one_line(&causes(error)),
    };
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let detail = answer.err().message().unwrap_or_default();
            Fault {
                scope: scope_of(code, status, detail),
                code: if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() },
                detail: one_line(detail),
            }
        }
        // Not its causes: those of a credential process are whatever that program wrote.
        _ if is_about_credentials(error) => Fault {
            scope: Scope::Service,
            code: "credentials".to_owned(),
            detail: "the credential chain gave none that can be used".to_owned(),
        },
        SdkError::TimeoutError(_) => ours(Scope::Transient, "timeout"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            ours(Scope::Transient, "timeout")
        }
        SdkError::DispatchFailure(_) => ours(Scope::Transient, "connection"),
        SdkError::ConstructionFailure(_) => ours(Scope::Message, "request"),
        // An answer that can't be read tells nothing about whether SNS took the message.
        _ => ours(Scope::Transient, "response"),
    }
}

/// What happened, and why, without the request and the answer that `Debug` would show.
fn causes<E: std::error::Error + 'static>(error: &SdkError<E>) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The credential chain's errors come wrapped in failures of the request.
fn is_about_credentials<E: std::error::Error + 'static>(error: &SdkError<E>) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        // The SDK does not name the type of its time-out.
        if inner.is::<CredentialsError>()
            || inner.to_string().contains("identity resolver timed out")
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

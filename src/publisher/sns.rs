//! One request to Amazon SNS, and what its answer means.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_sns::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::MessageAttributeValue;
use secrecy::ExposeSecret;

use super::Publish;
use super::classify::{one_line, scope_of};
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

/// A topic in a region for which no client was set up.
#[derive(Debug, thiserror::Error)]
#[error("no SNS client for the region of {0}")]
pub struct SnsSetupError(TopicArn);

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
            detail: SnsSetupError(topic.clone()).to_string(),
        })
    }
}

impl Publish for Sns {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        let mut request = self
            .client(&notification.topic)?
            .publish()
            .topic_arn(notification.topic.as_str())
            .message(&notification.body);
        for (name, value) in notification.attributes.iter() {
            request = request.message_attributes(name, attribute(value)?);
        }
        match request.send().await {
            Ok(answer) => Ok(MessageId(answer.message_id.unwrap_or_default())),
            Err(error) => Err(fault_of(&error)),
        }
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
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
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
        detail: one_line(&DisplayErrorContext(error).to_string()),
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
        _ if is_about_credentials(error) => ours(Scope::Service, "credentials"),
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

/// The credential chain's errors come wrapped in failures of the request.
fn is_about_credentials<E: std::error::Error + 'static>(error: &SdkError<E>) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<CredentialsError>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

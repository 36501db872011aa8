//! The service, its accesses, and where events go.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::operation::LONG_MS;
use super::read;
use crate::arn::TopicArn;
pub use crate::route::{Ordering, Routing};

/// The service, and how to publish to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Sns {
    /// For all XMPP domains that [`Config::hosts`](crate::config::Config::hosts) doesn't name.
    #[serde(flatten)]
    pub routing: Routing,
    /// Where topics are that are given by their names.
    #[serde(flatten)]
    pub account: Account,
    /// Where SNS is, and as whom it is used.
    #[serde(flatten)]
    pub access: Access,
    /// The same for hosts that differ, numbered from 1: a [`TopicArn`] knows by which it is reached.
    #[serde(skip)]
    pub host_accesses: Vec<Access>,
    #[schemars(range(min = 1, max = 1000), extend(
        "$comment" = "every request may have a connection of its own, and a process has 1,024 open files by default"
    ))]
    pub pool_size: u16,
    #[schemars(range(min = 0, max = 30), extend("$comment" = "the pauses double with each"))]
    pub publish_retry_count: u32,
    #[serde(rename = "publish_retry_time_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 0, max = LONG_MS), extend("$comment" = "0 retries at once"))]
    pub publish_retry_time: Duration,
    #[schemars(range(min = 1, max = 10), extend("$comment" = "SNS takes no more in one request"))]
    pub batch_max_entries: u8,
    #[serde(rename = "batch_linger_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 0, max = 10_000), extend("$comment" = "it delays every event in quiet hours"))]
    pub batch_linger: Duration,
    #[schemars(range(min = 1, max = 1_048_576), extend("$comment" = "SNS's own limit is 1 MiB"))]
    pub max_message_bytes: usize,
    #[serde(rename = "connect_timeout_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 1, max = LONG_MS), extend("$comment" = "without a limit it could hang"))]
    pub connect_timeout: Duration,
    #[serde(rename = "attempt_timeout_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 1, max = LONG_MS), extend("$comment" = "without a limit it could hang"))]
    pub attempt_timeout: Duration,
    pub ordering: Ordering,
    pub group_id: bool,
}

/// What the ARNs of topics have that are given by their names.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Account {
    /// The region; `None`: the SDK's own choice, which is possible only where every topic is an ARN.
    #[schemars(extend("format" = "region", "pattern" = "^[a-z0-9-]+$"))]
    pub region: Option<String>,
    #[schemars(extend("format" = "account-id", "pattern" = "^[0-9]{12}$"))]
    pub account_id: Option<String>,
}

/// Where SNS is, and as whom it is used.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Access {
    /// Another endpoint than the region's own, without user, query and fragment.
    #[serde(default, rename = "sns_host", deserialize_with = "read::url")]
    #[schemars(with = "Option<String>", extend("format" = "endpoint"))]
    pub endpoint: Option<Url>,
    /// Static credentials; `None`: the SDK's default chain.
    #[serde(flatten)]
    pub credentials: Option<StaticCredentials>,
}

impl Access {
    /// Whether requests by one may go by the other.
    pub(in crate::config) fn is_like(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.has_credentials_of(other)
    }

    /// Whether both sign requests alike.
    fn has_credentials_of(&self, other: &Self) -> bool {
        let exposed = |it: &Self| {
            let keys = it.credentials.clone()?;
            let keys = [Some(keys.access_key_id), Some(keys.secret_access_key), keys.session_token];
            Some(keys.map(|it| it.map(|it| it.expose_secret().to_owned())))
        };
        exposed(self) == exposed(other)
    }
}

impl Sns {
    /// The longest pauses between the attempts at one event: 2^k times the base before the k-th retry but one.
    #[must_use]
    pub fn longest_pauses(&self) -> Duration {
        (0..self.publish_retry_count)
            .map(|retry| self.publish_retry_time.saturating_mul(2_u32.saturating_pow(retry)))
            .fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The time in which an event has been published or given up, if nothing holds it.
    #[must_use]
    pub fn longest_publish(&self) -> Duration {
        let attempts = self.publish_retry_count.saturating_add(1);
        self.attempt_timeout.saturating_mul(attempts).saturating_add(self.longest_pauses())
    }

    /// The number of the credentials by which a topic is reached: that of the first access which has them.
    #[must_use]
    pub fn credentials_of(&self, topic: &TopicArn) -> usize {
        let own = self.access_to(topic);
        let mut accesses = std::iter::once(&self.access).chain(&self.host_accesses);
        accesses.position(|it| it.has_credentials_of(own)).unwrap_or_default()
    }

    /// How a topic of this configuration is reached.
    #[must_use]
    pub fn access_to(&self, topic: &TopicArn) -> &Access {
        let number = usize::from(topic.access());
        number.checked_sub(1).and_then(|it| self.host_accesses.get(it)).unwrap_or(&self.access)
    }
}

/// Credentials from the configuration itself. `Debug` shows none of it.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct StaticCredentials {
    #[schemars(with = "Option<String>", extend("format" = "secret", "writeOnly" = true))]
    pub access_key_id: SecretString,
    #[schemars(with = "Option<String>", extend("format" = "secret", "writeOnly" = true))]
    pub secret_access_key: SecretString,
    #[schemars(with = "Option<String>", extend("format" = "secret", "writeOnly" = true))]
    pub session_token: Option<SecretString>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticCredentials(***)")
    }
}

/// What a host may override, in `[hosts."example.org".sns]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(in crate::config) struct Overrides {
    #[serde(flatten)]
    pub(in crate::config) routing: Routing,
    #[serde(flatten)]
    #[expect(dead_code, reason = "it is in the ARNs of `routing`")]
    account: Account,
    #[serde(flatten)]
    pub(in crate::config) access: Access,
}

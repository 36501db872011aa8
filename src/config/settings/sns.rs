//! The service, its accesses, and where events go.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::operation::LONG_MS;
use super::read;
use crate::arn::{self, TopicArn};
use crate::config::key::Key;

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
        let exposed = |it: &Self| {
            let keys = it.credentials.clone()?;
            let keys = [Some(keys.access_key_id), Some(keys.secret_access_key), keys.session_token];
            Some(keys.map(|it| it.map(|it| it.expose_secret().to_owned())))
        };
        self.endpoint == other.endpoint && exposed(self) == exposed(other)
    }
}

impl Sns {
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
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub access_key_id: SecretString,
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret_access_key: SecretString,
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub session_token: Option<SecretString>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticCredentials(***)")
    }
}

/// Where events go, and what they become on the way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Routing {
    /// For presences; `None`: they are skipped.
    pub presence_updates_topic: Option<TopicArn>,
    /// For messages between two users; `None`: they are skipped.
    pub pm_messages_topic: Option<TopicArn>,
    /// For messages to rooms of `muc_host`; `None`: they are skipped.
    pub muc_messages_topic: Option<TopicArn>,
    /// The MUC host, normalised; may hold `@HOST@`, the sender's domain.
    #[schemars(extend("format" = "domain-pattern"))]
    pub muc_host: String,
    /// Topics of further MUC hosts, whose names are as in `muc_host`.
    #[serde(default)]
    pub muc_topics: BTreeMap<String, TopicArn>,
    /// The name of the plugin, or the path of a script.
    #[schemars(extend("format" = "plugin"))]
    pub plugin_module: String,
}

impl Routing {
    /// The same, with its topics reached by one of the accesses.
    pub(in crate::config) fn by(mut self, access: arn::Access) -> Self {
        let own = [
            &mut self.presence_updates_topic,
            &mut self.pm_messages_topic,
            &mut self.muc_messages_topic,
        ];
        for topic in own.into_iter().flatten().chain(self.muc_topics.values_mut()) {
            *topic = topic.clone().by(access);
        }
        self
    }

    /// The topics that are set, each with its key below `prefix`.
    pub(in crate::config) fn topics(&self, prefix: Key) -> impl Iterator<Item = (Key, &TopicArn)> {
        let muc_topics = prefix.child("muc_topics");
        let own = [
            ("presence_updates_topic", &self.presence_updates_topic),
            ("pm_messages_topic", &self.pm_messages_topic),
            ("muc_messages_topic", &self.muc_messages_topic),
        ];
        let own = own
            .into_iter()
            .filter_map(move |(name, topic)| Some((prefix.child(name), topic.as_ref()?)));
        let further =
            self.muc_topics.iter().map(move |(host, topic)| (muc_topics.child(host), topic));
        own.chain(further)
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

/// Which events keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ordering {
    None,
    PerKey,
}

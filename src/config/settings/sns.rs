//! The service, its accesses, and where events go.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::arn::TopicArn;
pub use crate::route::{Ordering, Routing};

/// The service, and how to publish to it.
#[derive(Debug, Clone)]
pub struct Sns {
    /// For all XMPP domains that [`Config::hosts`](crate::config::Config::hosts) doesn't name.
    pub routing: Routing,
    /// The region; `None`: the SDK's own choice, which is possible only where every topic is an ARN.
    pub region: Option<String>,
    /// Where SNS is, and as whom it is used.
    pub access: Access,
    /// The same for hosts that differ, numbered from 1: a [`TopicArn`] knows by which it is reached.
    pub host_accesses: Vec<Access>,
    /// Requests in flight at once, at least 1.
    pub pool_size: u16,
    /// Retries after the first attempt.
    pub publish_retry_count: u32,
    /// The base of the pauses between retries; may be zero.
    pub publish_retry_time: Duration,
    /// Entries of one batch, 1 to 10.
    pub batch_max_entries: u8,
    /// How long an entry may wait for others.
    pub batch_linger: Duration,
    /// The most that body and attributes of a message may have together, in bytes.
    pub max_message_bytes: usize,
    /// For reaching the service; at most `attempt_timeout`.
    pub connect_timeout: Duration,
    /// For one attempt, connecting included.
    pub attempt_timeout: Duration,
    /// Whether the order of events is kept.
    pub ordering: Ordering,
    /// Whether standard topics are told the message group.
    pub group_id: bool,
}

/// Where SNS is, and as whom it is used.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Another endpoint than the region's own, without user, query and fragment.
    pub endpoint: Option<Url>,
    /// Static credentials; `None`: the SDK's default chain.
    pub credentials: Option<StaticCredentials>,
}

impl Access {
    /// Whether requests by one may go by the other.
    pub(in crate::config) fn is_like(&self, other: &Self) -> bool {
        let exposed = |it: &Self| {
            it.credentials.as_ref().map(|keys| {
                let token = keys.session_token.as_ref().map(|it| it.expose_secret().to_owned());
                let [id, key] = [&keys.access_key_id, &keys.secret_access_key]
                    .map(|it| it.expose_secret().to_owned());
                (id, key, token)
            })
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
#[derive(Clone)]
pub struct StaticCredentials {
    /// `AKIA…` or, with a session token, `ASIA…`.
    pub access_key_id: SecretString,
    /// The key with which requests are signed.
    pub secret_access_key: SecretString,
    /// Goes with temporary credentials.
    pub session_token: Option<SecretString>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticCredentials(***)")
    }
}

//! The validated configuration: what the rest of the program works with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::amqp_uri::AmqpUri;
use super::key::Key;
use crate::arn::TopicArn;
pub use crate::event::Format;

/// The broker and its topology.
#[derive(Debug, Clone)]
pub struct Amqp {
    /// The nodes of the broker, at least one, to be tried in turn.
    pub uris: Vec<AmqpUri>,
    /// Certificates for `amqps`.
    pub tls: Tls,
    /// Whether to create what is missing; otherwise it is only checked.
    pub declare: bool,
    /// The type of all queues, the dead-letter queue included.
    pub queue_type: QueueType,
    /// Deliveries after which the broker itself dead-letters an event (quorum queues only).
    pub delivery_limit: u32,
    /// Unacknowledged deliveries that the worker may hold; never 0, which would be no bound.
    pub prefetch: u16,
    /// Where events go that can't be published.
    pub dead_letter_exchange: String,
    /// The queue behind it.
    pub dead_letter_queue: String,
    /// At least one, by name; no two share a queue.
    pub sources: Vec<Source>,
}

/// PEM files for TLS. They are read for every connection, since they may have been renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Further root certificates.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate; there if and only if `key_file` is.
    pub cert_file: Option<PathBuf>,
    /// The private key of the client's certificate.
    pub key_file: Option<PathBuf>,
}

/// The types of queue that are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// Replicated, counts deliveries, dead-letters at least once.
    Quorum,
    /// For brokers that have nothing else.
    Classic,
}

impl QueueType {
    /// The value of the argument `x-queue-type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// A stream of events: a queue, and how it is fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the configuration, in logs and in metrics.
    pub name: String,
    /// The exchange to which the producer publishes.
    pub exchange: String,
    /// That exchange's type.
    pub exchange_type: ExchangeType,
    /// Whether that exchange outlives a restart of the broker.
    pub exchange_durable: bool,
    /// The bindings from exchange to queue.
    pub routing_keys: Vec<String>,
    /// The queue from which events are taken.
    pub queue: String,
    /// Where events of a held topic are parked, to come back to `queue` later; `None` where that would break
    /// their order.
    pub parking: Option<Parking>,
    /// How payloads are to be read.
    pub format: Format,
}

/// A second queue of a source, for what it can't keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parking {
    /// The queue's name.
    pub queue: String,
    /// After this the broker brings an event back.
    pub time: Duration,
}

/// The exchange types of AMQP 0-9-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeType {
    /// By pattern of the routing key.
    Topic,
    /// By equal routing key.
    Direct,
    /// To every queue.
    Fanout,
    /// By headers.
    Headers,
}

impl ExchangeType {
    /// The type's name in the protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
        }
    }
}

/// The service, and how to publish to it.
#[derive(Debug, Clone)]
pub struct Sns {
    /// For all XMPP domains that [`Config::hosts`](super::Config::hosts) doesn't name.
    pub routing: Routing,
    /// The region; `None`: the SDK's own choice, which is possible only where every topic is an ARN.
    pub region: Option<String>,
    /// Another endpoint than the region's own, without user, query and fragment.
    pub endpoint: Option<Url>,
    /// Static credentials; `None`: the SDK's default chain.
    pub credentials: Option<StaticCredentials>,
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

/// Where events go, and what they become on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// For presences; `None`: they are skipped.
    pub presence_updates_topic: Option<TopicArn>,
    /// For messages between two users; `None`: they are skipped.
    pub pm_messages_topic: Option<TopicArn>,
    /// For messages to rooms of `muc_host`; `None`: they are skipped.
    pub muc_messages_topic: Option<TopicArn>,
    /// The name of the plugin.
    pub plugin_module: String,
    /// The MUC host, normalised; may hold `@HOST@`, the sender's domain.
    pub muc_host: String,
    /// Topics of further MUC hosts, whose names are as in `muc_host`.
    pub muc_topics: BTreeMap<String, TopicArn>,
}

impl Routing {
    /// The topics that are set, each with its key below `prefix`.
    pub(super) fn topics(&self, prefix: Key) -> impl Iterator<Item = (Key, &TopicArn)> {
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

/// Which events keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// None: the fastest.
    None,
    /// Those of the same user's presence, conversation or room.
    PerKey,
}

/// When the service counts as down, and what is done then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Events in a row that ran out of retries, with no success between; at least 1.
    pub threshold: u32,
    /// The longest pause between two probes.
    pub probe_max: Duration,
    /// After this, held deliveries go back to the broker.
    pub hand_back_after: Duration,
}

/// Stopping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// For what is in flight; zero: it is handed back at once.
    pub grace: Duration,
}

/// The operator's side.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Host and port to listen on; `None`: off.
    pub listen: Option<String>,
    /// What the page asks for before it changes anything; `None`: it only reads.
    pub token: Option<SecretString>,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One line a record, for people or for machines.
    pub format: LogFormat,
    /// What to log, in the syntax of `tracing_subscriber`'s `EnvFilter`, which checks it.
    pub filter: String,
}

/// The forms of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

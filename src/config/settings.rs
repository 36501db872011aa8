//! The validated configuration: what the rest of the program works with.

mod sns;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::sns::{Access, Ordering, Routing, Sns, StaticCredentials};
use super::amqp_uri::AmqpUri;
pub use crate::event::Format;
use crate::limits::{LEAST_IN_FLIGHT_BYTES, SHORTEST_TOKEN};
use crate::signature::SigningKey;

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
    /// Bytes of deliveries that all sources together may have in flight.
    pub max_in_flight_bytes: u64,
    /// Dead letters of one source and reason that are written in a second; `None`: as many as there are.
    pub dead_letters_per_second: Option<f64>,
    /// Where events go that can't be published.
    pub dead_letter_exchange: String,
    /// The queue behind it.
    pub dead_letter_queue: String,
    /// The file of the key by which workers sign what they write into headers; `None`: nothing is signed.
    pub signing_key_file: Option<PathBuf>,
    /// What is in that file. The program reads it (`app/signing.rs`), not the configuration.
    pub signing_key: Option<SigningKey>,
    /// At least one, by name; no two share a queue.
    pub sources: Vec<Source>,
}

impl Amqp {
    /// Bytes of deliveries that one source may have in flight: its even share, so that none takes the room of
    /// another one that flows, but never less than the largest event that SNS takes.
    #[must_use]
    pub fn in_flight_bytes_of_a_source(&self) -> u64 {
        let share = self.max_in_flight_bytes / self.sources.len().max(1) as u64;
        share.max(LEAST_IN_FLIGHT_BYTES.unsigned_abs())
    }
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
    /// Host and port for probes and scrapers alone; `None`: they ask on `listen`.
    pub health_listen: Option<String>,
    /// What the page asks for before it shows a dead letter or changes anything; `None`: it does neither.
    pub token: Option<SecretString>,
    /// Names under which the page is reached, besides addresses, `localhost` and the name in `listen`.
    pub hosts: Vec<String>,
    /// What SNS asks for a million requests, in US dollars.
    pub price_per_million_requests: f64,
}

impl Admin {
    /// Whether the token is so short that it could be guessed, and so lets nobody in.
    #[must_use]
    pub fn token_is_short(&self) -> bool {
        let token = self.token.as_ref().map(SecretString::expose_secret);
        token.is_some_and(|it| it.chars().count() < SHORTEST_TOKEN)
    }

    /// The token, if it lets anybody in.
    pub(crate) fn usable_token(&self) -> Option<&str> {
        let token = self.token.as_ref().map(SecretString::expose_secret);
        token.filter(|_| !self.token_is_short())
    }
}

/// Traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Whether notifications carry the trace context.
    pub attribute: bool,
    /// Where spans go, with the path; `None`: nowhere.
    pub endpoint: Option<Url>,
    /// One of so many events without a trace begins one; 0: none does.
    pub sample_one_in: u32,
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

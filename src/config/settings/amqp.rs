//! The broker, its topology and the sources.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use strum::IntoStaticStr;

use super::read;
use crate::address::{self, AmqpUri};
use crate::event::Format;
use crate::headers::SORTED_EXCHANGE;
use crate::limits::{LEAST_IN_FLIGHT_BYTES, MOST_PARTITIONS};
use crate::signature::SigningKey;

/// The broker and its topology.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Amqp {
    /// The only node, which is in `uris` then.
    pub(in crate::config) uri: Option<AmqpUri>,
    /// The nodes of the broker, at least one, to be tried in turn.
    pub uris: Vec<AmqpUri>,
    #[serde(flatten)]
    pub tls: Tls,
    pub declare: bool,
    pub queue_type: QueueType,
    #[schemars(range(min = 1, max = 1_000_000), extend("$comment" = "0 would dead-letter every event"))]
    pub delivery_limit: u32,
    /// Unacknowledged deliveries that the worker may hold; never 0, which would be no bound.
    #[schemars(range(min = 0, max = 65_535), extend("$comment" = "AMQP counts up to there"))]
    pub prefetch: u16,
    #[schemars(range(min = LEAST_IN_FLIGHT_BYTES, max = 1_099_511_627_776_i64))]
    #[schemars(extend("$comment" = "the largest event that SNS takes must have room"))]
    pub max_in_flight_bytes: u64,
    /// Dead letters of one source and reason that are written in a second; `None`: as many as there are.
    #[serde(deserialize_with = "read::limit")]
    #[schemars(with = "f64", range(min = 0, max = 1_000_000), extend("$comment" = "it is a rate; 0 is no limit"))]
    pub dead_letters_per_second: Option<f64>,
    #[schemars(extend("format" = "name"))]
    pub dead_letter_exchange: String,
    #[schemars(extend("format" = "queue"))]
    pub dead_letter_queue: String,
    /// For how long RabbitMQ is to let a consumer hold a delivery, where a consumer may say so: longer than anything here holds one.
    #[serde(skip)]
    pub consumer_timeout: Duration,
    /// The file of the key by which workers sign what they write into headers; `None`: nothing is signed.
    pub signing_key_file: Option<PathBuf>,
    /// What is in that file. The program reads it (`app/signing.rs`), not the configuration.
    #[serde(skip)]
    pub signing_key: Option<SigningKey>,
    /// At least one, by name; no two share a queue.
    #[serde(deserialize_with = "sources")]
    #[schemars(with = "BTreeMap<String, Source>", extend("propertyNames" = {"pattern": "^[a-z0-9_-]+$"}))]
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

    /// Unacknowledged deliveries that a worker may hold of each of so many partitions.
    #[must_use]
    pub fn prefetch_of_each(&self, partitions: u16) -> u16 {
        (self.prefetch / partitions.max(1)).max(1)
    }
}

/// PEM files for TLS. They are read for every connection, since they may have been renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    /// The client's certificate; there if and only if `key_file` is.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The types of queue that are supported, as the argument `x-queue-type` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum QueueType {
    Quorum,
    Classic,
}

/// A stream of events: a queue, and how it is fed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Source {
    /// Its name in the configuration, in logs and in metrics.
    #[serde(skip)]
    pub name: String,
    #[schemars(extend("format" = "name"))]
    pub exchange: String,
    pub exchange_type: ExchangeType,
    pub exchange_durable: bool,
    #[schemars(extend("format" = "routing-key"))]
    pub routing_keys: Vec<String>,
    #[schemars(extend("format" = "queue"))]
    pub queue: String,
    /// Where events of a held topic are parked, to come back to `queue` later; `None` where that would break
    /// their order.
    #[serde(skip)]
    pub parking: Option<Parking>,
    #[serde(deserialize_with = "read::format")]
    #[schemars(schema_with = "read::formats")]
    pub format: Format,
    /// A new queue gets one active consumer. Only where order is kept; else false, whatever was set.
    pub single_active: bool,
    /// Queues into which its events are hashed, each consumed by one worker at a time; 0: all are in `queue`.
    #[schemars(range(min = 0, max = MOST_PARTITIONS), extend("$comment" = "each is a queue, and a channel of every worker; 0 is none"))]
    pub partitions: u16,
    #[schemars(with = "String", extend("format" = "partition-by"))]
    pub partition_by: PartitionBy,
    pub on_order_lost: OnOrderLost,
    /// Events may be taken though no topic is set for any of them, and so all are skipped.
    pub discard: bool,
}

impl Source {
    /// How its events are hashed into queues, if they are.
    #[must_use]
    pub fn partitioning(&self) -> Option<Partitioning<'_>> {
        let by = &self.partition_by;
        (self.partitions > 0).then_some(Partitioning { count: self.partitions, by })
    }

    /// The exchange through which its events come to their partitions, where a worker sorts them by what is in them.
    #[must_use]
    pub fn sorted_exchange(&self) -> Option<String> {
        self.is_sorted().then(|| format!("{}{SORTED_EXCHANGE}", self.queue))
    }

    /// Whether an exchange is that one.
    #[must_use]
    pub fn comes_sorted_by(&self, exchange: &str) -> bool {
        self.is_sorted() && exchange.strip_prefix(&*self.queue) == Some(SORTED_EXCHANGE)
    }

    /// Whether a worker sorts its events.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.partitions > 0 && self.partition_by == PartitionBy::Conversation
    }

    /// Whether a queue is the source's, or a partition of it, of however many.
    #[must_use]
    pub fn owns(&self, queue: &str) -> bool {
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|digit| digit.is_ascii_digit());
        let is_partition = |rest: &str| {
            let numbers = rest.split_once('.');
            self.partitions > 0
                && numbers.is_some_and(|(count, number)| is_number(count) && is_number(number))
        };
        match queue.strip_prefix(&*self.queue) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('.').is_some_and(is_partition),
            None => false,
        }
    }

    /// Whether a queue of this name comes with the source's partitions.
    #[must_use]
    pub(in crate::config) fn appends(&self, queue: &str) -> bool {
        let own = |it: &str| {
            [".partitions", ".moving", ".mover", ".suspects", ".examining"].contains(&it)
                || self.owns(queue)
        };
        self.partitions > 0 && queue.strip_prefix(&*self.queue).is_some_and(own)
    }

    /// Whether a source that should keep order, and can't, is to stop.
    #[must_use]
    pub const fn stops_without_order(&self) -> bool {
        match self.on_order_lost {
            OnOrderLost::Auto => self.partitions > 0,
            OnOrderLost::Stop => true,
            OnOrderLost::Warn => false,
        }
    }
}

/// A table by name as a list.
fn sources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Source>, D::Error> {
    let sources = BTreeMap::<String, Source>::deserialize(from)?;
    Ok(sources.into_iter().map(|(name, source)| Source { name, ..source }).collect())
}

/// A second queue of a source, for what it can't keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parking {
    pub queue: String,
    /// After this the broker brings an event back.
    pub time: Duration,
    /// The priority that it has meanwhile, and with which it comes back; `None`: its own.
    pub priority: Option<u8>,
}

/// How a source's events are hashed into queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitioning<'a> {
    /// At least one.
    pub count: u16,
    pub by: &'a PartitionBy,
}

/// What of an event is hashed: events with the same value are in one partition, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionBy {
    RoutingKey,
    /// The producer sets this header. Events without it are all in one partition.
    Header(String),
    /// The producer sets the property `correlation_id`. Events without it are all in one partition.
    CorrelationId,
    /// The conversation, room or user that an event belongs to: one worker at a time reads that from it, and sorts all.
    Conversation,
}

impl PartitionBy {
    /// Reads it as it is written in the configuration; the schema has the same rule as a format.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        address::checked("partition-by", text).ok()?;
        Some(match text.split_once(':') {
            None if text == "conversation" => Self::Conversation,
            None => Self::RoutingKey,
            Some(("header", name)) => Self::Header(name.to_owned()),
            Some(_) => Self::CorrelationId,
        })
    }
}

/// As in the configuration.
impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoutingKey => f.write_str("routing-key"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::CorrelationId => f.write_str("property:correlation_id"),
            Self::Conversation => f.write_str("conversation"),
        }
    }
}

impl<'de> Deserialize<'de> for PartitionBy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("is no key"))
    }
}

/// What a source does that should keep order, and can't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum OnOrderLost {
    /// It stops if it has partitions, else it says so and goes on.
    Auto,
    /// It waits, and says why.
    Stop,
    /// It says so and goes on.
    Warn,
}

/// The exchange types of AMQP 0-9-1, by their names in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum ExchangeType {
    Topic,
    Direct,
    Fanout,
    Headers,
}

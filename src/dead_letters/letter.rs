//! What a dead letter says about itself: headers that a worker wrote, or RabbitMQ's.

mod headers;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::headers::Reader;
use super::content::{Content, Sources};
use super::message::{Headers, Message};
use super::text::hexadecimal;

/// How often a message was replayed. Its other headers say so only while it is dead.
pub(crate) const REPLAYS: &str = "event-pusher-replays";
/// Which replay sent a message, and as which of its messages.
pub(crate) const REPLAY_ID: &str = "event-pusher-replay-id";
pub(crate) const REASON: &str = "event-pusher-reason";
pub(crate) const EXCHANGE: &str = "event-pusher-exchange";
pub(crate) const ROUTING_KEY: &str = "event-pusher-routing-key";
pub(crate) const QUEUE: &str = "event-pusher-queue";

/// Names a dead letter by all that it holds, for as long as it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId([u8; 32]);

impl LetterId {
    /// Bytes that are shown: a hundred thousand letters hardly ever share six.
    const SHOWN: usize = 6;

    /// Of a message as it is among the dead letters, without a queue's counts.
    pub(crate) fn of(message: &Message) -> Self {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&message.properties).unwrap_or_default());
        hash.update([0]);
        hash.update(&message.routing_key);
        hash.update([0]);
        hash.update(&message.body);
        Self(hash.finalize().into())
    }

    /// All of it, in hexadecimal digits.
    #[must_use]
    pub fn in_full(&self) -> String {
        hexadecimal(&self.0)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0[..Self::SHOWN]))
    }
}

impl Serialize for LetterId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who put a message among the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A worker, which says why in headers.
    Worker,
    /// RabbitMQ: over its delivery limit, too old, or pushed out of its queue.
    Broker,
    /// Nobody says.
    Unknown,
}

/// Where an event came from, as far as anything says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The exchange to which its producer published.
    pub exchange: Option<String>,
    /// The routing key with which it did.
    pub routing_key: Option<String>,
    /// The queue from which a worker took it, or in which it died.
    pub queue: Option<String>,
}

/// One death that RabbitMQ has recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Death {
    /// Why, in RabbitMQ's words.
    pub reason: String,
    /// Where.
    pub queue: String,
    /// How often for that reason in that queue.
    pub count: i64,
    /// When it first did.
    pub time: Option<Timestamp>,
}

/// A dead letter, without its body.
#[derive(Debug, Clone, Serialize)]
pub struct Letter {
    /// Names it.
    pub id: LetterId,
    /// Why it is here; `unknown` if nothing says.
    pub reason: String,
    /// Who says so.
    pub by: By,
    /// The error, in one line.
    pub error: Option<String>,
    /// Attempts to publish it.
    pub attempts: Option<i64>,
    /// The ARN of the topic that was chosen for it.
    pub topic: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// The name of the source that takes from its queue, in the current configuration.
    pub source: Option<String>,
    /// When it died.
    pub failed_at: Option<Timestamp>,
    /// The worker that gave it up.
    pub worker: Option<String>,
    /// How often it was replayed before.
    pub replays: i64,
    /// The AMQP property.
    pub message_id: Option<String>,
    /// What the event is about.
    #[serde(flatten)]
    pub content: Content,
    /// Bytes of its body.
    pub bytes: usize,
    /// Deaths that RabbitMQ has recorded, the last one first.
    pub deaths: Vec<Death>,
    /// Headers of ours that are of a wrong type or too long, and so count as not there.
    pub odd_headers: Vec<String>,
    /// How often it was looked at before, where its queue counts that.
    pub looks: Option<u64>,
    /// The routing key that it has among the dead letters.
    #[serde(skip)]
    pub(crate) routing_key: String,
    /// The replay that it came back from, and its number there.
    #[serde(skip)]
    pub(crate) replay: Option<(String, u32)>,
}

impl Letter {
    /// Reads the headers; the queue's counts are taken out of the message.
    pub(crate) fn read(message: &mut Message, sources: &Sources) -> Self {
        let looks = message.take_counts();
        let none = Headers::new();
        let mut headers = Reader::new(message.properties.headers.as_ref().unwrap_or(&none));
        let deaths = headers.deaths();
        let written = headers.text(REASON);
        let by = match (&written, deaths.first()) {
            (Some(_), _) => By::Worker,
            (None, Some(_)) => By::Broker,
            (None, None) => By::Unknown,
        };
        let origin = headers.origin(by, deaths.first());
        let failed_at = match by {
            By::Worker => headers.time("event-pusher-failed-at"),
            _ => deaths.first().and_then(|death| death.time),
        };
        let reason = written.or_else(|| deaths.first().map(|death| death.reason.clone()));
        let mut letter = Self {
            id: LetterId::of(message),
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            by,
            error: headers.text("event-pusher-error"),
            attempts: headers.integer("event-pusher-attempts"),
            topic: headers.text("event-pusher-topic"),
            source: sources.name(origin.queue.as_deref()).map(str::to_owned),
            content: Content::default(),
            origin,
            failed_at,
            worker: headers.text("event-pusher-worker"),
            replays: headers.integer(REPLAYS).unwrap_or(0),
            message_id: message.properties.message_id.clone(),
            bytes: message.body.len(),
            routing_key: message.routing_key.clone(),
            deaths,
            looks,
            replay: headers.text(REPLAY_ID).and_then(|id| {
                let (run, number) = id.rsplit_once('.')?;
                Some((run.to_owned(), number.parse().ok()?))
            }),
            odd_headers: vec![],
        };
        letter.odd_headers = headers.odd;
        letter.content = Content::of(message, &letter.origin, sources);
        letter
    }
}

impl Letter {
    /// Whether it has come back from this replay.
    pub(crate) fn is_of_replay(&self, run: &str) -> bool {
        self.replay.as_ref().is_some_and(|(it, _)| it == run)
    }
}

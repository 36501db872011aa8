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
/// So begin the headers of a parked event.
pub(crate) const PARKED: &str = "event-pusher-parked";

/// Before the name of a header that means to RabbitMQ, and to who reads a letter, that the letter itself has died.
pub(crate) const COVER: &str = "event-pusher-covered-";
/// Headers that RabbitMQ writes into what it dead-letters. A worker covers those that an event comes with.
pub(crate) const OF_A_DEATH: [&str; 7] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];

/// What only a dead letter has.
pub(crate) const OF_A_DEAD_LETTER: [&str; 7] = [
    REASON,
    "event-pusher-error",
    "event-pusher-attempts",
    "event-pusher-topic",
    "event-pusher-failed-at",
    "event-pusher-worker",
    QUEUE,
];

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

/// Whether what a letter says of itself is known to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A worker has signed it, by this configuration's key.
    Signed,
    /// It is not signed, or not by that key, so that anybody may have written it.
    Claimed,
    /// There is no key to tell by.
    Unchecked,
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
    /// Whether RabbitMQ itself has written this, and no client; `None` where the broker was not asked which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_broker: Option<bool>,
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
    /// Whether it is known to be so.
    pub trust: Trust,
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
        let signed = sources.key().map(|key| message.is_signed(key));
        let written = headers.text(REASON);
        let by = author(written.is_some(), signed, deaths.first(), sources);
        let origin = headers.origin(by, deaths.first(), signed);
        let ours = by != By::Broker;
        let death = deaths.first().filter(|_| by != By::Worker);
        let reason = written.filter(|_| ours).or_else(|| death.map(|death| death.reason.clone()));
        let mut letter = Self {
            id: LetterId::of(message),
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            by,
            trust: match signed {
                None => Trust::Unchecked,
                // The broker signs nothing.
                Some(true) if by == By::Worker => Trust::Signed,
                Some(_) => Trust::Claimed,
            },
            error: headers.text("event-pusher-error").filter(|_| ours),
            attempts: headers.integer("event-pusher-attempts").filter(|_| ours),
            topic: headers.text("event-pusher-topic").filter(|_| ours),
            source: sources.name(origin.queue.as_deref()).map(str::to_owned),
            content: Content::default(),
            origin,
            failed_at: match by {
                By::Worker => headers.time("event-pusher-failed-at"),
                _ => death.and_then(|death| death.time),
            },
            worker: headers.text("event-pusher-worker").filter(|_| ours),
            replays: headers.integer(REPLAYS).unwrap_or(0),
            message_id: message.properties.message_id.clone(),
            bytes: message.body.len(),
            routing_key: message.routing_key.clone(),
            looks,
            replay: headers.text(REPLAY_ID).and_then(|id| {
                let (run, number) = id.rsplit_once('.')?;
                Some((run.to_owned(), number.parse().ok()?))
            }),
            deaths,
            odd_headers: vec![],
        };
        letter.odd_headers = headers.odd;
        letter.content = Content::of(message, &letter.origin, sources);
        letter
    }
}

/// Who has made a letter of a message. What a producer writes under our names is in the letter that RabbitMQ makes of
/// it, so the newest of RabbitMQ's deaths comes first, if it was in a source's queue: no worker's letter dies there. In
/// any other queue the event died before a worker took it, and RabbitMQ 3 lets producers write such deaths themselves.
fn author(says_why: bool, signed: Option<bool>, death: Option<&Death>, sources: &Sources) -> By {
    let died_here = death.is_some_and(|death| sources.name(Some(&death.queue)).is_some());
    match (says_why, death) {
        (true, _) if signed == Some(true) || !died_here => By::Worker,
        (_, Some(_)) => By::Broker,
        _ => By::Unknown,
    }
}

/// The first RabbitMQ that takes no notice of an `x-death` that a client has sent, and writes its own.
const OWNS_DEATHS: u32 = 4;

impl Letter {
    /// Tells which of the deaths are RabbitMQ's own words, given its version. A letter that says why by a header of a
    /// worker's may have its deaths from its producer, whoever has made it.
    pub(crate) fn judge_deaths(&mut self, message: &Message, version: Option<u32>) {
        let owns = version.is_some_and(|version| version >= OWNS_DEATHS);
        let is_brokers = owns && self.by == By::Broker && message.header(REASON).is_none();
        for (place, death) in self.deaths.iter_mut().enumerate() {
            death.by_broker = Some(is_brokers && place == 0);
        }
    }

    /// Whether a replay knows where to send it without being told: to a queue that is a source's.
    #[must_use]
    pub const fn is_at_home(&self) -> bool {
        self.source.is_some()
    }

    /// Whether it has come back from this replay.
    pub(crate) fn is_of_replay(&self, run: &str) -> bool {
        self.replay.as_ref().is_some_and(|(it, _)| it == run)
    }
}

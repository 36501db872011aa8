//! A dead letter, with the reason and origin from its headers: a worker's or RabbitMQ's.

mod header_parser;
pub(crate) mod parsed_headers;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::parsed_headers::ParsedHeaders;
use super::content::{Content, Sources};
use super::provenance::{Death, LetterAuthor, Origin, Trust};
use crate::headers::REASON;
use crate::rabbitmq::message::{Headers, Message};
use crate::replay::ReplayId;
use crate::text::hexadecimal;

/// The id of a dead letter: a hash of the whole letter, which does not change while the letter exists.
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

/// A dead letter, without its body.
#[derive(Debug, Clone, Serialize)]
pub struct Letter {
    /// Names it.
    pub id: LetterId,
    /// Why it is here; `unknown` if nothing says.
    pub reason: String,
    /// Whether a worker or RabbitMQ gave the reason.
    pub by: LetterAuthor,
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
    /// Whether anybody may have written that: what a worker should have signed and has not, and RabbitMQ's word, unless
    /// this is a RabbitMQ that takes none from clients.
    pub failed_at_claimed: bool,
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
    /// Whether a header of a worker's says why, whoever has written that.
    #[serde(skip)]
    says_why: bool,
    /// The replay that it came back from, and its number there.
    #[serde(skip)]
    pub(crate) replay: Option<ReplayId>,
}

impl Letter {
    /// Reads the headers; the queue's counts are taken out of the message.
    pub(crate) fn read(message: &mut Message, sources: &Sources) -> Self {
        let looks = message.take_counts();
        let none = Headers::new();
        let headers = message.properties.headers.as_ref().unwrap_or(&none);
        let signed = sources.key().map(|key| message.is_signed(key));
        let parsed =
            ParsedHeaders::read(headers, signed, |queue| sources.name(Some(queue)).is_some());
        let mut letter = Self {
            id: LetterId::of(message),
            reason: parsed.reason,
            by: parsed.by,
            trust: parsed.trust,
            error: parsed.error.or_else(|| message.unread.clone()),
            attempts: parsed.attempts,
            topic: parsed.topic,
            source: sources.name(parsed.origin.queue.as_deref()).map(str::to_owned),
            content: Content::default(),
            origin: parsed.origin,
            failed_at_claimed: parsed.failed_at.is_some() && is_claimed(parsed.by, parsed.trust),
            failed_at: parsed.failed_at,
            worker: parsed.worker,
            replays: parsed.replays,
            message_id: message.properties.message_id.clone(),
            bytes: message.body.len(),
            routing_key: message.routing_key.clone(),
            looks,
            says_why: message.header(REASON).is_some(),
            replay: parsed.replay,
            deaths: parsed.deaths,
            odd_headers: parsed.odd,
        };
        letter.content = Content::of(message, &letter.origin, sources);
        letter
    }
}

/// Whether anybody may have written when a letter died, as far as the letter itself tells.
const fn is_claimed(by: LetterAuthor, trust: Trust) -> bool {
    match by {
        LetterAuthor::Worker => matches!(trust, Trust::Claimed),
        LetterAuthor::Broker => true,
        LetterAuthor::Unknown => false,
    }
}

/// The first RabbitMQ that takes no notice of an `x-death` that a client has sent, and writes its own.
const OWNS_DEATHS: u32 = 4;

impl Letter {
    /// Tells which of the deaths are RabbitMQ's own words, given its version. A letter that says why by a header of a
    /// worker's may have its deaths from its producer, whoever has made it.
    pub(crate) fn mark_broker_deaths(&mut self, version: Option<u32>) {
        let owns = version.is_some_and(|version| version >= OWNS_DEATHS);
        let is_brokers = owns && self.by == LetterAuthor::Broker && !self.says_why;
        // Its time is the newest death's.
        self.failed_at_claimed &= !is_brokers;
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
    pub(crate) fn is_of_replay(&self, replay: u64) -> bool {
        self.replay.is_some_and(|it| it.replay == replay)
    }
}

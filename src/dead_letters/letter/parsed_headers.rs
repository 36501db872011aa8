//! The parsed headers of a dead letter. Whoever could publish to its queue has written them: any may be missing, of a
//! wrong type, or a lie. Fuzzed by itself (`make fuzz`), so it knows nothing but headers.

use jiff::Timestamp;
use serde::Serialize;

use super::super::provenance::{Death, LetterAuthor, Origin, Trust};
use super::header_parser::HeaderParser;
use crate::headers::{ATTEMPTS, ERROR, FAILED_AT, REASON, REPLAY_ID, REPLAYS, TOPIC, WORKER};
use crate::rabbitmq::message::Headers;
use crate::replay::ReplayId;

/// All that is parsed, and who is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ParsedHeaders {
    pub(crate) reason: String,
    pub(crate) by: LetterAuthor,
    pub(crate) trust: Trust,
    pub(crate) error: Option<String>,
    pub(crate) attempts: Option<i64>,
    pub(crate) topic: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) failed_at: Option<Timestamp>,
    pub(crate) worker: Option<String>,
    pub(crate) replays: i64,
    #[serde(skip)]
    pub(crate) replay: Option<ReplayId>,
    pub(crate) deaths: Vec<Death>,
    /// Names of those that are of a wrong type or too long.
    pub(crate) odd: Vec<String>,
}

impl ParsedHeaders {
    /// `signed`: whether they are, where there is a key to tell by. `is_source`: whether a queue is a source's.
    pub(crate) fn read(
        headers: &Headers,
        signed: Option<bool>,
        is_source: impl Fn(&str) -> bool,
    ) -> Self {
        let mut headers = HeaderParser::new(headers);
        let deaths = headers.deaths();
        let written = headers.text(REASON);
        let by = author(written.is_some(), signed, deaths.first(), is_source);
        let origin = headers.origin(by, deaths.first(), signed);
        let ours = by != LetterAuthor::Broker;
        let death = deaths.first().filter(|_| by != LetterAuthor::Worker);
        let reason = written.filter(|_| ours).or_else(|| death.map(|death| death.reason.clone()));
        let mut parsed = Self {
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            by,
            trust: match signed {
                None => Trust::Unchecked,
                // The broker signs nothing.
                Some(true) if by == LetterAuthor::Worker => Trust::Signed,
                Some(_) => Trust::Claimed,
            },
            error: headers.text(ERROR).filter(|_| ours),
            attempts: headers.integer(ATTEMPTS).filter(|_| ours),
            topic: headers.text(TOPIC).filter(|_| ours),
            origin,
            failed_at: match by {
                LetterAuthor::Worker => headers.time(FAILED_AT),
                _ => death.and_then(|death| death.time),
            },
            worker: headers.text(WORKER).filter(|_| ours),
            replays: headers.integer(REPLAYS).unwrap_or(0),
            replay: headers.text(REPLAY_ID).and_then(|id| id.parse().ok()),
            deaths,
            odd: vec![],
        };
        parsed.odd = headers.odd;
        parsed
    }
}

/// Who has made a letter of a message. What a producer writes under our names is in the letter that RabbitMQ makes of
/// it, so the newest of RabbitMQ's deaths comes first, if it was in a source's queue: no worker's letter dies there. In
/// any other queue the event died before a worker took it, and RabbitMQ 3 lets producers write such deaths themselves.
fn author(
    says_why: bool,
    signed: Option<bool>,
    death: Option<&Death>,
    is_source: impl Fn(&str) -> bool,
) -> LetterAuthor {
    let died_here = death.is_some_and(|death| is_source(&death.queue));
    match (says_why, death) {
        (true, _) if signed == Some(true) || !died_here => LetterAuthor::Worker,
        (_, Some(_)) => LetterAuthor::Broker,
        _ => LetterAuthor::Unknown,
    }
}

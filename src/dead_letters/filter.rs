//! The filter of dead letters, the same for every command.

use jid::Jid;
use jiff::Timestamp;

use super::letter::Letter;
use super::provenance::{LetterAuthor, Trust};
use crate::event::{EventKind, bare};

/// The conditions of a filter. A dead letter must match all of them; of a list, one
/// value; an empty list matches everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A worker's reason, or RabbitMQ's.
    pub reasons: Vec<String>,
    /// The kind of event.
    pub kinds: Vec<EventKind>,
    /// A topic's ARN, or its name.
    pub topics: Vec<String>,
    /// A source's name, or its queue's.
    pub sources: Vec<String>,
    /// The user who came, went, wrote, or was written to.
    pub users: Vec<Jid>,
    /// The room that was written to.
    pub rooms: Vec<Jid>,
    /// It died then or later.
    pub since: Option<Timestamp>,
    /// It died before.
    pub until: Option<Timestamp>,
    /// What is discarded by its time may have a time that is only claimed. All else goes by claimed times in any case.
    pub claimed_times: bool,
    /// Part of the error, in capital or small letters.
    pub error: Option<String>,
    /// The beginning of an id, or a whole AMQP message id.
    pub ids: Vec<String>,
    /// The first so many that fulfil the rest, the oldest in the queue first.
    pub limit: Option<u64>,
}

impl Filter {
    /// Whether every letter fulfils it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            reasons,
            kinds,
            topics,
            sources,
            users,
            rooms,
            since,
            until,
            error,
            ids,
            limit,
            claimed_times: _,
        } = self;
        let lists = [reasons, topics, sources, ids].iter().all(|it| it.is_empty());
        let times = since.is_none() && until.is_none();
        let others = kinds.is_empty() && users.is_empty() && rooms.is_empty();
        lists && times && others && error.is_none() && limit.is_none()
    }

    /// Whether a letter fulfils all conditions but the limit, which is about many.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        one_of(&self.reasons, |it| letter.reason == *it)
            && one_of(&self.kinds, |it| letter.content.kind == Some(it.label()))
            && one_of(&self.topics, |it| is_topic(letter, it))
            && one_of(&self.sources, |it| is_from(letter, it))
            && one_of(&self.users, |it| is_about(letter, it))
            && one_of(&self.rooms, |it| is_to_room(letter, it))
            && self.since.is_none_or(|since| letter.failed_at.is_some_and(|it| it >= since))
            && self.until.is_none_or(|until| letter.failed_at.is_some_and(|it| it < until))
            && self.error.as_ref().is_none_or(|text| error_contains(letter, text))
            && one_of(&self.ids, |it| letter.is_called(it))
    }
}

fn one_of<T>(list: &[T], matches: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(matches)
}

fn is_topic(letter: &Letter, asked: &str) -> bool {
    letter.topic.as_ref().is_some_and(|arn| {
        arn == asked || arn.rsplit_once(':').is_some_and(|(_, name)| name == asked)
    })
}

fn is_from(letter: &Letter, asked: &str) -> bool {
    letter.source.as_deref() == Some(asked) || letter.origin.queue.as_deref() == Some(asked)
}

fn is_about(letter: &Letter, asked: &Jid) -> bool {
    let asked = Some(bare(asked));
    let content = &letter.content;
    let groupchat = content.kind == Some(EventKind::Groupchat.label());
    content.from.as_deref() == asked || (!groupchat && content.to.as_deref() == asked)
}

fn is_to_room(letter: &Letter, asked: &Jid) -> bool {
    letter.content.kind == Some(EventKind::Groupchat.label())
        && letter.content.to.as_deref() == Some(bare(asked))
}

fn error_contains(letter: &Letter, asked: &str) -> bool {
    let error = letter.error.as_deref().unwrap_or_default();
    error.to_lowercase().contains(&asked.to_lowercase())
}

impl Letter {
    /// Whether this is a beginning of its id, or its message id.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        /// A shorter beginning would mean too many.
        const SHORTEST: usize = 4;
        let digits = name.to_ascii_lowercase();
        self.message_id.as_deref() == Some(name)
            || (digits.len() >= SHORTEST && self.id.in_full().starts_with(&digits))
    }

    /// The reason, and whose it is where that is not a worker's.
    #[must_use]
    pub fn cause(&self) -> String {
        cause(&self.reason, self.by, self.trust)
    }
}

/// A reason, and whose it is where that is not a worker's, or not for sure.
pub(crate) fn cause(reason: &str, by: LetterAuthor, trust: Trust) -> String {
    match (by, trust) {
        (LetterAuthor::Broker, Trust::Claimed) => format!("{reason} (by RabbitMQ, claimed)"),
        (LetterAuthor::Broker, _) => format!("{reason} (by RabbitMQ)"),
        (LetterAuthor::Worker, Trust::Claimed) => format!("{reason} (claimed)"),
        (LetterAuthor::Worker | LetterAuthor::Unknown, _) => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::content::Sources;
    use crate::rabbitmq::message::{Message, Value};

    /// Four letters: a presence of Carol's, a chat, a message to a room, and what is no event.
    fn letters() -> Vec<Letter> {
        let bodies = [
            r#"{"type":"presence","user_id":"Carol@localhost","present":true}"#,
            r#"{"type":"chat","from_user_id":"alice@localhost/a","to_user_id":"bob@localhost","message":""}"#,
            r#"{"type":"groupchat","from_user_id":"bob@localhost","to_user_id":"room@muc","message":""}"#,
            "garbage",
        ];
        let letter = |(number, body): (usize, &&str)| {
            let mut message = Message { body: body.as_bytes().to_vec(), ..Message::default() };
            message.properties.message_id = Some(format!("m-{number}"));
            let reason = if number == 3 { "undecodable" } else { "rejected" };
            let headers = [
                ("reason", reason.to_owned()),
                ("error", format!("Error Number {number}")),
                ("topic", format!("arn:aws:sns:eu-west-1:123456789012:topic-{number}")),
                ("queue", format!("queue-{}", number % 2)),
                ("failed-at", format!("2026-01-31T0{number}:00:00Z")),
            ];
            for (name, value) in headers {
                message.headers_mut().insert(format!("event-pusher-{name}"), Value::Text(value));
            }
            Letter::read(&mut message, &Sources::default())
        };
        bodies.iter().enumerate().map(letter).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|it| (*it).to_owned()).collect()
    }

    fn jids(jids: &[&str]) -> Vec<Jid> {
        jids.iter().map(|it| Jid::new(it).unwrap()).collect()
    }

    #[test]
    fn each_condition_means_those_that_it_says() {
        let letters = letters();
        let id = letters[2].id.to_string();
        let all = Filter::default;
        let time = |text: &str| Some(text.parse().unwrap());
        let cases = [
            (all(), vec![0, 1, 2, 3]),
            (Filter { reasons: texts(&["undecodable"]), ..all() }, vec![3]),
            (Filter { reasons: texts(&["undecodable", "rejected"]), ..all() }, vec![0, 1, 2, 3]),
            (Filter { kinds: vec![EventKind::Presence], ..all() }, vec![0]),
            (Filter { kinds: vec![EventKind::Chat, EventKind::Groupchat], ..all() }, vec![1, 2]),
            (Filter { topics: texts(&["topic-1"]), ..all() }, vec![1]),
            (
                Filter { topics: texts(&["arn:aws:sns:eu-west-1:123456789012:topic-2"]), ..all() },
                vec![2],
            ),
            (Filter { topics: texts(&["pic-1"]), ..all() }, vec![]),
            (Filter { sources: texts(&["queue-1"]), ..all() }, vec![1, 3]),
            (Filter { users: jids(&["carol@localhost/phone"]), ..all() }, vec![0]),
            (Filter { users: jids(&["bob@localhost"]), ..all() }, vec![1, 2]),
            (Filter { users: jids(&["room@muc"]), ..all() }, vec![]),
            (Filter { rooms: jids(&["room@muc"]), ..all() }, vec![2]),
            (Filter { rooms: jids(&["bob@localhost"]), ..all() }, vec![]),
            (Filter { since: time("2026-01-31T02:00:00Z"), ..all() }, vec![2, 3]),
            (Filter { until: time("2026-01-31T02:00:00Z"), ..all() }, vec![0, 1]),
            (Filter { error: Some("error NUMBER 1".to_owned()), ..all() }, vec![1]),
            (Filter { ids: texts(&["m-1", &id[..4]]), ..all() }, vec![1, 2]),
            (Filter { ids: texts(&["m-", &id[..3]]), ..all() }, vec![]),
            (
                Filter {
                    reasons: texts(&["rejected"]),
                    sources: texts(&["queue-0"]),
                    since: time("2026-01-31T01:00:00Z"),
                    ..all()
                },
                vec![2],
            ),
        ];
        for (filter, expected) in cases {
            let meant = (0..letters.len()).filter(|it| filter.matches(&letters[*it]));
            assert_eq!(meant.collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
}

//! Chooses routing keys by which an exchange hands events on to a source's queue.

use crate::cli::arguments::Wire;
use crate::config::{ExchangeType, Format, Source};
use crate::event::EventKind;
use crate::limits::LONGEST_SHORT;

/// The key that the event's format has, if a binding of the source matches that key; else one that is made from a binding.
/// `None`: no key would reach the source's queue and still tell the worker the event's kind.
pub(super) fn choose(source: &Source, wire: Wire, kind: EventKind, own: &str) -> Option<String> {
    if is_bound(source, own) {
        return Some(own.to_owned());
    }
    let label = kind.label();
    let last = own.rsplit('.').next().unwrap_or_default();
    let names_kind = |pattern: &&String| pattern.split('.').any(|it| it == label || it == last);
    let (best, others): (Vec<_>, Vec<_>) = source.routing_keys.iter().partition(names_kind);
    let made = best.into_iter().chain(others).map(|pattern| match source.exchange_type {
        ExchangeType::Topic => fill_in(pattern, label, own),
        _ => pattern.clone(),
    });
    let is_read = |key: &String| wire != Wire::Mongooseim || tells_kind(source, kind, key, last);
    made.filter(|key| key.len() <= LONGEST_SHORT).find(is_read)
}

/// Whether a message with this routing key gets from the source's exchange to its queue.
pub(super) fn is_bound(source: &Source, key: &str) -> bool {
    let mut patterns = source.routing_keys.iter();
    match source.exchange_type {
        ExchangeType::Topic => patterns.any(|pattern| matches(pattern, key)),
        ExchangeType::Direct => patterns.any(|bound| bound == key),
        ExchangeType::Fanout | ExchangeType::Headers => true,
    }
}

/// Messages of MongooseIM's have no type: their exchange has a kind, or the last word of the key says it.
fn tells_kind(source: &Source, kind: EventKind, key: &str, last: &str) -> bool {
    let is_of_one_kind =
        matches!(source.format, Format::MongooseimChat | Format::MongooseimGroupchat);
    kind == EventKind::Presence || is_of_one_kind || key.rsplit('.').next() == Some(last)
}

/// A key that a topic exchange's binding matches: `*` stands for one word, `#` for any number of them.
fn fill_in(pattern: &str, word: &str, words: &str) -> String {
    let filled = pattern.split('.').map(|it| match it {
        "*" => word,
        "#" => words,
        other => other,
    });
    filled.collect::<Vec<_>>().join(".")
}

/// Whether a topic exchange hands a message on by a binding. Source: `rabbit_exchange_type_topic`.
fn matches(pattern: &str, key: &str) -> bool {
    let words = |text: &'_ str| -> Vec<String> {
        let is_some = |text: &&str| !text.is_empty();
        Some(text).filter(is_some).iter().flat_map(|it| it.split('.')).map(str::to_owned).collect()
    };
    let key = words(key);
    // Whether the pattern so far matches the first so many words of the key.
    let mut so_far = vec![false; key.len() + 1];
    so_far[0] = true;
    for word in words(pattern) {
        let mut next = vec![false; key.len() + 1];
        for count in 0..=key.len() {
            let longer = count > 0
                && match word.as_str() {
                    "#" => next[count - 1],
                    "*" => so_far[count - 1],
                    word => so_far[count - 1] && key[count - 1] == word,
                };
            next[count] = longer || (word == "#" && so_far[count]);
        }
        so_far = next;
    }
    so_far[key.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OnOrderLost, PartitionBy};

    fn source(exchange_type: ExchangeType, format: Format, keys: &[&str]) -> Source {
        Source {
            name: "events".to_owned(),
            exchange: "chat.events".to_owned(),
            exchange_type,
            exchange_durable: true,
            routing_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            queue: "events".to_owned(),
            parking: None,
            format,
            single_active: false,
            discard: false,
            partitions: 0,
            partition_by: PartitionBy::RoutingKey,
            on_order_lost: OnOrderLost::Auto,
        }
    }

    #[test]
    fn a_binding_matches_what_rabbitmq_says() {
        for (pattern, key, wanted) in [
            ("#", "", true),
            ("#", "a.b.c", true),
            ("*", "", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("chat.#", "chat", true),
            ("chat.#", "chat.a.b", true),
            ("chat.#", "chats", false),
            ("#.sent", "ann@example.org.sent", true),
            ("a.#.z", "a.z", true),
            ("a.#.*.z", "a.z", false),
            ("a.#.*.z", "a.b.z", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, key), wanted, "{pattern} {key}");
        }
        let (pattern, key) = (["#"; 100].join("."), ["a"; 120].join("."));
        assert!(!matches(&format!("{pattern}.b"), &key), "and it took no time");
    }

    #[test]
    fn a_key_that_matches_no_binding_is_replaced_by_one_that_does() {
        use ExchangeType::{Direct, Fanout, Topic};
        for (exchange_type, keys, wanted) in [
            (Topic, &["#"][..], "presence"),
            (Topic, &["chat.#"], "chat.presence"),
            (Topic, &["im.*.events"], "im.presence.events"),
            (Topic, &["chat.#", "presence.#"], "presence"),
            (Topic, &["chat.*", "presence.*"], "presence.presence"),
            (Topic, &["everything"], "everything"),
            (Direct, &["all"], "all"),
            (Direct, &["chat", "presence"], "presence"),
            (Fanout, &[], "presence"),
        ] {
            let source = source(exchange_type, Format::Auto, keys);
            let chosen = choose(&source, Wire::Native, EventKind::Presence, "presence");
            assert_eq!(chosen.as_deref(), Some(wanted), "{keys:?}");
            assert!(is_bound(&source, wanted), "{keys:?}");
        }
    }

    #[test]
    fn a_key_must_still_tell_the_kind_where_nothing_else_does() {
        let own = "ann@example.org.chat_msg_sent";
        let choose = |format, keys: &[&str]| {
            let source = source(ExchangeType::Topic, format, keys);
            choose(&source, Wire::Mongooseim, EventKind::Chat, own)
        };
        let sent = Some(format!("{own}.sent"));
        assert_eq!(choose(Format::MongooseimChat, &["#.sent"]), sent);
        assert_eq!(choose(Format::Mongooseim, &["#.sent"]), None);
        assert_eq!(choose(Format::Mongooseim, &["im.#"]), Some(format!("im.{own}")));
        assert_eq!(choose(Format::Mongooseim, &["#.chat_msg_sent"]), Some(own.to_owned()));
    }

    #[test]
    fn a_key_of_more_bytes_than_amqp_has_is_none() {
        let longest = format!("{}.#", "k".repeat(LONGEST_SHORT - 5));
        let source = |keys: &str| source(ExchangeType::Topic, Format::Native, &[keys]);
        let chosen = |keys: &str| choose(&source(keys), Wire::Native, EventKind::Chat, "chat");
        assert_eq!(chosen(&longest).map(|key| key.len()), Some(LONGEST_SHORT));
        assert_eq!(chosen(&format!("k{longest}")), None);
    }
}

//! The kinds of event that a queue may carry: what its format, its exchange and its bindings tell before any event comes.

use super::mongooseim::{RoutingHint, routing_hint};
use super::{EventKind, Format};

impl Format {
    /// The kinds of event that a queue with these bindings to an exchange may carry. Only MongooseIM's exchanges and routing
    /// keys tell anything; all kinds where they do not.
    #[must_use]
    pub fn kinds(self, exchange: &str, routing_keys: &[&str]) -> Vec<EventKind> {
        match self {
            Self::MongooseimChat => vec![EventKind::Chat],
            Self::MongooseimGroupchat => vec![EventKind::Groupchat],
            Self::Mongooseim => {
                // A binding's last word is that of every key that it lets through, unless it is a wildcard, which tells
                // as little as a key of another end.
                let may_carry = |kind: EventKind, key: &str| !matches!(routing_hint(exchange, key), RoutingHint::Sent(only) if only != kind);
                let carried =
                    |kind: &EventKind| routing_keys.iter().any(|key| may_carry(*kind, key));
                EventKind::ALL.into_iter().filter(carried).collect()
            }
            Self::Auto | Self::Native | Self::Xmpp | Self::CloudEvents => EventKind::ALL.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventKind::{Chat, Groupchat, Presence};
    use super::*;

    #[test]
    fn exchange_and_bindings_of_mongooseim_tell_which_kinds_a_queue_may_carry() {
        let all = &EventKind::ALL[..];
        for (exchange, keys, expected) in [
            ("chat_msg", &["#.chat_msg_sent"][..], &[Chat][..]),
            ("any", &["*.*.chat_msg_sent", "a@b.chat_msg_sent"], &[Chat]),
            ("groupchat_msg", &["#.groupchat_msg_sent"], &[Groupchat]),
            ("any", &["#.chat_msg_sent", "#.groupchat_msg_sent"], &[Chat, Groupchat]),
            ("presence", &["#"], &[Presence]),
            ("presence", &["alice@example.org"], &[Presence]),
            // Whoever binds that expects messages there.
            ("presence", &["#", "#.chat_msg_sent"], &[Presence, Chat]),
            // One binding that tells nothing is enough.
            ("any", &["#.chat_msg_sent", "#"], all),
            ("any", &["#"], all),
            ("any", &["#.sent"], all),
            // No suffix of a routing key, and no word of its own.
            ("any", &["chat_msg_sent"], all),
            ("any", &["#.my_chat_msg_sent"], all),
            ("any", &["chat_msg_sent.#"], all),
            ("chat_msg", &["#"], all),
        ] {
            let kinds = Format::Mongooseim.kinds(exchange, keys);
            assert_eq!(kinds, expected, "{exchange} {keys:?}");
        }
    }

    #[test]
    fn a_format_for_one_kind_carries_that_and_the_others_any() {
        for (_, format) in Format::NAMED {
            let kinds = format.kinds("presence", &["#.chat_msg_sent"]);
            let expected = match format {
                Format::Mongooseim | Format::MongooseimChat => &[Chat][..],
                Format::MongooseimGroupchat => &[Groupchat],
                _ => &EventKind::ALL,
            };
            assert_eq!(kinds, expected, "{format:?}");
        }
    }
}

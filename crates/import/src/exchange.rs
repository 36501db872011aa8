//! An exchange of MongooseIM's RabbitMQ backend, and what prevents a source for it.

use event_pusher_core::event::EventKind;

use super::exchange_type;
use super::tree::Table;
use super::writer::Unsupported;

/// An exchange as MongooseIM declares it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub kind: EventKind,
    pub name: String,
    /// Its type: how it routes.
    pub routing: String,
    pub durable: bool,
    /// What the routing keys of sent and of received messages end in.
    pub sent: String,
    pub received: String,
    pub line: usize,
    /// It has no section of its own.
    pub is_assumed: bool,
    /// Nothing is published to it by MongooseIM 6.5 and newer, where it has no section.
    pub may_be_missing: bool,
}

/// Its section's name in MongooseIM's configuration.
pub(super) const fn section(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presence_exchange",
        EventKind::Chat => "chat_msg_exchange",
        EventKind::Groupchat => "groupchat_msg_exchange",
    }
}

/// What MongooseIM calls the exchange if nothing else is said.
const fn default_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presence",
        EventKind::Chat => "chat_msg",
        EventKind::Groupchat => "groupchat_msg",
    }
}

impl Exchange {
    pub(super) fn default_of(kind: EventKind) -> Self {
        let name = default_name(kind);
        Self {
            kind,
            name: name.to_owned(),
            routing: "topic".to_owned(),
            durable: false,
            sent: format!("{name}_sent"),
            received: format!("{name}_recv"),
            line: 0,
            is_assumed: true,
            may_be_missing: false,
        }
    }

    pub(super) fn read(
        kind: EventKind,
        mut table: Table,
        unsupported: &mut Vec<Unsupported>,
    ) -> Self {
        let default = Self::default_of(kind);
        let found = Self {
            kind,
            name: table.take_text("name", unsupported).unwrap_or(default.name),
            routing: table.take_text("type", unsupported).unwrap_or(default.routing),
            durable: table.take_flag("durable", unsupported).unwrap_or(default.durable),
            sent: table.take_text("sent_topic", unsupported).unwrap_or(default.sent),
            received: table.take_text("recv_topic", unsupported).unwrap_or(default.received),
            line: table.line,
            is_assumed: false,
            may_be_missing: false,
        };
        table.finish(unsupported);
        found
    }

    /// Whether our decoder knows by name what was sent.
    pub(super) fn has_default_sent(&self) -> bool {
        self.kind == EventKind::Presence || self.sent == Self::default_of(self.kind).sent
    }

    /// Whether it knows by name what was received, too.
    fn has_default_topics(&self) -> bool {
        self.has_default_sent() && self.received == Self::default_of(self.kind).received
    }

    /// Why no source can be made of it.
    pub(super) fn obstacle(&self) -> Option<String> {
        let is_wild = |topic: &str| topic.split('.').any(|word| word == "#" || word == "*");
        let mixes = self.received == self.sent
            || self.received.ends_with(&format!(".{}", self.sent))
            || is_wild(&self.sent);
        match self.routing.as_str() {
            "topic" if self.kind != EventKind::Presence && mixes => Some(
                "has a sent_topic that its received messages match, too, so that nothing tells them \
                 apart; give it another"
                    .to_owned(),
            ),
            "topic" => None,
            all if exchange_type::hands_on_all(all) && self.has_default_topics() => None,
            all if exchange_type::hands_on_all(all) => Some(format!(
                "is of type {all}, which hands on what is received as well, and has topics of its own \
                 names, so that nothing tells them apart; keep the default topics, or use a topic \
                 exchange"
            )),
            other => Some(exchange_type::obstacle(other)),
        }
    }

    /// Of what is to be published, in the terms of a topic exchange.
    pub(super) fn routing_key(&self) -> String {
        match self.kind {
            EventKind::Presence => "#".to_owned(),
            EventKind::Chat | EventKind::Groupchat => format!("#.{}", self.sent),
        }
    }

    /// Whether a queue for this one's events, which has a source of its own, would get some of another's. Presences have the
    /// users' JIDs as their routing keys, which end in no topic.
    pub(super) fn gets_those_of(&self, other: &Self) -> bool {
        let ends = |key: &str| key == self.sent || key.ends_with(&format!(".{}", self.sent));
        let gets_messages = ends(&other.sent) || ends(&other.received);
        let is_other_message = other.kind != EventKind::Presence;
        self.routing != "topic"
            || self.kind == EventKind::Presence
            || (is_other_message && gets_messages)
    }

    /// Why no source can be made of it, for what else is in the same exchange and would get into its queue.
    pub(super) fn obstacle_beside(&self, sharing: &[&Self]) -> Option<String> {
        let all_default =
            self.has_default_topics() && sharing.iter().all(|it| it.has_default_topics());
        if all_default {
            return None;
        }
        let sections: Vec<_> = sharing.iter().map(|it| section(it.kind)).collect();
        Some(format!(
            "is {}, too, and with topics of other names nothing tells their events apart; give each an \
             exchange of its own, or keep the default topics",
            sections.join(" and ")
        ))
    }
}

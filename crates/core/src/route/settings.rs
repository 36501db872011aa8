//! The settings of routing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::arn::{AccessId, TopicArn};
use crate::event::EventKind;

/// The placeholder for the sender's domain in the name of a MUC host.
pub const HOST_PLACEHOLDER: &str = "@HOST@";

/// Where events go, and what they become on the way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Routing {
    /// For presences; `None`: they are skipped.
    pub presence_updates_topic: Option<TopicArn>,
    /// For messages between two users; `None`: they are skipped.
    pub pm_messages_topic: Option<TopicArn>,
    /// For messages to rooms of `muc_host`; `None`: they are skipped.
    pub muc_messages_topic: Option<TopicArn>,
    /// The MUC host, normalised; may hold `@HOST@`, the sender's domain.
    #[schemars(extend("format" = "domain-pattern"))]
    pub muc_host: String,
    /// Topics of further MUC hosts, whose names are as in `muc_host`.
    #[serde(default)]
    pub muc_topics: BTreeMap<String, TopicArn>,
    /// The name of the plugin, or the path of a script.
    #[schemars(extend("format" = "plugin"))]
    pub plugin_module: String,
}

impl Routing {
    /// The topic of each kind of event, in their order, by its key in the configuration.
    #[must_use]
    pub fn topics_by_kind(&self) -> [(&'static str, Option<&TopicArn>); 3] {
        [
            ("presence_updates_topic", self.presence_updates_topic.as_ref()),
            ("pm_messages_topic", self.pm_messages_topic.as_ref()),
            ("muc_messages_topic", self.muc_messages_topic.as_ref()),
        ]
    }

    /// Whether a topic is set for events of this kind, perhaps only for rooms of some MUC hosts.
    #[must_use]
    pub fn has_topic(&self, kind: EventKind) -> bool {
        let (_, topic) = self.topics_by_kind()[kind as usize];
        topic.is_some() || (kind == EventKind::Groupchat && !self.muc_topics.is_empty())
    }

    /// Whether events of this kind may go to a FIFO topic.
    #[must_use]
    pub fn has_fifo_topic(&self, kind: EventKind) -> bool {
        let (_, topic) = self.topics_by_kind()[kind as usize];
        let rooms = self.muc_topics.values().filter(|_| kind == EventKind::Groupchat);
        topic.into_iter().chain(rooms).any(TopicArn::is_fifo)
    }

    /// All topics that are set, each with the names of its key in the configuration.
    pub fn topics(&self) -> impl Iterator<Item = (Vec<&str>, &TopicArn)> {
        let own = self.topics_by_kind().into_iter();
        let own = own.filter_map(|(name, topic)| Some((vec![name], topic?)));
        let rooms = self.muc_topics.iter();
        own.chain(rooms.map(|(host, topic)| (vec!["muc_topics", host.as_str()], topic)))
    }

    /// The same, with its topics reached by one of the accesses.
    #[must_use]
    pub fn by(mut self, access: AccessId) -> Self {
        let own = [
            &mut self.presence_updates_topic,
            &mut self.pm_messages_topic,
            &mut self.muc_messages_topic,
        ];
        for topic in own.into_iter().flatten().chain(self.muc_topics.values_mut()) {
            *topic = topic.clone().by(access);
        }
        self
    }
}

/// Which events keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "described one by one, they would be no list of words in the schema"
)]
pub enum Ordering {
    None,
    PerKey,
}

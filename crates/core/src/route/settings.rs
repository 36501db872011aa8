//! What a configuration says of routing.

use std::collections::BTreeMap;

use crate::arn::TopicArn;

/// In the name of a MUC host, it stands for the sender's domain.
pub const HOST_PLACEHOLDER: &str = "@HOST@";

/// Where events go, and what they become on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// For presences; `None`: they are skipped.
    pub presence_updates_topic: Option<TopicArn>,
    /// For messages between two users; `None`: they are skipped.
    pub pm_messages_topic: Option<TopicArn>,
    /// For messages to rooms of `muc_host`; `None`: they are skipped.
    pub muc_messages_topic: Option<TopicArn>,
    /// The name of the plugin.
    pub plugin_module: String,
    /// The MUC host, normalised; may hold `@HOST@`, the sender's domain.
    pub muc_host: String,
    /// Topics of further MUC hosts, whose names are as in `muc_host`.
    pub muc_topics: BTreeMap<String, TopicArn>,
}

/// Which events keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// None: the fastest.
    None,
    /// Those of the same user's presence, conversation or room.
    PerKey,
}

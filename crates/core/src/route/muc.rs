//! Selects the topic of a room's messages by the MUC host.

use super::settings::{HOST_PLACEHOLDER, Routing};
use crate::arn::TopicArn;

/// The MUC hosts in the order in which they are tried.
#[derive(Debug)]
pub(super) struct MucTopics(Vec<(HostPattern, Option<TopicArn>)>);

impl MucTopics {
    /// `muc_host` comes first. Of `muc_topics`, literal domains come before patterns.
    pub(super) fn new(routing: &Routing) -> Self {
        let first = (HostPattern::new(&routing.muc_host), routing.muc_messages_topic.clone());
        let mut others: Vec<_> = routing
            .muc_topics
            .iter()
            .map(|(pattern, topic)| (HostPattern::new(pattern), Some(topic.clone())))
            .collect();
        others.sort_by_key(|(pattern, _)| matches!(pattern, HostPattern::Around(..)));
        others.insert(0, first);
        Self(others)
    }

    /// The topic of the room's MUC host, unset or not, if it is a known one.
    pub(super) fn topic(&self, room_domain: &str, host: &str) -> Option<&Option<TopicArn>> {
        self.0
            .iter()
            .find(|(pattern, _)| pattern.matches(room_domain, host))
            .map(|(_, topic)| topic)
    }
}

/// The name of a MUC host. The configuration normalises it, and events' JIDs are normalised
/// too, so that bytes are compared.
#[derive(Debug)]
enum HostPattern {
    Literal(String),
    /// What stands before and behind the sender's domain.
    Around(String, String),
}

impl HostPattern {
    fn new(pattern: &str) -> Self {
        match pattern.split_once(HOST_PLACEHOLDER) {
            None => Self::Literal(pattern.to_owned()),
            Some((before, behind)) => Self::Around(before.to_owned(), behind.to_owned()),
        }
    }

    fn matches(&self, domain: &str, host: &str) -> bool {
        match self {
            Self::Literal(literal) => domain == literal,
            Self::Around(before, behind) => {
                let rest = domain.strip_prefix(before.as_str());
                rest.and_then(|rest| rest.strip_prefix(host)) == Some(behind)
            }
        }
    }
}

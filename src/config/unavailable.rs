//! What the configuration can say already but this version can't do. It is refused rather
//! than ignored; whoever builds one of these removes its line here.

use super::key::Key;
use crate::arn::TopicArn;

/// Group, key, value, and what to do for now.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("sns", "ordering", "per-key", "leave it at \"none\""),
    ("amqp", "format", "xmpp", "let the producer send JSON (native or mongooseim)"),
];

/// For the value of a key that is known but not available: what to do for now.
pub(super) fn value(key: &Key, value: &str) -> Option<&'static str> {
    let group = *key.segments().first()?;
    VALUES
        .iter()
        .find(|(g, k, v, _)| (*g, *k, *v) == (group, key.last(), value))
        .map(|(.., remedy)| *remedy)
}

/// For a topic that can't be published to yet: what to do for now.
pub(super) fn topic(arn: &TopicArn) -> Option<&'static str> {
    arn.is_fifo().then_some("use a standard topic, whose name doesn't end in .fifo")
}

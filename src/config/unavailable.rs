//! What the configuration can say already but this version can't do. It is refused rather
//! than ignored; whoever builds one of these removes its line here.

use super::key::Key;

/// Group, key, value, and what to do for now.
const VALUES: &[(&str, &str, &str, &str)] =
    &[("amqp", "format", "xmpp", "let the producer send JSON (native or mongooseim)")];

/// For the value of a key that is known but not available: what to do for now.
pub(super) fn value(key: &Key, value: &str) -> Option<&'static str> {
    let group = *key.segments().first()?;
    VALUES
        .iter()
        .find(|(g, k, v, _)| (*g, *k, *v) == (group, key.last(), value))
        .map(|(.., remedy)| *remedy)
}

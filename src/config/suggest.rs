//! The known name nearest to one that isn't.

use strsim::damerau_levenshtein;

use super::key::Key;
use super::schema;
use crate::nearest::most_typing_errors;

/// The key or group that was most likely meant by `unknown`.
pub(super) fn nearest(unknown: &Key, is_group: bool) -> Option<Key> {
    let candidates = if is_group { groups(unknown) } else { keys_around(unknown) };
    let dotted = |key: &Key| key.segments().join(".");
    candidates
        .into_iter()
        .filter_map(|key| {
            let whole = damerau_levenshtein(&dotted(unknown), &dotted(&key));
            let last = damerau_levenshtein(unknown.last(), key.last());
            // The right name on the wrong level is nearer than any other name.
            let near = whole.min(last + usize::from(last > 0));
            (near <= most_typing_errors(unknown.last())).then_some((near, whole, key))
        })
        .min()
        .map(|(_, _, key)| key)
}

/// Whether the key that was meant has another source or host in it than `unknown`, which would be one that nobody asked for.
pub(super) fn names_another(meant: &Key, unknown: &Key) -> bool {
    let (meant, unknown) = (meant.segments(), unknown.segments());
    let depth = match meant.as_slice() {
        ["amqp", "sources", _, ..] => 3,
        ["hosts", _, ..] => 2,
        _ => return false,
    };
    unknown.get(..depth) != meant.get(..depth)
}

fn groups(unknown: &Key) -> Vec<Key> {
    let mut groups = vec![Key::from("hosts"), Key::from("sns.muc_topics")];
    if let ["hosts", host, ..] = unknown.segments().as_slice() {
        let own = Key::from(["hosts", host, "sns"]);
        groups.extend([own.child("muc_topics"), own]);
    }
    for key in schema::defaults().keys() {
        let segments = key.segments();
        // Down to `amqp.sources`: below it names are the user's own.
        for depth in 1..segments.len().min(3) {
            groups.push(Key::from(&segments[..depth]));
        }
    }
    groups
}

/// All keys, where they stand if the user's own source or host is meant.
fn keys_around(unknown: &Key) -> Vec<Key> {
    let mut keys: Vec<Key> = schema::defaults().keys().cloned().collect();
    match unknown.segments().as_slice() {
        ["amqp", "sources", name, ..] => {
            let default_source = Key::from(["amqp", "sources", schema::DEFAULT_SOURCE]);
            for key in keys.iter_mut().filter(|key| key.is_within(&default_source)) {
                *key = Key::from(["amqp", "sources", name, key.last()]);
            }
        }
        ["hosts", host, ..] => {
            keys = schema::HOST_KEYS
                .iter()
                .map(|key| Key::from(["hosts", host, "sns", key]))
                .collect();
        }
        _ => {}
    }
    keys
}
